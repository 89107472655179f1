"""The findings follow the verdicts: every template says something else where the results do."""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from pydantic import BaseModel

from elu_replication.claims import identification
from elu_replication.claims import results as stored
from elu_replication.claims.results import UNDECIDED, ContrastResult, Interval, Results, Verdict
from elu_replication.commands import replicate
from elu_replication.config import params
from elu_replication.errors import UserError
from elu_replication.reports import findings, overview
from elu_replication.reports.findings import CNN, DROPOUT, FASHION, MLP, Finding, Fitting
from elu_replication.reports.phrases import Pair, digits, find, joint

FITS = {
    "glorot_elu": Fitting("alpha 1"),
    "he_elu": Fitting("alpha 0.1", ("ReLU", "Glorot alpha 0.1")),
    "long_elu": Fitting("alpha 0.1 with dropout 0.25", ("ReLU with dropout 0.25",)),
}
Keep = Callable[[ContrastResult], bool]


@pytest.fixture
def results() -> Results:
    """A copy of the stored results that a test may change."""
    return stored.load()


def put(model: BaseModel, **values: Any) -> None:
    """Change fields of a model of this test's own copy, though models are frozen."""
    model.__dict__.update(values)


def decide(results: Results, name: str, verdict: Verdict, keep: Keep = lambda contrast: True) -> None:
    """Give a claim, its readings and contrasts a verdict: those whose first contrast a test keeps."""
    claim = results.by_id[name]
    put(claim, verdict=verdict)
    for reading in claim.readings:
        if keep(reading.contrasts[0]):
            put(reading, verdict=verdict)
            for contrast in reading.contrasts:
                contrast.verdict = verdict


def move(results: Results, name: str, low: float, high: float) -> None:
    """Give all contrasts of a claim an interval."""
    for contrast in results.by_id[name].contrasts:
        contrast.effect, contrast.interval = (low + high) / 2, Interval(low, high)


def begins(*arms: str) -> Keep:
    """Whether a contrast's first arm begins with one of some names."""
    return lambda contrast: next(iter(contrast.arms)).startswith(arms)


def title(finding: Finding | None) -> str:
    assert finding
    return finding.title


def test_the_article_changed_alpha_only_where_its_curves_say_so(results: Results) -> None:
    decide(results, "C78", "replicated")
    decide(results, "C79", "not replicated")
    assert title(findings.alpha(results, FITS)) == (
        "Of the alphas that the article names, only 1 fits its curve with Glorot, and only 0.1 that with"
        " He (which ReLU and Glorot alpha 0.1 would fit as well): on MNIST, a smaller alpha lowers ELU's"
        " test loss, and He does not"
    )
    alone = {curve: fitting._replace(controls=()) for curve, fitting in FITS.items()}
    assert "that with He: on MNIST" in title(findings.alpha(results, alone))
    assert "fit as well" not in findings.alpha(results, alone).why
    others = {**FITS, "glorot_elu": Fitting("alpha 1", ("He alpha 1",))}
    assert (
        "The curve with Glorot is one that He alpha 1 would fit as well."
        in findings.alpha(results, others).why
    )
    for he, said in (("alpha 0.1", "alpha changed along with"), ("alpha 1", "alpha did not change with")):
        finding = findings.alpha(results, {**FITS, "he_elu": Fitting(he)})
        assert f"only {he.removeprefix('alpha ')} that with He" in finding.title
        assert f"If the article's runs had one of these protocols, {said} the initializer." in finding.why
    assert "do not tell" in title(findings.alpha(results, {}))


@pytest.mark.parametrize("glorot", ["alpha 1", "alpha 0.1"])
def test_a_curve_that_fits_does_not_hide_a_printed_loss_that_does_not(
    results: Results, glorot: str
) -> None:
    decide(results, "C2", "replicated")
    runs = {**FITS, "glorot_elu": Fitting(glorot)}
    assert "Yet" not in findings.alpha(results, runs).why
    arm = f"{CNN}glorot_{'elu1' if glorot == 'alpha 1' else 'elu01'}"
    find(results, "C2", "test_loss", arm)[1].verdict = "not replicated"
    assert "Yet the test loss that it prints with Glorot, 0.0492, lies" in findings.alpha(results, runs).why
    assert f"of a new run of {glorot}." in findings.alpha(results, runs).why


@pytest.mark.parametrize(
    ("by_alpha", "by_he", "expected"),
    [
        ("replicated", "replicated", "lowers ELU's test loss, and so does He"),
        ("replicated", "inconclusive", "lowers ELU's test loss, and no gain from He is shown"),
        ("not replicated", "replicated", "does not lower ELU's test loss, and He lowers it"),
        ("not replicated", "not replicated", "does not lower ELU's test loss, and He does not lower it"),
        ("inconclusive", "not run", "lowers ELU's test loss is undecided, and no gain from He is shown"),
    ],
)
def test_alpha_and_he_are_judged_apart(
    results: Results, by_alpha: Verdict, by_he: Verdict, expected: str
) -> None:
    decide(results, "C78", by_alpha)
    decide(results, "C79", by_he)
    assert title(findings.alpha(results, FITS)).endswith(expected)


def test_he_is_called_needless_only_where_the_claim_fails(results: Results) -> None:
    for verdict, said in (("not replicated", True), ("inconclusive", False)):
        put(results.by_id["C14"], verdict=verdict)
        finding = findings.alpha(results, FITS)
        assert ("He is not necessary" in finding.why) == said
        one, tenth = (
            find(results, "C14", "test_accuracy", f"{CNN}glorot_{elu}")[1] for elu in ("elu1", "elu01")
        )
        needless = "He initialization is not needed for ELU there: with Glorot it reaches an accuracy of"
        reached = f"{needless} {one.effect:.4f} with alpha 1 and {tenth.effect:.4f} with alpha 0.1."
        assert (reached in overview.practice(results)[0]) == said


@pytest.mark.parametrize(
    ("glorot", "he", "expected", "advice"),
    [
        ((0.01, 0.02), (0.01, 0.02), "is higher with either initialization", "take ReLU"),
        ((-0.02, -0.01), (-0.02, -0.01), "is lower with either initialization", "take ELU"),
        (
            *((0.01, 0.02), (-0.02, 0.01)),
            *("is higher with Glorot and not clearly different with He", "do not decide"),
        ),
        ((-1, 1), (-1, 1), "is not clearly different with either initialization", "do not decide"),
    ],
)
def test_the_cnn_has_the_side_of_the_intervals(
    results: Results, glorot: tuple[float, float], he: tuple[float, float], expected: str, advice: str
) -> None:
    def why(results: Results) -> str:
        finding = findings.cnn(results)
        assert finding
        return finding.why

    move(results, "C3", *glorot)
    move(results, "C7", *he)
    accuracies = findings.minus_relu(results, "test_accuracy")
    for reading, contrast in accuracies:
        put(reading, adjusted="not replicated")
        contrast.interval = Interval(-0.01, 0.01)
    means = [f"{sum(ends) / 2:+.4f}" for ends in (glorot, he)]
    assert f"{expected} ({means[0]} with Glorot, {means[1]} with He); its" in title(findings.cnn(results))
    effects = [f"{contrast.effect:+.4f}" for _, contrast in accuracies]
    unclear = f"is not clearly different ({effects[0]} with Glorot, {effects[1]} with He)"
    assert title(findings.cnn(results)).endswith(unclear)
    assert advice in overview.practice(results)[0]
    relu = find(results, "C1", "test_loss", f"{CNN}glorot_relu").contrast.effect
    size = f"({means[0]} with Glorot, {means[1]} with He; ReLU's is {relu:.4f} with Glorot)"
    assert (size in overview.practice(results)[0]) == (advice != "do not decide")
    for _, contrast in accuracies:  # a loss and an accuracy that speak against one another decide nothing
        contrast.interval = Interval(*((0.01, 0.02) if advice == "take ReLU" else (-0.02, -0.01)))
    assert "do not decide" in overview.practice(results)[0]
    assert unclear not in title(findings.cnn(results))
    assert "Holm" not in why(results)
    for reading, _ in accuracies:  # nor does an accuracy that no test shows after Holm's adjustment
        put(reading, verdict="replicated", adjusted="inconclusive", p_holm=0.0571)
    assert advice in overview.practice(results)[0]
    assert title(findings.cnn(results)).endswith(unclear)
    for init in ("Glorot", "He"):
        assert f"With {init} this interval excludes zero, but after Holm's" in why(results)
    assert "p is 0.057." in why(results)
    put(accuracies[1][0], verdict="inconclusive", p_holm=math.nan)  # that is not the adjustment's doing
    assert "With He this interval" not in why(results)


@pytest.mark.parametrize(
    ("far", "expected"),
    [
        ((), "with Glorot and with He, both its scores are close to ReLU's (within margins)."),
        (("glorot",), "alpha 1; with He, both its scores are close to"),
        (("he",), "alpha 1; with Glorot, both its scores are close to"),
        (("glorot", "he"), "gives a lower test loss than alpha 1."),
    ],
)
@pytest.mark.parametrize("metric", ["test_loss", "test_accuracy"])
def test_elu_with_alpha_0_1_is_called_close_to_relu_where_both_scores_are(
    results: Results, far: tuple[str, ...], expected: str, metric: str
) -> None:
    decide(results, "C78", "replicated")
    for contrast in (contrast for claim in results.claims for contrast in claim.contrasts):
        for init in ("glorot", "he"):
            if [*contrast.arms] == [f"{CNN}{init}_elu01", f"{CNN}{init}_relu"]:
                put(contrast, p_equivalence=0.06 if init in far and contrast.metric == metric else 0.04)
    assert expected in overview.practice(results)[0]


def run(results: Results, *pairs: Pair) -> None:
    """Let contrasts have six seeds, and readings that the adjustment leaves decided."""
    for reading, contrast in pairs:
        put(reading, adjusted="replicated")
        put(contrast, values=dict.fromkeys(range(100, 106), contrast.effect))


@pytest.mark.parametrize(
    ("there", "on_mnist", "expected"),
    [
        ((0.01, 0.02), (0.01, 0.02), "is higher with either initialization, as on MNIST"),
        ((-0.02, -0.01), (-0.02, -0.01), "is lower with either initialization, as on MNIST"),
        (
            *((-0.02, 0.01), (0.01, 0.02)),
            "is not clearly different with either initialization; on MNIST it is higher with either",
        ),
    ],
)
def test_other_images_are_compared_with_mnist(
    results: Results, there: tuple[float, float], on_mnist: tuple[float, float], expected: str
) -> None:
    losses = findings.minus_relu(results, "test_loss", FASHION)
    for _, contrast in losses:
        put(contrast, values={})
    assert findings.fashion(results) is None
    assert "is of MNIST alone, of these networks" in overview.practice(results)[-1]
    for name in ("C3", "C7"):
        move(results, name, *on_mnist)
    for name in ("C75", "C77"):
        move(results, name, *there)
    run(results, *losses, *findings.minus_relu(results, "test_loss"))
    for verdict, said in (("replicated", "lowers"), ("not replicated", "does not lower")):
        decide(results, "C78", verdict)
        assert f"; a smaller alpha {said} ELU's test loss on these images" in title(
            findings.fashion(results)
        )
    decide(results, "C78", "inconclusive")
    assert title(findings.fashion(results)).endswith("on these images is undecided")
    assert expected in title(findings.fashion(results))
    of_cnn, _, limits = overview.practice(results)
    assert expected in of_cnn
    assert "is of MNIST and, for the CNN, of Fashion-MNIST" in limits


def alike_arms(contrast: ContrastResult) -> bool:
    """Whether a contrast is of ELU with alpha 0.1 and ReLU at equal dropout rates."""
    arms = tuple(name.partition("-")[2] for name in contrast.arms)
    return arms in {("elu01_d50", "relu_d50"), ("he_elu01", "he_relu")}


def test_dropout_is_the_reason_only_where_equal_rates_differ_from_the_published_ones(
    results: Results,
) -> None:
    decide(results, "C11", "not replicated")
    seen, _ = find(results, "C11", "validation_area", f"{CNN}he_elu01", f"{DROPOUT}relu_d50")
    put(seen, verdict="replicated")
    assert (
        "only alpha 0.1 with dropout 0.25 fits the beginning of its 250-epoch curve (which ReLU with"
        in title(findings.dropout(results, FITS))
    )
    assert title(findings.dropout(results, FITS)).endswith(
        "at equal rates its validation loss falls no faster"
    )
    assert "no faster" in title(findings.dropout(results, {}))
    decide(results, "C11", "replicated", lambda contrast: contrast.metric == "train_area")
    ends = "its training loss falls faster, but its validation loss falls no faster"
    assert title(findings.dropout(results, FITS)).endswith(ends)
    for contrast in results.by_id["C11"].contrasts:  # of alpha 1 and of unequal rates no number is said
        elu = next(iter(contrast.arms)).partition("-")[2]
        alike = alike_arms(contrast)
        if contrast.metric == "validation_area":
            rate = -0.002 if elu == "elu01_d50" else -0.001
            contrast.verdict, contrast.effect = "replicated", rate if alike else -0.5
            contrast.interval = Interval(-1, 1)
        elif alike:
            contrast.reason = "equivalent to 0 within 1, the 90% interval being [0, 0]"
    begin = "its validation loss is lower by only 0.0010 to 0.0020 on average over epochs 1 to 15"
    begin += ", and reaches 0.05"
    assert title(findings.dropout(results, FITS)).endswith(f"{begin} within an epoch of ReLU's")
    for (init, elu, relu), loss in (
        ((DROPOUT, "elu1_d50", f"{DROPOUT}relu_d50"), 0.03),
        ((f"{CNN}he_", "elu1", f"{CNN}he_relu"), 0.01),
    ):
        _, contrast = find(results, "C11", "validation_area", f"{init}{elu}", relu)
        contrast.effect, contrast.interval = loss, Interval(loss / 2, 2 * loss)
    higher = "; with alpha 1 it is higher by 0.0100 to 0.0300"
    assert title(findings.dropout(results, FITS)).endswith(f"{begin} within an epoch of ReLU's{higher}")
    contrast.interval = Interval(-1, 1)  # at one of the rates it is not
    of_epochs = next(
        c for c in results.by_id["C11"].contrasts if c.metric.startswith("epochs") and alike_arms(c)
    )
    of_epochs.reason = "the interval [1, 2] is wholly above 0"
    assert title(findings.dropout(results, FITS)).endswith(f"{begin} no earlier than ReLU's")
    decide(results, "C11", "replicated")
    assert "falls faster than ReLU's" in title(findings.dropout(results, FITS))
    decide(results, "C11", "inconclusive")
    assert "undecided" in title(findings.dropout(results, FITS))


def test_the_mlp_is_judged_by_optimizer(results: Results) -> None:
    sgd, adam = begins(f"{MLP}sgd_elu"), begins(f"{MLP}adam_elu")
    decide(results, "C43", "replicated", sgd)
    decide(results, "C43", "inconclusive", adam)
    assert re.search(
        r"by .* percentage points in (\d) of \1 readings in which networks learn; with Adam no difference",
        title(findings.mlp(results)),
    )
    assert "choose ELU" in " ".join(overview.practice(results))
    primary = results.by_id["C43"].contrasts[0]
    primary.verdict, gain = "inconclusive", f"{100 * primary.effect:.2f}"
    for text in (title(findings.mlp(results)), " ".join(overview.practice(results))):
        assert f"learn, but in the primary one by {gain} percentage points, which is inconclusive" in text
    assert "choose ELU" not in " ".join(overview.practice(results))
    primary.verdict = "replicated"
    decide(results, "C43", "replicated", adam)
    assert re.search(r"with Adam in (\d) of \1$", title(findings.mlp(results)))
    decide(results, "C43", "not replicated", adam)
    assert "with Adam it is not more accurate" in title(findings.mlp(results))
    decide(results, "C43", "inconclusive", sgd)
    assert "not shown to be more accurate" in title(findings.mlp(results))
    assert "no gain in accuracy from ELU is shown" in " ".join(overview.practice(results))
    decide(results, "C43", "replicated")
    for contrast in results.by_id["C43"].contrasts:
        contrast.sd = 0.001  # now there is a difference from seed to seed in each reading
    assert re.search(r"in (\d) of \1 readings; with Adam", title(findings.mlp(results)))
    for contrast in results.by_id["C43"].contrasts:
        contrast.values = {}
    assert findings.mlp(results) is None


def test_a_score_that_no_claim_is_about_is_named(results: Results) -> None:
    silent = "No claim is about this network's test loss."
    assert silent in overview.practice(results)[1]
    results.by_id["C43"].contrasts[-1].metric = "test_loss"
    assert silent not in overview.practice(results)[1]


@pytest.mark.parametrize(("seed", "said"), [(0, True), (100, False)])
def test_advice_from_exploration_is_called_so(results: Results, seed: int, said: bool) -> None:
    for contrast in results.by_id["C43"].contrasts:
        put(contrast, values=dict.fromkeys(range(seed, seed + 6), 0.01))
    assert ("rests on exploration so far" in overview.practice(results)[1]) == said


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("replicated", "The student report's three accuracies replicate"),
        ("not replicated", "At least one of the student report's three accuracies does not replicate"),
        ("protocol-dependent", "replicate in 2 of 11 readings"),
        ("inconclusive", "is undecided"),
    ],
)
def test_the_accuracies_have_the_verdict_of_their_claim(
    results: Results, verdict: Verdict, expected: str
) -> None:
    claim = results.by_id["C42"]
    assert claim.pattern
    put(claim, verdict=verdict)
    put(claim.pattern, readings=11, holds=2, fails=9)
    assert expected in title(findings.accuracies(results))


def test_sigmoid_is_reported_where_no_protocol_is_undecided(results: Results) -> None:
    decide(results, "C42", "not replicated")
    decide(results, "C46", "replicated")
    assert "none of 8 protocols gives both" in title(findings.sigmoid(results))
    decide(results, "C42", "replicated")
    assert "8 of 8 protocols give both" in title(findings.sigmoid(results))
    decide(results, "C46", "inconclusive")
    assert findings.sigmoid(results) is None


@pytest.mark.parametrize(
    ("sgd", "adam", "expected"),
    [
        ("replicated", "replicated", "nearer zero than ReLU's with SGD and with Adam"),
        ("replicated", "not replicated", "with SGD, but not with Adam"),
        ("not replicated", "not replicated", "are not nearer zero"),
        ("inconclusive", "not replicated", "depends on the protocol"),
    ],
)
def test_activations_are_judged_by_optimizer(
    results: Results, sgd: Verdict, adam: Verdict, expected: str
) -> None:
    decide(results, "C23", sgd, begins(f"{MLP}sgd_elu"))
    decide(results, "C23", adam, begins(f"{MLP}adam_elu"))
    assert expected in title(findings.activations(results))


def test_what_is_said_of_the_cnn_s_activations_counts_in_what_the_finding_rests_on(
    results: Results,
) -> None:
    finding = findings.activations(results)
    assert finding
    of_cnn = [row for row in finding.rows if next(iter(row.contrast.arms)).startswith(CNN)]
    readings = re.search(
        r"in the article's CNN, trained by Adam, they are in \d of (\d) readings$", finding.title
    )
    assert readings
    assert len(of_cnn) == int(readings[1])
    most = max(row.contrast.n for row in of_cnn)
    assert re.search(rf"\b{most} ", findings.rests_on(finding, results))


def test_times_are_reported_only_where_measurements_decide(results: Results) -> None:
    decide(results, "C44", "inconclusive")
    assert findings.epoch(results) is None
    decide(results, "C44", "not replicated")
    assert title(findings.epoch(results)) == "An epoch of ELU is not faster than one of ReLU"
    decide(results, "C44", "replicated")
    assert title(findings.epoch(results)) == "An epoch of ELU is faster than one of ReLU"


def test_single_runs_are_counted_against_what_all_seeds_reject(results: Results) -> None:
    directed = [c for claim in results.published for c in claim.contrasts if c.directed and c.n > 1]
    for contrast in directed:
        contrast.single_run_share = 0.25
        if len(contrast.arms) == 1:  # a level is no comparison of two runs
            contrast.single_run_share = 1
    assert "still shows it in 25% of cases on average" in title(findings.single_runs(results))
    for contrast in directed:
        contrast.verdict = "replicated"
    assert findings.single_runs(results) is None


def of_seeds(results: Results, first: int) -> None:
    """Give every contrast that has runs six seeds from `first` on."""
    for contrast in (contrast for claim in results.claims for contrast in claim.contrasts if contrast.n):
        put(contrast, values=dict.fromkeys(range(first, first + 6), contrast.effect))


@pytest.mark.parametrize(
    ("first", "evidence", "expected"),
    [
        (100, "fresh seeds", "All verdicts on runs come from fresh seeds"),
        (0, "exploration; fresh seeds: 0 of 12", "Today's verdicts on runs come from exploration"),
    ],
)
def test_the_page_says_whether_verdicts_were_planned(
    results: Results, first: int, evidence: str, expected: str
) -> None:
    of_seeds(results, first)
    for claim in results.claims:
        put(claim, evidence=evidence if claim.evidence else "")
    assert expected in overview.evidence(results)
    kind = "fresh seeds" if first else "seeds, exploration"
    for finding in findings.findings(results, FITS):
        assert re.fullmatch(rf"(\d+|all) {kind}", finding.rests_on)
        assert ("planned fresh seeds" in finding.changes_with) <= (not first)


def test_claims_are_counted_by_what_their_verdicts_rest_on(results: Results) -> None:
    of_seeds(results, 0)
    ran = [claim for claim in results.claims if claim.decided_by == "runs"]
    timed = [claim for claim in ran if not claim.evidence]
    fresh, partly, explored, *others = (
        claim for claim in ran if claim.evidence and claim.leading.decisive.n
    )
    put(fresh, evidence="fresh seeds")
    put(partly, evidence="fresh seeds; other readings: exploration; fresh seeds: 0 of 6")
    put(explored, evidence="exploration; fresh seeds: 0 of 6")
    for claim in others:
        put(claim, evidence="exploration; fresh seeds: 0 of 6", readings=[])
    waiting = len(ran) - len(timed) - 3
    said = overview.evidence(results)
    own = sum(set(claim.sources) == {"R"} for claim in ran)
    assert said.startswith(
        f"Of the {len(ran)} claims that runs decide ({own} of them this project's own), "
    )
    assert (
        "), 2 are judged by fresh seeds (1 of them in the primary reading alone), 1 by exploration" in said
    )
    assert (
        f"; {len(timed)} wait for measurements of time and {waiting} wait for runs. The rules (ver" in said
    )
    for contrast in explored.contrasts:  # fresh seeds that wait for a part without runs
        put(contrast, values={100: contrast.effect})
    said = overview.evidence(results)
    assert "xploration" not in said
    assert said.endswith(f"and {waiting + 1} wait for runs.")


def test_a_finding_on_one_experiment_with_fresh_seeds_is_no_exploration(results: Results) -> None:
    of_seeds(results, 0)
    alpha = next(finding for finding in findings.findings(results, FITS) if finding.name == "alpha")
    assert alpha.rests_on == "6 seeds, exploration"
    for row in alpha.rows[:2]:
        put(find(results, "C78", row.contrast.metric, *row.contrast.arms)[1], values={100: 0.0, 101: 0.0})
    alpha = next(finding for finding in findings.findings(results, FITS) if finding.name == "alpha")
    assert alpha.rests_on == "2 to 6 seeds, exploration in part"


def test_a_finding_on_times_rests_on_measurements(results: Results) -> None:
    decide(results, "C44", "replicated")
    (shown,) = [f for f in findings.findings(results, FITS) if f.name == "epoch"]
    assert re.fullmatch(r"\d+ measurements", shown.rests_on)


@pytest.mark.parametrize(
    ("judged", "changed", "expected"),
    [
        (0, 0, "None of the {n} exploratory verdicts on claims that runs decide has been tested on fresh"),
        (4, 0, "4 of 4 exploratory verdicts stood on fresh seeds; {rest} wait for theirs."),
        (
            4,
            1,
            "3 of 4 exploratory verdicts stood on fresh seeds; {name} did not; {rest} wait for theirs.",
        ),
        (None, 0, "{n} of {n} exploratory verdicts stood on fresh seeds."),
    ],
)
def test_how_many_exploratory_verdicts_stood(
    results: Results, judged: int | None, changed: int, expected: str
) -> None:
    before = overview.explored()
    ran = [claim for claim in results.claims if claim.decided_by == "runs" and claim.id in before]
    by_runs = [claim for claim in ran if before[claim.id] not in UNDECIDED]
    for claim in ran:
        put(claim, evidence="exploration")
    for place, claim in enumerate(by_runs):
        fresh = judged is None or place < judged
        put(claim, verdict=before[claim.id], evidence="fresh seeds" if fresh else "exploration")
    for claim in by_runs[:changed]:
        put(claim, verdict="not run")
    said = overview.stood(results, before)
    first = by_runs[0]
    rest = len(by_runs) - (judged or 0)
    assert said.startswith(expected.format(n=len(by_runs), rest=rest, name=first.id))
    assert "left undecided" not in said


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), "."),
        (("inconclusive",), " Fresh seeds decide none of 1 that exploration left undecided."),
        (
            ("replicated", "inconclusive", "not replicated"),
            " Fresh seeds decide 2 of 3 that exploration left undecided: {0} and {2}.",
        ),
    ],
)
def test_which_claims_that_exploration_left_undecided_fresh_seeds_decide(
    results: Results, verdicts: tuple[Verdict, ...], expected: str
) -> None:
    before = overview.explored()
    ran = [claim for claim in results.claims if claim.decided_by == "runs" and claim.id in before]
    for claim in ran:
        put(claim, evidence="exploration" if before[claim.id] in UNDECIDED else "fresh seeds")
    left = [claim for claim in ran if before[claim.id] in UNDECIDED]
    for claim, verdict in zip(left, verdicts, strict=False):
        put(claim, evidence="fresh seeds", verdict=verdict)
    said = overview.stood(results, before)
    assert said.endswith(expected.format(*(claim.id for claim in left)))
    assert ("left undecided" in said) == bool(verdicts)


def test_the_exploratory_verdicts_that_stood_are_counted_in_readme_and_terminal(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    said = overview.stood(results, overview.explored())
    assert said in overview.overview(results)
    replicate.conclude(params.read(), everything=True)
    assert said in capsys.readouterr().out


def test_without_runs_there_is_nothing_to_find(results: Results) -> None:
    for claim in results.claims:
        for contrast in claim.contrasts:
            put(contrast, values={}, verdict="not run")
        for reading in claim.readings:
            put(reading, verdict="not run")
    present = findings.findings(results, {})
    assert {finding.name for finding in present} == {"alpha", "dropout"}
    assert all("undecided" in finding.title for finding in present)


def sentences(each: Iterable[Finding]) -> list[str]:
    return [finding.title for finding in each]


def test_five_to_eight_findings_come_of_the_stored_results(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    present = findings.findings(results, findings.fits())
    assert 5 <= len(present) <= findings.MOST
    assert all(name in results.by_id for finding in present for name in finding.claims)
    text = overview.overview(results)
    replicate.conclude(params.read(), everything=True)
    printed = capsys.readouterr().out
    assert printed.count("\n") <= 25
    for sentence in sentences(present):
        assert sentence in text
        assert sentence in printed
    for claim in results.published:
        holds = claim.decided_by == "runs" and claim.verdict == "replicated"
        assert (
            bool(re.search(rf"^- {claim.id} \((fresh seeds|exploration|measurements).*?\): ", text, re.M))
            == holds
        )


@pytest.mark.parametrize(
    ("number", "sign", "expected"),
    [
        (0.00012, "", "0.0001"),
        (-3e-5, "", "-0.00003"),
        (4.2e-7, "+", "+0.0000004"),
        (0.0, "", "0.0000"),
        (0.25, "+", "+0.2500"),
    ],
)
def test_only_zero_is_printed_as_zero(number: float, sign: str, expected: str) -> None:
    assert digits(number, sign) == expected


@pytest.mark.parametrize(
    ("interval", "adjusted", "said"),
    [
        ((0.001, 0.01), "not replicated", "dropout helps it."),
        ((-0.01, -0.001), "replicated", "dropout hampers it."),
        ((-0.01, 0.01), "inconclusive", ""),
        ((0.001, 0.01), "inconclusive", ""),
        ((0.0001, 0.0009), "not replicated", ""),  # within the margin
    ],
)
def test_dropout_helps_or_hampers_only_where_a_reading_says_so(
    results: Results, interval: tuple[float, float], adjusted: Verdict, said: str
) -> None:
    reading, contrast = find(results, "C17", "test_loss", f"{DROPOUT}elu1_d0", f"{DROPOUT}elu1_d25")
    put(reading, adjusted=adjusted)
    contrast.interval, contrast.effect = Interval(*interval), sum(interval) / 2
    finding = findings.dropout(results, FITS)
    assert finding.why.endswith(said)
    assert ("without dropout" in finding.why) == bool(said) == ("C17" in finding.claims)


def test_identified_protocols_are_those_of_the_identification() -> None:
    results = identification.identifications()
    labels = {name: result.identified.label for name, result in results.items() if result.identified}
    fitting = findings.fits()
    assert {name: fit.identified for name, fit in fitting.items() if fit.identified} == labels
    for name, result in results.items():
        controls = tuple(c.label for c in result.controls if c.judged and not c.excluded)
        assert fitting[name].controls == controls
    assert findings.fits(ROOT / "no such file") == {}


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "claim,version_2\nC1\n", "\x00"])
def test_a_damaged_table_of_exploration_is_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "exploration.csv"
    path.write_text(text)
    monkeypatch.setattr(overview, "EXPLORED", path)
    with pytest.raises(UserError, match=r"exploration.csv: damaged; `git checkout .*` brings it back"):
        overview.explored()


def test_a_claim_without_the_contrast_of_a_finding_is_an_error(results: Results) -> None:
    results.by_id["C3"].readings.clear()
    with pytest.raises(LookupError, match="C3 has no contrast of test_loss"):
        findings.cnn(results)


def test_verdicts_join_as_one() -> None:
    def of(*verdicts: Verdict) -> str:
        parts = stored.load().by_id["C3"].readings[: len(verdicts)]
        for part, verdict in zip(parts, verdicts, strict=True):
            put(part, verdict=verdict)
        return joint(parts)

    assert (of("replicated", "replicated"), of("not replicated")) == ("holds", "fails")
    assert {of("replicated", "not replicated"), *map(of, UNDECIDED)} == {"undecided"}
