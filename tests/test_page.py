"""The page in a real browser: no network, no error, and the numbers of claims.json."""

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from elu_replication.claims import plan, results
from elu_replication.config.schema import PUBLISHED
from elu_replication.engine.activations import ELU, GELU, LeakyReLU
from elu_replication.reports import findings, overview, paper, plots
from elu_replication.reports import page as report
from elu_replication.reports.arms import declared_at
from elu_replication.runs import evidence, frames

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NO_BROWSER = "the browser tests did not run: no Chromium found (on Debian: apt-get install chromium)"
in_browser = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)
PAGE = (ROOT / report.FILE).as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture
def messages() -> list[str]:
    """Warnings, errors and requests of the page."""
    return []


SCREENS = {"desktop light": (1280, 900, "light"), "phone dark": (360, 740, "dark")}
both = pytest.mark.parametrize("screen", SCREENS)


@pytest.fixture
def screen() -> str:
    return "desktop light"


@pytest.fixture
def page(browser: Browser, messages: list[str], screen: str) -> Iterator[Page]:
    width, height, scheme = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height}, offline=True, color_scheme=scheme
    )
    opened = context.new_page()
    opened.on("console", lambda m: messages.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else messages.append(r.url))
    opened.goto(PAGE)
    opened.locator(".chart").first.scroll_into_view_if_needed()
    opened.wait_for_selector(".chart[data-drawn]")
    yield opened
    context.close()


@both
@in_browser
def test_it_loads_fast_without_network_and_without_a_message(page: Page, messages: list[str]) -> None:
    for chart in page.locator("article .chart").all():
        chart.scroll_into_view_if_needed()
        page.wait_for_function("element => element.dataset.drawn", arg=chart.element_handle())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing runs off the side
    timing = "performance.timing.loadEventEnd - performance.timing.navigationStart"
    durations = []  # milliseconds; the least of three, since the first also starts a browser
    for _ in range(3):
        durations.append(page.evaluate(timing))
        page.reload()
    assert min(durations) < 2000
    assert messages == []
    assert (ROOT / report.FILE).stat().st_size < 2e6


@in_browser
def test_filters_leave_the_claims_that_fit(page: Page) -> None:
    table = pd.read_csv("results/claims.csv", keep_default_na=False)
    page.select_option("#by-kind", label="mathematics")
    page.select_option("#by-source", label="Basak's blog post")
    fits = table[(table.kind == "mathematics") & table.source.str.contains("Basak's blog post")]
    shown = page.locator(".claim:visible .id").all_text_contents()
    assert shown == list(fits.id)
    assert page.text_content("#shown") == f"{len(fits)} of {len(table)} claims"
    page.select_option("#by-verdict", "replicated")
    assert page.locator(".claim:visible").count() == (fits.verdict == "replicated").sum()


@in_browser
def test_numbers_and_verdicts_are_those_of_the_table(page: Page) -> None:
    table = pd.read_csv("results/claims.csv").set_index("id")
    for claim in page.locator(".claim").all():
        line = table.loc[claim.get_attribute("id")]
        assert claim.get_attribute("data-verdict") == line.verdict
        terms, values = (claim.locator(f".facts {tag}").all_text_contents() for tag in ("dt", "dd"))
        facts = dict(zip(terms, values, strict=True))
        assert facts["Kind"] == line.kind
        assert ("n" in facts) == (line.kind in ("published value", "direction"))
        if "n" in facts:
            shown = re.findall(r"-?\d[\d.]*(?:e-?\d+)?", facts["Effect [95% interval]"])
            stored = [line.effect, line.low, line.high]
            assert [float(value) for value in shown] == pytest.approx(stored[: len(shown)], rel=1e-3)
            assert (float(facts["Margin"]), int(facts["n"])) == (line.margin, line.n)


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d[\d.]*(?:e[-+]?\d+)?|-?inf", text)]


@in_browser
def test_every_reading_has_the_numbers_of_claims_json(page: Page) -> None:
    tables = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".claim")].map(claim => [claim.id,
            [...claim.querySelectorAll('[aria-label$=", readings"] tr')].map(
                row => [...row.children].map(cell => cell.textContent.trim()))]))"""
    )
    stored = {claim["id"]: claim for claim in json.loads(results.FILE.read_text())["claims"]}
    assert list(tables) == list(stored)
    assert [name for name in tables if tables[name]] == [
        name for name in stored if stored[name]["readings"]
    ]
    for name, (headings, *rows) in ((name, rows) for name, rows in tables.items() if rows):
        lines = [(reading, c) for reading in stored[name]["readings"] for c in reading["contrasts"]]
        for row, (reading, contrast) in zip(rows, lines, strict=True):
            cells = dict(zip(headings, row, strict=True))
            assert cells["Reading"] == reading["label"]
            assert contrast["verdict"] in cells["Verdict"]
            assert cells["n"] == str(len(contrast["values"]))
            assert float(cells["Margin"]) == pytest.approx(contrast["margin"], rel=1e-5)
            effect = [contrast["effect"], *contrast["interval"]]
            known = [float(number) for number in effect if number is not None]
            assert numbers(cells["Effect [95% interval]"]) == pytest.approx(known, rel=1e-3, nan_ok=True)


@in_browser
def test_every_number_beside_a_finding_is_that_of_its_contrast(page: Page) -> None:
    present = findings.findings(results.load(), findings.fits())
    rows = [row for finding in present for row in finding.rows]
    texts = page.locator(".finding .plots td:last-child").all_text_contents()
    labels = page.locator(".finding .plots th").all_text_contents()
    assert labels == [row.label for row in rows]
    for text, row in zip(texts, rows, strict=True):
        known = [row.contrast.effect, *row.contrast.interval][: 1 if row.contrast.n == 1 else 3]
        assert numbers(text) == pytest.approx(known, abs=5.1e-5)


@in_browser
def test_the_explorer_draws_what_its_sliders_say(page: Page) -> None:
    def told() -> list[float]:
        return [float(word) for word in re.findall(r"-?\d+\.\d{4}", page.text_content("#readout") or "")]

    before = page.get_attribute("#value", "d")
    for function, alpha, offset in ((ELU(0.5), 0.5, 1.5), (LeakyReLU(1.7), 1.7, 4.9), (ELU(0.1), 0.1, -5)):
        page.select_option("#function", function.name)
        page.locator("#alpha").fill(str(alpha))
        page.locator("#offset").fill(str(offset))
        x = np.array([-1.0 - offset])
        assert told() == pytest.approx([function.value(x)[0], function.derivative(x)[0]], abs=1e-4)
    assert page.get_attribute("#value", "d") != before
    page.select_option("#function", "gelu")
    page.locator("#offset").fill("0")
    x = np.array([-1.0])
    assert told() == pytest.approx([GELU().value(x)[0], GELU().derivative(x)[0]], abs=1e-4)
    assert page.is_disabled("#alpha")


@in_browser
def test_a_chart_follows_its_controls(page: Page) -> None:
    form = page.locator('[data-controls="machinecurve_25"]')
    chart = page.locator('article .chart[data-chart="machinecurve_25"]')
    chart.scroll_into_view_if_needed()
    page.wait_for_function("element => element.dataset.marks > 0", arg=chart.element_handle())
    points = int(chart.get_attribute("data-marks") or 0)
    form.locator(".arm").first.uncheck()
    page.wait_for_function(f"element => element.dataset.marks < {points}", arg=chart.element_handle())
    form.locator(".view").select_option("test accuracy")
    page.wait_for_function(
        "element => element.dataset.drawn === 'test accuracy'", arg=chart.element_handle()
    )
    assert not form.locator(".log").is_checked()


def choose(form: Locator, *arms: str) -> None:
    """Tick these arms of a chart, and no others."""
    for box in form.locator(".arm").all():
        box.set_checked(box.get_attribute("value") in arms)


@in_browser
def test_published_curves_lie_over_those_of_the_arms_that_may_have_made_them(page: Page) -> None:
    form = page.locator('[data-controls="machinecurve_25"]')
    chart = page.locator('article .chart[data-chart="machinecurve_25"]')
    chart.scroll_into_view_if_needed()
    page.wait_for_function("element => element.dataset.drawn", arg=chart.element_handle())
    choose(form, "he_elu01")
    page.wait_for_function("element => element.dataset.overlays === 'He ELU'", arg=chart.element_handle())
    assert "published: He ELU" in chart.inner_text()
    choose(form, "he_elu01", "he_relu")
    page.wait_for_function(
        "element => element.querySelectorAll('.overlaid').length === 2", arg=chart.element_handle()
    )
    form.locator(".view").select_option("test loss")
    page.wait_for_function("element => element.dataset.overlays === ''", arg=chart.element_handle())


@in_browser
def test_seeds_of_two_kinds_are_drawn_one_by_one(page: Page) -> None:
    form = page.locator('[data-controls="asu_mlp"]')
    chart = page.locator('article .chart[data-chart="asu_mlp"]')
    chart.scroll_into_view_if_needed()
    page.wait_for_function("element => element.dataset.drawn", arg=chart.element_handle())
    name = form.locator("label", has_text="at chance").first.locator("input").get_attribute("value")
    assert name is not None
    choose(form, name)
    (arm,) = evidence.counted([f"asu_mlp-{name}"]).values()
    seeds = len(frames.finished(arm))
    page.wait_for_function(
        f"element => element.querySelectorAll('path[stroke-width=\"1\"]').length === {seeds}",
        arg=chart.element_handle(),
    )


@in_browser
def test_in_print_nothing_runs_off_the_page(page: Page) -> None:
    page.set_viewport_size({"width": 718, "height": 1047})  # A4 with margins, at 96 dots per inch
    page.emulate_media(media="print", color_scheme="light")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not page.get_by_role("navigation", name="Chapters").is_visible()
    assert page.locator(".chart").count() == page.locator(".chart[data-drawn]").count()


@in_browser
def test_pointing_at_a_curve_tells_its_values(page: Page) -> None:
    chart = page.locator('article .chart[data-chart="machinecurve_25"]')
    chart.scroll_into_view_if_needed()
    page.wait_for_function("element => element.dataset.drawn", arg=chart.element_handle())
    chart.hover()
    arm, epoch, *values = chart.locator(".tip b").all_text_contents()
    table = pd.read_csv("results/published/tables/machinecurve_25_epochs.csv")
    seen = table[(table.arm == arm) & (table.epoch == int(epoch)) & (table.split == "validation")].iloc[0]
    stored = [seen.loss, seen.loss_min, seen.loss_max]
    assert [float(value) for value in values] == pytest.approx(stored, rel=1e-4)


@pytest.mark.parametrize(
    ("screen", "opened"),
    [
        ("desktop light", "false"),
        *(pytest.param(screen, "true", marks=pytest.mark.long) for screen in SCREENS),
    ],
)
@in_browser
def test_it_can_be_used_by_keyboard_and_screen_reader(page: Page, opened: str) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.evaluate(f"document.querySelectorAll('details').forEach(part => {{ part.open = {opened}; }})")
    violations = Axe().run(page).response["violations"]
    serious = [
        (v["id"], v["nodes"][0]["html"]) for v in violations if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


@in_browser
def test_a_link_to_a_claim_opens_it(page: Page) -> None:
    page.goto(f"{PAGE}#C41")
    assert page.locator("#C41").evaluate("element => element.open")


@in_browser
def test_a_search_leaves_the_claims_with_all_its_words(page: Page) -> None:
    page.fill("#search", "sigmoid constant")
    shown = page.locator(".claim:visible")
    assert 0 < shown.count() < page.locator(".claim").count()
    for text in shown.all_text_contents():
        assert "sigmoid" in text.lower()
        assert "constant" in text.lower()
    page.fill("#search", "no claim has these words")
    assert (page.text_content("#shown") or "").startswith("0 of ")


@both
@in_browser
def test_the_contents_stay_in_view(page: Page) -> None:
    page.locator("#reproduce").scroll_into_view_if_needed()
    contents = page.get_by_role("navigation", name="Chapters")
    assert contents.evaluate("element => element.getBoundingClientRect().top") >= 0
    for link in contents.locator("a").all():
        assert page.locator(link.get_attribute("href") or "").count() == 1


@in_browser
def test_does_he_initialization_matter_for_elu_here(page: Page) -> None:
    """Without a click a finding answers; one click shows what it rests on."""
    stored = results.load()
    finding = page.locator("#finding-alpha")
    assert re.search(r"\bHe\b", finding.locator("h3").text_content() or "")
    finding.get_by_role("link", name="C14", exact=True).click()
    claim = page.locator("#C14")
    expect(claim).to_have_attribute("open", "")
    assert stored.by_id["C14"].verdict in (claim.locator(".badge").first.text_content() or "")


@in_browser
def test_did_the_accuracies_of_the_report_replicate(page: Page) -> None:
    claim = results.load().by_id["C42"]
    finding = page.locator("#finding-accuracies")
    said = finding.locator("h3").text_content() or ""
    assert ("not replicate" in said) == (claim.verdict == "not replicated")
    finding.get_by_role("link", name="C42", exact=True).click()
    opened = page.locator("#C42")
    expect(opened.locator("tbody tr:visible")).to_have_count(len(claim.contrasts))
    for printed in ("0.9609", "0.9577", "0.936"):
        assert printed in opened.inner_text()


@in_browser
def test_which_claims_need_more_runs_and_how_many_hours(page: Page) -> None:
    page.get_by_role("navigation", name="Chapters").get_by_role("link", name="Seeds and power").click()
    rows = page.get_by_role("region", name="Undecided claims").locator("tbody tr")
    listed = {
        row.locator("td").first.inner_text(): row.locator("td").last.inner_text() for row in rows.all()
    }
    undecided = [claim for claim in results.load().claims if claim.undecided]
    assert set(listed) == {claim.id for claim in undecided}
    for claim in undecided:  # times of an epoch wait for measurements, and some arms have few seeds to come
        waits = claim.evidence not in ("", evidence.FRESH) and plan.can_decide(claim)
        left, _ = report.to_train([claim])
        assert (float(listed[claim.id]) > 0) if waits and left else listed[claim.id] == "-"


def test_a_printed_score_that_two_arms_share_is_no_published_difference() -> None:
    contrast = results.load().by_id["C3"].readings[0].contrasts[0]
    for published, marked in ((0.0, False), (0.01, True), (math.nan, False)):
        shown = plots.plot(contrast.model_copy(update={"published": published}))
        assert ('class="published"' in shown) == marked
    level = contrast.model_copy(update={"arms": {"asu_mlp-sgd_elu": 1.0}, "published": 0.0})
    assert 'class="published"' in plots.plot(level)  # a single arm may have a score of 0
    mean = results.load().by_id["C54"].contrasts[0]  # of another author's runs, not of the article's
    assert mean.published_mark == mean.than != mean.published


def test_a_small_plot_marks_the_side_that_is_claimed() -> None:
    for contrast in (c for claim in results.load().claims for c in claim.contrasts):
        ends = re.findall(r'class="claimed" d="M\S+ 1H(\d+)"', plots.plot(contrast))
        assert ends == {"higher": ["180"], "lower": ["0"]}.get(contrast.expect or "", [])


@pytest.mark.parametrize(
    ("kind", "arms", "expected"),
    [
        ("", ("asu_mlp-sgd_elu", "asu_mlp-sgd_relu"), "measurements: make times"),
        ("fresh seeds", ("asu_mlp-sgd_elu", "asu_mlp-sgd_relu"), "none: its planned seeds leave it open"),
        (
            "exploration; fresh seeds: 40 of 40",
            ("asu_mlp-sgd_elu", "asu_mlp-sgd_relu"),
            "none of its own: other",
        ),
        (
            "exploration; fresh seeds: 0 of 2",
            ("clevert_fig3-elu_1e2", "clevert_fig3-relu_1e2"),
            "none: too few",
        ),
    ],
)
def test_what_an_undecided_claim_waits_for_is_named(
    kind: str, arms: tuple[str, str], expected: str
) -> None:
    stored = results.load()
    claim = stored.by_id["C43"]
    (primary, *_), (contrast, *_) = claim.readings, claim.readings[0].contrasts
    contrast = contrast.model_copy(update={"arms": dict(zip(arms, (1.0, -1.0), strict=True))})
    primary = primary.model_copy(update={"contrasts": [contrast]})
    claim = claim.model_copy(update={"readings": [primary], "evidence": kind, "verdict": "inconclusive"})
    (line,) = report.undecided(stored.model_copy(update={"claims": [claim]}))
    assert line["Fresh runs left"].startswith(expected)
    assert line["Hours on one core"] == "-"


def test_the_committed_page_is_that_of_the_committed_runs() -> None:
    assert report.render(declared_at(PUBLISHED), results.load()) == (ROOT / report.FILE).read_text()


def test_the_answer_is_made_of_the_verdicts() -> None:
    stored = results.load()
    by_runs = [claim.decided_by == "runs" for claim in stored.published]
    replicated = [claim.decided_by == "runs" for claim in stored.published if claim.verdict == "replicated"]
    first, second = overview.answer(stored.published)
    assert first.startswith(
        f"Of the {sum(by_runs)} published claims that runs decide,"
        f" the verdict is replicated for {sum(replicated)}, "
    )
    assert f"it is replicated for {len(replicated) - sum(replicated)}, " in second


def test_what_papers_need_is_whole(tmp_path: Path) -> None:
    rows, stored = declared_at(PUBLISHED), results.load()
    paper.write(rows, stored, tmp_path)
    table = pd.read_csv(tmp_path / "runs.csv")
    settings = {key for row in rows for key in row.arm.protocol.flat()}
    assert {key.rpartition(".")[2] for key in settings} <= set(table)
    assert not table.duplicated(["experiment", "arm", "seed"]).any()
    tex = (tmp_path / "claims.tex").read_text()
    assert tex.count(r" \\") == len(stored.claims) + 3  # the header twice, and where a page ends
    assert not re.search(r"(?<!\\)[%#_]", tex.replace(r"\\", ""))
    assert (tmp_path / "claims.pdf").read_bytes().startswith(b"%PDF")
    paper.write(rows, stored, tmp_path / "again")
    assert (tmp_path / "claims.pdf").read_bytes() == (tmp_path / "again/claims.pdf").read_bytes()


def test_latex_has_numbers_as_mathematics() -> None:
    text = paper.in_mathematics("-6.787e-05 [-0.0001, 2] (one seed)")
    assert text == r"$-6.787 \times 10^{-5}$ [$-0.0001$, $2$] (one seed)"
