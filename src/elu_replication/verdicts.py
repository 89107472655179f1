"""The verdict on each claim, by rules and by margins of accuracy and loss fixed before the runs.

NUM: the published value lies in the 95% prediction interval of a new run: replicated; outside: not
replicated; interval wider than three margins to a side, or fewer than 5 runs: inconclusive. DIR: the
95% interval of the mean difference lies wholly on the claimed side: replicated; wholly on the other, or
equivalent within the margin (TOST): not replicated; else inconclusive. Choices that are decided
differently make a claim protocol-dependent.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from elu_replication import claims, experiments, inference, runs
from elu_replication.claims import Claim, Comparison
from elu_replication.config import Scale
from elu_replication.inference import Difference, Interval
from elu_replication.mathematics import CHECKS, Finding
from elu_replication.metrics import METRICS, Run, loaded, timed

Verdict = Literal["replicated", "not replicated", "inconclusive", "protocol-dependent", "not run"]
VERDICTS: tuple[Verdict, ...] = (
    "replicated",
    "not replicated",
    "protocol-dependent",
    "inconclusive",
    "not run",
)
LEAST_RUNS = 5  # for a NUM verdict
WIDEST = 3.0  # margins to a side that a prediction interval may reach


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on what holds only if all of its parts do."""
    parts = set(verdicts)
    worst_first: tuple[Verdict, ...] = ("not replicated", "not run", "inconclusive", "protocol-dependent")
    return next((worst for worst in worst_first if worst in parts), "replicated")


@cache
def runs_of(name: str) -> Mapping[int, Run]:
    """The finished runs of a declared arm at published scale, by seed."""
    return loaded(experiments.arm(name, Scale("published")))


def diverged(name: str) -> bool:
    """Whether a declared arm has runs, none of which finished."""
    return not runs_of(name) and bool(runs.current(experiments.arm(name, Scale("published"))))


@cache
def values_of(metric: str, arm: str) -> Mapping[int, float]:
    """A metric of every run of an arm, by seed; or of measured times, by round."""
    compute = METRICS[metric].compute
    if compute is None:
        return timed(arm)
    return {seed: compute(run) for seed, run in runs_of(arm).items()}


def by_seed(test: Comparison) -> dict[int, float]:
    """The test's weighted sum for each seed (or round) that all of its arms have."""
    values = [values_of(test.metric, name) for name in test.arms]
    shared = set.intersection(*(set(each) for each in values))
    sums = {
        seed: sum(weight * each[seed] for weight, each in zip(test.arms.values(), values, strict=True))
        for seed in sorted(shared)
    }
    return {seed: value for seed, value in sums.items() if math.isfinite(value)}


@dataclass(frozen=True)
class Compared:
    """A test and its values by seed."""

    test: Comparison
    values: dict[int, float]

    @property
    def differences(self) -> list[float]:
        """How far each value is above what the claim compares with."""
        return [value - self.reference for value in self.values.values()]

    @property
    def reference(self) -> float:
        return self.test.than if self.test.published is None else self.test.published

    @cached_property
    def difference(self) -> Difference:
        return inference.paired(self.differences)

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def effect(self) -> float:
        """The mean of the values; NaN where there is none."""
        return sum(self.values.values()) / self.n if self.n else math.nan

    @property
    def interval(self) -> Interval:
        """A new run's prediction interval (NUM), or the t interval of the mean (DIR)."""
        values = list(self.values.values())
        made = inference.t_interval if self.test.published is None else inference.prediction_interval
        return made(values)

    @property
    def lacking(self) -> list[str]:
        """The arms without which there is no value."""
        idle = [name for name in self.test.arms if not values_of(self.test.metric, name)]
        return [f"{name} (diverged)" if diverged(name) else name for name in idle]

    @cached_property
    def judged(self) -> tuple[Verdict, str]:
        """The verdict on this test alone, and why."""
        if self.n == 0:
            missing = ", ".join(self.lacking)
            told = f"no finished runs of {missing}" if missing else "no seed that all arms finished"
            return "not run", told
        return self._num() if self.test.published is not None else self._dir()

    def _num(self) -> tuple[Verdict, str]:
        assert self.test.published is not None
        if self.n < LEAST_RUNS:
            return "inconclusive", f"{self.n} of the {LEAST_RUNS} runs that are needed"
        interval, widest = self.interval, WIDEST * self.test.tolerance
        if interval.half_width > widest:
            return "inconclusive", f"a new run may differ from the mean by more than {widest:g}"
        inside = interval.low <= self.test.published <= interval.high
        where = "inside" if inside else "outside"
        told = f"the published {self.test.published:.5g} is {where} the prediction interval"
        return ("replicated" if inside else "not replicated"), told

    def _dir(self) -> tuple[Verdict, str]:
        if self.n < 2:
            return "inconclusive", "one seed gives no interval"
        low, high = (end - self.test.than for end in self.interval)
        margin, expect = self.test.tolerance, self.test.expect
        same = inference.equivalent(self.differences, margin)
        if expect == "equal":
            if same:
                return "replicated", f"equivalent within {margin:g}"
            if low > margin or high < -margin:
                return "not replicated", f"further apart than {margin:g}"
            return "inconclusive", f"neither within {margin:g} nor beyond it"
        claimed, opposite = (low > 0, high < 0) if expect == "higher" else (high < 0, low > 0)
        if claimed:
            small = f", though within the margin of {margin:g}" if same else ""
            return "replicated", f"the interval is wholly on the claimed side{small}"
        if opposite:
            return "not replicated", "the interval is wholly on the other side"
        if same:
            return "not replicated", f"no difference beyond {margin:g}"
        return "inconclusive", "the interval reaches both sides, and beyond the margin"

    @property
    def verdict(self) -> Verdict:
        return self.judged[0]

    @property
    def single_run_share(self) -> float:
        """In what share of seeds one run, judged by its last epoch as the sources do, "shows" the claim:
        its difference has the claimed sign, or, for a value or an equality, is within the margin."""
        if not self.n:
            return math.nan
        sign = {"higher": 1, "lower": -1}.get(self.test.expect or "")
        if sign is None:
            shown = [abs(d) <= self.test.tolerance for d in self.differences]
        else:
            shown = [sign * d > 0 for d in self.differences]
        return sum(shown) / self.n

    @property
    def improvement(self) -> float:
        """The probability that a run of the one arm scores above a run of the other; NaN unless two arms
        are compared."""
        weights = list(self.test.arms.values())
        if sorted(weights) != [-1, 1]:
            return math.nan
        one, other = (list(values_of(self.test.metric, name).values()) for name in self.test.arms)
        if weights[0] < 0:
            one, other = other, one
        return inference.probability_of_improvement(one, other)

    @property
    def seeds_needed(self) -> int | None:
        """How many seeds in all would decide an undecided test, if mean and SD stay; None where that
        cannot be said, or need not be."""
        if self.verdict != "inconclusive":
            return None
        if self.test.published is not None:
            return LEAST_RUNS if self.n < LEAST_RUNS else None
        if self.n < 2:
            return None
        needed = inference.seeds_to_decide(self.difference.mean, self.difference.sd, self.test.tolerance)
        return max(needed, self.n + 1) if needed else None

    @property
    def equivalence_p(self) -> float:
        return inference.equivalence_p(self.differences, self.test.tolerance)

    @property
    def detectable(self) -> float:
        """The true difference that so many seeds find with a power of 80%."""
        return inference.minimum_detectable_effect(self.difference.sd, self.n)

    @property
    def published_effect(self) -> float:
        """What the published scores of its arms give; NaN unless all of them have one."""
        if self.test.published is not None:
            return self.test.published
        total = 0.0
        for name, weight in self.test.arms.items():
            experiment, _, label = name.partition("-")
            scores = experiments.load(experiment).published.get(label)
            value = getattr(scores, self.test.metric, None)
            if value is None:
                return math.nan
            total += weight * value
        return total

    @property
    def command(self) -> str:
        if METRICS[self.test.metric].compute is None:
            return "make times"
        return f"make replicate ARMS='{' '.join(self.test.arms)}'"


@dataclass(frozen=True)
class Chosen:
    """One reading of a claim, and its tests."""

    label: str
    tests: list[Compared]

    @property
    def verdict(self) -> Verdict:
        return combined(compared.verdict for compared in self.tests)

    @property
    def decisive(self) -> Compared:
        """The first test that has the choice's verdict."""
        return next(compared for compared in self.tests if compared.verdict == self.verdict)


@dataclass(frozen=True)
class Outcome:
    """A claim with all that was computed for it."""

    id: str
    group: str
    claim: Claim
    choices: list[Chosen]
    findings: list[Finding]

    @property
    def leading(self) -> Chosen | None:
        """The main choice, or the first that has runs where the main one has none."""
        ran = [choice for choice in self.choices if choice.verdict != "not run"]
        return next(iter(ran or self.choices), None)

    @cached_property
    def of_choices(self) -> Verdict:
        """Protocol-dependent where choices are decided differently, else as the leading one."""
        decided = {c.verdict for c in self.choices} & {"replicated", "not replicated"}
        if len(decided) > 1:
            return "protocol-dependent"
        assert self.leading is not None
        return self.leading.verdict

    @cached_property
    def verdict(self) -> Verdict:
        parts: list[Verdict] = []
        if self.findings:
            parts.append("replicated" if all(f.holds for f in self.findings) else "not replicated")
        if self.claim.agreement:
            parts.append("replicated" if self.claim.agreement == "agrees" else "not replicated")
        if self.choices:
            parts.append(self.of_choices)
        return combined(parts)

    @property
    def reason(self) -> str:
        """Why, in a sentence or two."""
        told = []
        if wrong := [f for f in self.findings if not f.holds]:
            told.append(f"{wrong[0].what} is {wrong[0].computed:.6g}, claimed is {wrong[0].claimed}")
        elif self.findings:
            told.append("computed as claimed: " + "; ".join(f.what for f in self.findings[:3]))
        if self.claim.agreement:
            told.append(f"the passages compared: {self.claim.agreement}")
        if self.choices and self.of_choices == "protocol-dependent":
            for verdict in ("replicated", "not replicated"):
                labels = [c.label for c in self.choices if c.verdict == verdict]
                told.append(f"{verdict} with {'; '.join(labels)}")
        elif self.leading:
            test = self.leading.decisive
            told.append(f"{self.leading.label}: {METRICS[test.test.metric].meaning}: {test.judged[1]}")
            if self.leading is not self.choices[0]:
                told.append(f"the main choice, {self.choices[0].label}, is not run")
        return ". ".join(told)

    @property
    def decisive(self) -> Compared | None:
        """The test whose numbers stand for the claim."""
        return self.leading.decisive if self.leading else None

    @property
    def undecided(self) -> list[tuple[str, Compared]]:
        """The inconclusive tests, with their choice's label."""
        return [
            (choice.label, compared)
            for choice in self.choices
            for compared in choice.tests
            if compared.verdict == "inconclusive"
        ]


def outcome(name: str, group: str, claim: Claim) -> Outcome:
    """Compute all that a claim needs from the stored runs."""
    choices = [
        Chosen(label, [Compared(test, by_seed(test)) for test in tests])
        for label, tests in claim.choices.items()
    ]
    return Outcome(name, group, claim, choices, CHECKS[claim.check]() if claim.check else [])


def outcomes(names: Sequence[str] = ()) -> list[Outcome]:
    """The outcome of every claim, or of those named, in the order of their numbers."""
    group_of = {name: group for group, held in claims.groups().items() for name in held}
    wanted = names or claims.load()
    return [outcome(name, group_of[name], claims.load()[name]) for name in wanted]


def counts(found: Iterable[Outcome]) -> dict[Verdict, int]:
    """How many claims have each verdict, in the order of VERDICTS."""
    counted = Counter(each.verdict for each in found)
    return {verdict: counted[verdict] for verdict in VERDICTS}


def holm_by_test(found: Sequence[Outcome]) -> dict[int, float]:
    """Holm's adjusted p of each DIR test, across all those of the claims that one file holds; by id()
    of the Compared."""
    adjusted: dict[int, float] = {}
    for group in {each.group for each in found}:
        tests = [
            t
            for each in found
            if each.group == group
            for c in each.choices
            for t in c.tests
            if t.test.expect in ("higher", "lower")
        ]
        p_values = inference.holm([t.difference.p for t in tests])
        adjusted |= {id(t): p for t, p in zip(tests, p_values, strict=True)}
    return adjusted
