"""The rules: what each outcome of a test makes of a claim, and how often chance alone "replicates"."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from elu_replication.claims import contrasts, results
from elu_replication.claims.contrasts import LEAST_PAIRS, LEAST_RUNS, evaluate
from elu_replication.claims.results import ClaimResult, ContrastResult, Finding, ReadingResult, Verdict
from elu_replication.claims.schema import Claim, Contrast
from elu_replication.claims.verdicts import combined, conclude, read
from elu_replication.reports.columns import NUMBERS, of_claim

TWO = {"asu_mlp-sgd_elu": 1.0, "asu_mlp-sgd_relu": -1.0}


def direction(expect: str = "higher", **fields: object) -> Contrast:
    return Contrast.model_validate({"metric": "test_accuracy", "arms": TWO, "expect": expect, **fields})


def value(published: float) -> Contrast:
    fields = {"metric": "test_accuracy", "arms": {"asu_mlp-sgd_elu": 1.0}, "published": published}
    return Contrast.model_validate(fields)


def judged(contrast: Contrast, values: Sequence[float]) -> Verdict:
    return contrasts.judge(contrast, dict(enumerate(values)))[0]


def compared(values: Sequence[float], expect: str = "higher", **fields: object) -> ContrastResult:
    return evaluate(direction(expect, **fields), dict(enumerate(values)))


def number(values: Sequence[float], published: float) -> ContrastResult:
    return evaluate(value(published), dict(enumerate(values)))


@pytest.mark.parametrize(
    ("values", "expect", "verdict"),
    [
        ([0.004, 0.005, 0.006] * 2, "higher", "replicated"),
        ([0.004, 0.005, 0.006] * 2, "lower", "not replicated"),
        ([-0.004, -0.005, -0.006] * 2, "lower", "replicated"),
        ([0.0001, -0.0001, 0.0002, 0.0, -0.0002, 0.0001], "higher", "not replicated"),
        ([0.0001, -0.0001, 0.0002, 0.0, -0.0002, 0.0001], "equal", "replicated"),
        ([0.004, 0.005, 0.006] * 2, "equal", "not replicated"),
        ([0.004, -0.005, 0.006] * 2, "higher", "inconclusive"),
        ([0.004, -0.005, 0.006] * 2, "equal", "inconclusive"),
        ([0.004], "higher", "inconclusive"),
        ([0.004, 0.005, 0.006, 0.004, 0.005], "higher", "inconclusive"),  # as sure as it looks: too few
        ([], "higher", "not run"),
        ([0.0] * 6, "higher", "not replicated"),
        ([1.0] * 5, "higher", "inconclusive"),
        ([1.0] * 6, "higher", "replicated"),
    ],
)
def test_a_direction(values: list[float], expect: str, verdict: Verdict) -> None:
    assert compared(values, expect).verdict == verdict


def test_a_small_difference_on_the_claimed_side_says_that_it_is_small() -> None:
    result = compared([0.0002, 0.00021, 0.00022, 0.00019, 0.0002, 0.00021])
    assert result.verdict == "replicated"
    assert result.reason.endswith("is wholly above 0, though within the margin of 0.001")


def test_an_equivalence_is_told_with_the_interval_that_shows_it() -> None:
    result = compared([0.0012, -0.0005, 0.001, -0.0007, 0.0008, -0.0003])
    assert result.interval.high > result.margin == 0.001  # the 95% interval does not show it
    values = [*result.values.values()]
    high = np.mean(values) + stats.t.ppf(0.95, 5) * stats.sem(values)
    assert high < 0.001
    assert result.verdict == "not replicated"
    assert result.reason.endswith(f", {high:.4g}]")


def test_a_value_far_outside_is_told_by_how_much() -> None:
    values = [0.97, 0.98, 0.96, 0.97, 0.97]
    assert "7.1 SDs from the mean, too wide" in number(values, 0.92).reason  # 0.05 / 0.00707


def test_a_direction_may_be_against_a_value() -> None:
    assert compared([0.95, 0.96, 0.955] * 2, "higher", than=0.9).verdict == "replicated"
    assert compared([0.85, 0.86, 0.855] * 2, "higher", than=0.9).verdict == "not replicated"
    close = [0.9001, 0.8999, 0.9002] * 2
    assert compared(close, "higher", than=0.9).verdict == "inconclusive"  # two arms would be equivalent


def test_seeds_needed_are_never_fewer_than_a_verdict_takes() -> None:
    assert compared([0.004]).seeds_needed == LEAST_PAIRS
    assert compared([0.004, 0.005, 0.006]).seeds_needed == LEAST_PAIRS
    assert compared([0.004, 0.005, 0.006] * 2).seeds_needed is None
    assert number([0.99], 0.99).seeds_needed == LEAST_RUNS
    assert number([0.9895, 0.9905] * 3, 0.99).seeds_needed is None
    assert number([0.9889, 0.9911] * 3, 0.99).seeds_needed == 9


def test_a_seed_that_diverged_is_needed_again() -> None:
    arms = {"mlp_learning_rate-elu_05": 1.0}  # of which one seed is stored
    assert compared([0.004, 0.005, 0.006], arms=arms).seeds_needed == LEAST_PAIRS + 1


@pytest.mark.parametrize(
    ("values", "published", "verdict"),
    [
        ([0.99, 0.9905, 0.991, 0.9895, 0.9902], 0.9903, "replicated"),
        ([0.99, 0.9905, 0.991, 0.9895, 0.9902], 0.95, "not replicated"),
        ([0.99, 0.9905, 0.991, 0.9895], 0.9903, "inconclusive"),
        ([0.9, 0.95, 0.99, 0.92, 0.93], 0.93, "inconclusive"),
        ([], 0.93, "not run"),
    ],
)
def test_a_published_value(values: list[float], published: float, verdict: Verdict) -> None:
    assert number(values, published).verdict == verdict


def outcome(*readings: ReadingResult, findings: Sequence[Finding] = (), **fields: object) -> ClaimResult:
    tests = {"reading": [{"metric": "test_loss", "arms": TWO, "expect": "lower"}]}
    claim = {"sources": {"M": "-"}, "statement": "-", "kind": "DIR", "readings": tests, **fields}
    return conclude("C1", "group", Claim.model_validate(claim), list(readings), list(findings))


UP, DOWN, OPEN = [0.004, 0.005, 0.006] * 2, [-0.004, -0.005, -0.006] * 2, [0.004, -0.005, 0.006] * 2
NONE: list[float] = []


@pytest.mark.parametrize(
    ("readings", "verdict"),
    [
        ([[UP]], "replicated"),
        ([[UP, DOWN]], "not replicated"),  # all tests of a reading must hold
        ([[UP, OPEN]], "inconclusive"),
        ([[DOWN, NONE]], "not replicated"),
        ([[UP], [DOWN]], "protocol-dependent"),
        ([[UP], [OPEN]], "replicated"),
        ([[OPEN], [UP]], "inconclusive"),
        ([[NONE], [UP]], "inconclusive"),  # the primary reading has no runs
        ([[NONE], [UP], [DOWN]], "protocol-dependent"),
        ([[NONE], [NONE]], "not run"),
    ],
)
def test_readings_together(readings: list[list[list[float]]], verdict: Verdict) -> None:
    result = outcome(*(read(str(i), [compared(v) for v in values]) for i, values in enumerate(readings)))
    assert result.verdict == verdict
    assert result.leading is not None
    assert result.decisive is not None
    assert result.decisive.verdict == result.leading.verdict


def test_numbers_of_another_reading_are_marked() -> None:
    primary, other = (read(name, [compared(values)]) for name, values in (("1", NONE), ("2", UP)))
    assert not outcome(other, primary).beside_primary
    assert outcome(primary, other).beside_primary
    shown = next(of_claim(column) for column in NUMBERS if column.key == "effect")
    assert shown.show(outcome(primary, other)).endswith("] (other reading)")


def test_a_reason_tells_of_the_readings_that_are_not_decided() -> None:
    readings = [read(str(i), [compared(values)]) for i, values in enumerate((UP, OPEN, NONE, NONE))]
    assert outcome(*readings).reason.endswith("1 other reading inconclusive. 2 other readings not run")
    assert outcome(*readings[::-1]).reason.endswith(
        "is not run. 1 other reading not run. 1 other reading replicated"
    )


def test_mathematics_decides_alone_or_with_runs_as_the_claim_s_kind_says() -> None:
    right, wrong = Finding("a", "1", 1.0, True), Finding("b", "1", 2.0, False)
    up, down = read("up", [compared(UP)]), read("down", [compared(DOWN)])
    alone = {"kind": "DET", "check": "sigmoid_slope"}
    assert outcome(findings=[right], **alone).verdict == "replicated"
    assert outcome(findings=[right, wrong], **alone).verdict == "not replicated"
    beside = outcome(down, findings=[right], **alone)
    assert (beside.verdict, beside.decisive) == ("replicated", None)
    assert "measured as well, without deciding it, down" in beside.reason.lower()
    assert outcome(up, findings=[right]).verdict == "replicated"
    assert outcome(up, findings=[wrong]).verdict == "not replicated"
    assert outcome(down, findings=[right]).verdict == "not replicated"


def test_mathematics_and_texts_may_have_readings() -> None:
    narrow, wide = Finding("a", "1", 1.0, True, "narrow"), Finding("b", "1", 2.0, False, "wide")
    alone = {"kind": "DET", "check": {"wide": "sigmoid_slope", "narrow": "sigmoid_slope"}}
    assert outcome(findings=[wide, narrow], **alone).verdict == "protocol-dependent"
    assert outcome(findings=[narrow], **alone).verdict == "replicated"
    passage = {"source": "M", "place": "-", "says": "-"}
    text = {"kind": "TXT", "passages": [passage, passage], "readings": {}}
    assert outcome(**text, agreement={"wide": "contradicted", "narrow": "agrees"}).verdict == (
        "protocol-dependent"
    )
    assert outcome(**text, agreement={"wide": "unsupported", "narrow": "contradicted"}).verdict == (
        "not replicated"
    )
    assert outcome(**text, agreement="not testable").verdict == "not testable"


def test_a_single_run_is_judged_as_the_sources_do() -> None:
    assert compared([0.1, 0.2, -0.1, 0.3]).single_run_share == 0.75
    assert compared([0.1, 0.2, -0.1, 0.3], "lower").single_run_share == 0.25
    assert compared([0.0005, 0.002], "equal").single_run_share == 0.5
    assert number([0.9905, 0.95], 0.99).single_run_share == 0.5


def test_combined_takes_the_worst() -> None:
    assert combined(["replicated", "protocol-dependent"]) == "protocol-dependent"
    assert combined([]) == "replicated"


STUDIES = 2000


@pytest.mark.parametrize("n", [6, 10])
def test_chance_alone_replicates_a_direction_no_more_often_than_nominal(n: int) -> None:
    """With no true effect, the interval lies on the claimed side in 2.5% of studies; three standard
    errors of 2,000 studies are allowed for."""
    generator = np.random.default_rng(n)
    studies = generator.normal(0.0, 0.002, (STUDIES, n))
    rate = np.mean([judged(direction(), study) == "replicated" for study in studies])
    assert rate <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / STUDIES)


def test_chance_alone_equates_what_is_a_margin_apart_no_more_often_than_nominal() -> None:
    generator = np.random.default_rng(0)
    studies = generator.normal(0.001, 0.0005, (STUDIES, 6))
    rate = np.mean([judged(direction("equal"), study) == "replicated" for study in studies])
    assert rate <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES)


def test_a_new_run_of_the_same_protocol_is_replicated_in_95_of_100_studies() -> None:
    generator = np.random.default_rng(1)
    studies = generator.normal(0.99, 0.0006, (STUDIES, 7))
    verdicts = [judged(value(float(study[6])), study[:6]) for study in studies]
    decided = [verdict for verdict in verdicts if verdict != "inconclusive"]
    assert decided.count("replicated") / len(decided) == pytest.approx(0.95, abs=0.015)


def test_counts_name_every_verdict() -> None:
    claims = [outcome(read("up", [compared(UP)])), outcome(read("down", [compared(DOWN)]))]
    assert results.counts(claims) == {
        "replicated": 1,
        "not replicated": 1,
        "protocol-dependent": 0,
        "inconclusive": 0,
        "not run": 0,
        "not testable": 0,
    }
