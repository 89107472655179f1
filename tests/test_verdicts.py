"""The rules: what each outcome of a test makes of a claim, and how often chance alone "replicates"."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from elu_replication import verdicts
from elu_replication.claims import Claim, Comparison
from elu_replication.mathematics import Finding
from elu_replication.verdicts import Chosen, Compared, Outcome, Verdict, combined

TWO = {"asu_mlp-sgd_elu": 1.0, "asu_mlp-sgd_relu": -1.0}


def compared(values: Sequence[float], expect: str = "higher", **fields: object) -> Compared:
    test = Comparison.model_validate({"metric": "test_accuracy", "arms": TWO, "expect": expect, **fields})
    return Compared(test, dict(enumerate(values)))


def number(values: Sequence[float], published: float) -> Compared:
    fields = {"metric": "test_accuracy", "arms": {"asu_mlp-sgd_elu": 1.0}, "published": published}
    return Compared(Comparison.model_validate(fields), dict(enumerate(values)))


@pytest.mark.parametrize(
    ("values", "expect", "verdict"),
    [
        ([0.004, 0.005, 0.006], "higher", "replicated"),
        ([0.004, 0.005, 0.006], "lower", "not replicated"),
        ([-0.004, -0.005, -0.006], "lower", "replicated"),
        ([0.0001, -0.0001, 0.0002, 0.0, -0.0002, 0.0001], "higher", "not replicated"),
        ([0.0001, -0.0001, 0.0002, 0.0, -0.0002, 0.0001], "equal", "replicated"),
        ([0.004, 0.005, 0.006], "equal", "not replicated"),
        ([0.004, -0.005, 0.006], "higher", "inconclusive"),
        ([0.004, -0.005, 0.006], "equal", "inconclusive"),
        ([0.004], "higher", "inconclusive"),
        ([], "higher", "not run"),
        ([0.0, 0.0, 0.0], "higher", "not replicated"),
        ([1.0, 1.0], "higher", "replicated"),
    ],
)
def test_a_direction(values: list[float], expect: str, verdict: Verdict) -> None:
    assert compared(values, expect).verdict == verdict


def test_a_small_difference_on_the_claimed_side_says_that_it_is_small() -> None:
    found = compared([0.0002, 0.00021, 0.00022, 0.00019, 0.0002])
    assert found.judged == (
        "replicated",
        "the interval is wholly on the claimed side, though within the margin of 0.001",
    )


def test_a_direction_may_be_against_a_value() -> None:
    assert compared([0.95, 0.96, 0.955], "higher", than=0.9).verdict == "replicated"
    assert compared([0.85, 0.86, 0.855], "higher", than=0.9).verdict == "not replicated"


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


def outcome(*choices: Chosen, findings: Sequence[Finding] = (), **fields: object) -> Outcome:
    tests = {"choice": [{"metric": "test_loss", "arms": TWO, "expect": "lower"}]}
    claim = {"source": "M", "place": "-", "statement": "-", "kind": "DIR", "choices": tests, **fields}
    return Outcome("C1", "group", Claim.model_validate(claim), list(choices), list(findings))


UP, DOWN, OPEN, NONE = [0.004, 0.005, 0.006], [-0.004, -0.005, -0.006], [0.004, -0.005, 0.006], []


@pytest.mark.parametrize(
    ("choices", "verdict"),
    [
        ([[UP]], "replicated"),
        ([[UP, DOWN]], "not replicated"),  # all tests of a choice must hold
        ([[UP, OPEN]], "inconclusive"),
        ([[DOWN, NONE]], "not replicated"),
        ([[UP], [DOWN]], "protocol-dependent"),
        ([[UP], [OPEN]], "replicated"),
        ([[OPEN], [UP]], "inconclusive"),
        ([[NONE], [UP]], "replicated"),
        ([[NONE], [NONE]], "not run"),
    ],
)
def test_choices_together(choices: list[list[list[float]]], verdict: Verdict) -> None:
    made = [Chosen(str(i), [compared(values) for values in tests]) for i, tests in enumerate(choices)]
    found = outcome(*made)
    assert found.verdict == verdict
    assert found.reason
    assert found.decisive is None or found.decisive.verdict == found.leading.verdict  # type: ignore[union-attr]


def test_mathematics_and_measurement_must_both_hold() -> None:
    right, wrong = Finding("a", "1", 1.0, True), Finding("b", "1", 2.0, False)
    up = Chosen("up", [compared(UP)])
    assert outcome(findings=[right]).verdict == "replicated"
    assert outcome(findings=[right, wrong]).verdict == "not replicated"
    assert outcome(up, findings=[right]).verdict == "replicated"
    assert outcome(up, findings=[wrong]).verdict == "not replicated"


def test_a_single_run_is_judged_as_the_sources_do() -> None:
    assert compared([0.1, 0.2, -0.1, 0.3]).single_run_share == 0.75
    assert compared([0.1, 0.2, -0.1, 0.3], "lower").single_run_share == 0.25
    assert compared([0.0005, 0.002], "equal").single_run_share == 0.5
    assert number([0.9905, 0.95], 0.99).single_run_share == 0.5


def test_combined_takes_the_worst() -> None:
    assert combined(["replicated", "protocol-dependent"]) == "protocol-dependent"
    assert combined([]) == "replicated"


STUDIES = 2000


@pytest.mark.parametrize("n", [3, 6, 10])
def test_chance_alone_replicates_a_direction_no_more_often_than_nominal(n: int) -> None:
    """With no true effect, the interval lies on the claimed side in 2.5% of studies; three standard
    errors of 2,000 studies are allowed for."""
    generator = np.random.default_rng(n)
    studies = generator.normal(0.0, 0.002, (STUDIES, n))
    rate = np.mean([compared(list(study)).verdict == "replicated" for study in studies])
    assert rate <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / STUDIES)


def test_chance_alone_equates_what_is_a_margin_apart_no_more_often_than_nominal() -> None:
    generator = np.random.default_rng(0)
    studies = generator.normal(0.001, 0.0005, (STUDIES, 6))
    rate = np.mean([compared(list(study), "equal").verdict == "replicated" for study in studies])
    assert rate <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES)


def test_a_new_run_of_the_same_protocol_is_replicated_in_95_of_100_studies() -> None:
    generator = np.random.default_rng(1)
    studies = generator.normal(0.99, 0.0006, (STUDIES, 7))
    judged = [number(list(study[:6]), float(study[6])).verdict for study in studies]
    decided = [verdict for verdict in judged if verdict != "inconclusive"]
    assert decided.count("replicated") / len(decided) == pytest.approx(0.95, abs=0.015)


def test_counts_name_every_verdict() -> None:
    found = [outcome(Chosen("up", [compared(UP)])), outcome(Chosen("down", [compared(DOWN)]))]
    assert verdicts.counts(found) == {
        "replicated": 1,
        "not replicated": 1,
        "protocol-dependent": 0,
        "inconclusive": 0,
        "not run": 0,
    }
