"""The claims as data, strictly checked, and their verdicts as files, and in the terminal."""

import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from elu_replication import console
from elu_replication.claims import checks, identification, results, schema, sources, statistics, verdicts
from elu_replication.claims.results import VERDICTS, Results
from elu_replication.commands import claim as command
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED
from elu_replication.errors import UserError
from elu_replication.reports import claims as report
from elu_replication.reports import columns, forest, overview, plots


@pytest.fixture(scope="module")
def computed() -> Results:
    return verdicts.compared_with_plan(verdicts.compute())


def test_claims_are_numbered_without_a_gap() -> None:
    claims = schema.load_claims()
    assert list(claims) == [f"C{number}" for number in range(1, len(claims) + 1)]


def test_sources_are_in_the_bibliography() -> None:
    facts = sources.load()
    keys = re.findall(r"^@\w+{(\w+),", Path("experiments/sources.bib").read_text(), re.MULTILINE)
    assert {source.bibtex for source in facts.sources.values()} == set(keys)


def test_experiments_and_claims_name_each_other() -> None:
    """A document lists the claims that its arms serve, and no others."""
    serves: dict[str, set[str]] = {name: set() for name in experiments.names()}
    for group, claims in schema.documented().items():
        for name, published in claims.items():
            if group in serves:
                serves[group].add(name)
            contrasts = [contrast for reading in published.readings.values() for contrast in reading]
            for arm in (arm for contrast in contrasts for arm in contrast.arms):
                serves[arm.partition("-")[0]].add(name)
    for name in experiments.names():
        assert set(experiments.load(name).claims) == serves[name], name


@pytest.mark.parametrize(("open_ones", "ends"), [(0, "."), (2, ". Left open: b; c."), (3, ".")])
def test_a_claim_that_holds_names_the_few_readings_that_are_left_open(
    computed: Results, open_ones: int, ends: str
) -> None:
    claim = computed.by_id["C20"]
    labels = "abcdefgh"
    readings = [
        reading.model_copy(
            update={"label": label, "adjusted": "inconclusive" if 0 < place <= open_ones else "replicated"}
        )
        for place, (label, reading) in enumerate(zip(labels, claim.readings, strict=True))
    ]
    claim = claim.model_copy(update={"readings": readings})
    begin = " Primary reading: a. The claim holds in 3 of 8 readings and fails in"
    assert overview.support(of_pattern(claim, fails=0, fails_adjusted=0)) == f"{begin} 0{ends}"
    adjusted = " (after Holm's adjustment holds in 3, fails in"
    survives = overview.support(of_pattern(claim, fails=5, fails_adjusted=1))
    assert survives == f"{begin} 5{adjusted} 1){ends}"
    none_does = ". Since no failure survives the adjustment, the primary reading decides"
    decided = overview.support(of_pattern(claim, fails=5, fails_adjusted=0))
    assert decided == f"{begin} 5{adjusted} 0){none_does}{ends}"


def of_pattern(claim: results.ClaimResult, fails: int, fails_adjusted: int) -> results.ClaimResult:
    """A claim that holds in three readings of eight, and fails in some."""
    pattern = results.Pattern(
        readings=8, holds=3, holds_adjusted=3, fails=fails, fails_adjusted=fails_adjusted
    )
    return claim.model_copy(update={"pattern": pattern})


def test_the_forest_plot_tells_what_a_claim_rests_on(computed: Results) -> None:
    axes = forest.forest(computed).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    large = {round(line.get_ydata()[0]): line for line in axes.lines if line.get_markersize() == 7}
    shown = {label.split()[-1]: large.get(height) for height, label in enumerate(labels)}
    for claim in computed.claims:
        if (one := claim.decisive) and math.isfinite(one.effect):
            line = shown[claim.id + "*" * claim.beside_primary]
            assert line is not None
            fresh = not claim.evidence or min(one.values) >= experiments.FIRST_FRESH
            assert (line.get_markerfacecolor() != "white") == fresh
            assert (line.get_alpha() == forest.PALE) == (one.n == 1)


def test_the_plan_has_a_column_where_a_claim_is_not_as_planned(computed: Results) -> None:
    amended = computed.model_copy(deep=True)
    amended.claims[0].__dict__["plan"] = "amended after fresh runs"
    for of, column in ((computed, False), (amended, True)):
        text = report.document(of)
        assert ("| Plan" in text, "Every claim is as it was planned." in text) == (column, not column)


def test_the_ledger_covers_what_the_claims_leave_open() -> None:
    covered = {name for entry in schema.load_ledger().ambiguities for name in entry.claims}
    open_claims = {
        name
        for name, claim in schema.load_claims().items()
        if max(len(claim.readings), len(claim.checks), len(claim.agreements)) > 1
        and set(claim.sources) != {"R"}  # this project knows what it asks
    }
    no_contradiction = {"C16", "C17", "C24"}
    assert open_claims - covered <= no_contradiction


def test_readings_as_identified_have_the_arms_that_made_the_published_curves() -> None:
    curves, made_by = identification.load_curves(), identification.identified()
    candidates = [
        candidate
        for name, arm in made_by.items()
        for candidate in curves[name].candidates
        if candidate.arm == arm
    ]
    identified = {name for candidate in candidates for name in (candidate.arm, candidate.judged_by)}
    readings = [
        (name, contrasts)
        for name, claim in schema.load_claims().items()
        for label, contrasts in claim.readings.items()
        if label.startswith("as identified")
    ]
    for _, contrasts in readings:
        arms = {name for contrast in contrasts for name in contrast.arms}
        elu = {name for name in arms if experiments.arm(name, PUBLISHED).protocol.activation.name == "elu"}
        assert elu
        assert elu <= identified
    of_elu = {"C2", "C6", "C7", "C8", "C10", "C11", "C12", "C13", "C14", "C15"}
    assert {name for name, _ in readings} == of_elu


def test_what_this_project_asks_does_not_count_as_published(computed: Results) -> None:
    own = {claim.id for claim in computed.claims} - {claim.id for claim in computed.published}
    assert own == set(schema.documented()["fashion_mnist"])


@pytest.mark.parametrize("name", ["C2", "C6", "C10"])
def test_a_published_value_is_judged_first_by_the_protocol_that_made_it(name: str) -> None:
    assert next(iter(schema.load_claims()[name].readings)).startswith("as identified")


def test_claims_of_one_sentence_are_judged_by_one_standard(computed: Results) -> None:
    """ReLU's and ELU's gradients (C20, C28), and dead units of every function (C22)."""
    relu, elu = (
        [(contrast.metric, contrast.expect, contrast.than) for contrast in computed.by_id[name].contrasts]
        for name in ("C20", "C28")
    )
    assert relu == elu
    for reading in computed.by_id["C22"].readings:
        assert len({contrast.metric for contrast in reading.contrasts}) == 1
        assert {contrast.than for contrast in reading.contrasts if contrast.expect == "lower"} == {0.01}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    schema.documented.cache_clear()
    yield tmp_path
    schema.documented.cache_clear()


GOOD = {
    "sources": {"M": "-"},
    "statement": "-",
    "kind": "DIR",
    "readings": {"one": [{"metric": "test_loss", "arms": {"asu_mlp-sgd_elu": 1}, "expect": "lower"}]},
}


def test_a_good_entry_is_all_that_a_new_claim_needs(folder: Path) -> None:
    (folder / "new.yaml").write_text(yaml.safe_dump({"claims": {"C54": GOOD}}))
    assert list(schema.documented()["new"]) == ["C54"]


def test_every_check_is_used_and_none_is_empty() -> None:
    used = {check for claim in schema.load_claims().values() for check in claim.checks.values()}
    assert used == set(checks.CHECKS)
    assert all(check() for check in checks.CHECKS.values())


def test_what_mathematics_decides_is_as_the_reference_has_it(computed: Results) -> None:
    decided = {c.id: c.verdict for c in computed.claims if c.kind == "DET"}
    wrong, by_reading = {"C21", "C33", "C34", "C36"}, {"C38", "C40", "C65"}
    assert {name for name, verdict in decided.items() if verdict == "not replicated"} == wrong
    assert {name for name, verdict in decided.items() if verdict == "protocol-dependent"} == by_reading
    right = {name for name, verdict in decided.items() if verdict == "replicated"}
    assert right == {"C18", "C19", "C25", "C27", "C35", "C37", "C52", "C53", "C64"}


def test_what_the_passages_decide(computed: Results) -> None:
    decided = {c.id: c.verdict for c in computed.claims if c.kind == "TXT"}
    assert {name for name, verdict in decided.items() if verdict == "protocol-dependent"} == {"C31", "C67"}
    assert [name for name, verdict in decided.items() if verdict == "not testable"] == ["C41"]
    reason = computed.by_id["C31"].reason
    assert reason == "Replicated: of its MNIST network. Not replicated: of the whole paper"


def test_the_mean_of_elu_is_that_of_the_formula() -> None:
    """For inputs from normal(0, 1): 1 / sqrt(2 pi) + sqrt(e) Phi(-1) - 1/2."""
    _, elu = checks.elu_mean_on_normal_inputs()
    exact = 1 / math.sqrt(2 * math.pi) + math.sqrt(math.e) * math.erfc(1 / math.sqrt(2)) / 2 - 0.5
    assert elu.computed == pytest.approx(exact, abs=1e-8)


def test_published_times_are_compared_as_logarithms(computed: Results) -> None:
    published = [contrast.published for contrast in computed.by_id["C44"].contrasts]
    assert published == pytest.approx([math.log(798 / 898), math.log(798 / 857)])


@pytest.fixture(scope="module")
def stored(computed: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """claims.json, as the stage writes it."""
    path = tmp_path_factory.mktemp("verdicts") / "claims.json"
    path.write_text(computed.model_dump_json(indent=1))
    return path


def test_what_is_stored_is_what_was_computed(computed: Results, stored: Path) -> None:
    assert results.load(stored).model_dump_json() == computed.model_dump_json()
    assert not re.search("NaN|Infinity", stored.read_text())  # which are not JSON
    assert sum(computed.counts.values()) == len(computed.claims) == len(schema.load_claims())


def test_reports_show_verdicts_and_compute_none() -> None:
    computing = r"elu_replication\.claims(\.| import )(statistics|contrasts|verdicts)"
    for path in Path("src/elu_replication/reports").glob("*.py"):
        assert not re.search(computing, path.read_text()), path


def test_every_claim_has_a_verdict_and_its_numbers_are_the_same_everywhere(
    stored: Path, tmp_path: Path
) -> None:
    loaded = results.load(stored)
    report.write(loaded, tmp_path)
    table = pd.read_csv(tmp_path / "claims.csv", keep_default_na=False)
    assert {"id", "statement", "n", "effect", "low", "high", "margin", "verdict", "plan"} <= {*table}
    assert list(table.id) == list(schema.load_claims())
    assert set(table.verdict) <= set(VERDICTS)
    assert (table.reason != "").all()
    decisive = table[table.id.isin([claim.id for claim in loaded.claims if claim.decisive])]
    effects = [claim.decisive.effect for claim in loaded.claims if claim.decisive]
    np.testing.assert_allclose(pd.to_numeric(decisive.effect), effects, rtol=1e-7)
    tests = pd.read_csv(tmp_path / "claim_tests.csv")
    for claim in loaded.claims:  # Holm's smallest p: times the number of readings beside the primary one
        others = [reading for reading in claim.readings[1:] if not math.isnan(reading.p)]
        if others:
            least = min(reading.p for reading in others)
            assert min(r.p_holm for r in others) == pytest.approx(min(1, least * len(others)))
        of_claim = tests[tests.id == claim.id].drop_duplicates("reading")
        np.testing.assert_allclose(of_claim.p_holm, [r.p_holm for r in claim.readings], rtol=1e-6)
    page = (tmp_path / "claims.md").read_text()
    for claim in loaded.claims:
        assert page.count(f"### {claim.id}\n\n**{claim.verdict}.**") == 1
    assert not re.search(r"\b(NUM|DIR|DET|TXT)\b", page)  # ids, which readers need not learn
    missing = table[table.verdict == "not run"]
    assert missing.reason.str.contains("no runs of|no seed").all()  # naming what is missing
    for name in ("claims.csv", "claims.md"):  # the committed verdicts are those of the committed runs
        assert (tmp_path / name).read_text() == (ROOT / "results" / name).read_text(), name
    report.write(loaded, tmp_path / "again")
    for name in ("claims.csv", "claim_tests.csv", "claims.md", "claims.png", "claims.svg"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def explained(claim: results.ClaimResult, computed: Results, verbose: bool) -> list[str]:
    with console.console.capture() as captured:
        command.explain(claim, computed, verbose)
    return captured.get().splitlines()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123456, "0.01235"),
        (-2e-10, "-2e-10"),
        (-3.3e-20, "0"),
        (0.0, "0"),
        (math.inf, "inf"),
        (math.nan, "-"),
    ],
)
def test_a_number_has_four_digits_and_what_rounding_leaves_is_zero(value: float, shown: str) -> None:
    assert columns.number(value) == shown


def test_a_claim_is_explained_on_one_screen_verdict_first(computed: Results) -> None:
    for claim in computed.claims:
        lines = explained(claim, computed, verbose=False)
        assert lines[0] == f"{claim.id}: {claim.verdict}"
        assert lines[2] == f"Why: {claim.reason}."
        assert sum(math.ceil(len(line) / 120) or 1 for line in lines) <= command.MOST_LINES
        if claim.readings:
            title = next(i for i, line in enumerate(lines) if line.startswith("Readings, the worst first"))
            more = next((i for i, line in enumerate(lines) if line.startswith("... and ")), None)
            shown = lines[title + 2 : more][: len(claim.readings)]
            verdicts = [re.split(r"\s{2,}", line.rstrip())[-1] for line in shown]  # one line each
            if more is None:
                assert sorted(verdicts) == sorted(reading.verdict for reading in claim.readings)
            order = [command.WORST_FIRST.index(verdict) for verdict in verdicts]
            if more is None:
                assert order == sorted(order)
            assert sum(line.startswith(command.PRIMARY) for line in shown) == 1


def test_the_90_percent_interval_is_shown_where_equivalence_decides(computed: Results) -> None:
    contrasts = [contrast for claim in computed.claims for contrast in claim.contrasts]
    decided = [contrast for contrast in contrasts if contrast.verdict not in results.UNDECIDED]
    by_equivalence = [contrast for contrast in decided if contrast.reason.startswith("equivalent to")]
    assert {contrast.test for contrast in by_equivalence} == {"t", "sign"}
    for contrast in contrasts:
        interval = contrast.equivalence_interval
        assert (interval is not None) == (contrast in by_equivalence)
        assert ('class="equivalence"' in plots.plot(contrast)) == (contrast in by_equivalence)
        if interval and contrast.test == "t":
            assert interval == pytest.approx(statistics.t_interval([*contrast.values.values()], 0.9), 1e-3)
            assert abs(np.array(interval) - contrast.than).max() <= contrast.margin * 1.001
    thick = [
        line
        for line in forest.forest(computed).axes[0].lines
        if line.get_linewidth() == forest.THICK["linewidth"]
    ]
    shown = [claim for claim in computed.claims if claim.decisive and claim.decisive in by_equivalence]
    assert len(thick) == len(shown)


def test_a_claim_s_data_by_seed_can_be_seen(computed: Results) -> None:
    claim = computed.by_id["C7"]
    lines = "\n".join(explained(claim, computed, verbose=True))
    for contrast in claim.contrasts:
        for seed, value in contrast.values.items():
            assert f"{seed}: {value:.6g}" in lines


@pytest.mark.parametrize("text", ["C7 C8", "c7,8", " 7  C8"])
def test_claims_are_named_in_several_ways(text: str, computed: Results) -> None:
    assert [claim.id for claim in command.named(text, computed)] == ["C7", "C8"]


@pytest.mark.parametrize("text", ["C99", "", "help"])
def test_an_unknown_claim_is_one_line(text: str, computed: Results) -> None:
    with pytest.raises(UserError) as refused:
        command.named(text, computed)
    last = list(computed.by_id)[-1]
    assert str(refused.value) == f"ID={text}: no such claim; ID=C7 is one, and there are C1 to {last}"


def test_a_wrong_id_waits_for_no_library() -> None:
    code = (
        "import sys, elu_replication.commands.claim; sys.exit(any(n in sys.modules for n in sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, "pandas", "scipy", "tensorflow", "matplotlib"])
    assert done.returncode == 0
