"""The verdict on each claim, by RULES and by margins of accuracy and loss fixed before the runs."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, get_args

import numpy as np
import pandas as pd

from elu_replication import claims, experiments, inference, runs
from elu_replication.claims import Claim, Comparison
from elu_replication.config import PUBLISHED
from elu_replication.inference import Difference, Interval
from elu_replication.mathematics import CHECKS, Finding
from elu_replication.metrics import METRICS, Stored

Verdict = Literal["replicated", "not replicated", "protocol-dependent", "inconclusive", "not run"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
LEAST_RUNS = 5  # for a NUM verdict
LEAST_PAIRS = 6  # for a DIR verdict; with 5, a sign-flip test cannot come below 5%
UNDECIDED = ("inconclusive", "not run")
WIDEST = 3.0  # margins to a side that a prediction interval may reach
RULES = (
    f"""A published value (NUM) is replicated if it lies in the 95% prediction interval of a new run, and
    not if outside; inconclusive with fewer than {LEAST_RUNS} runs, or if the interval reaches more than
    {WIDEST:g} margins to a side.""",
    f"""A direction (DIR) is replicated if the 95% interval of the mean difference, paired by seed, lies
    wholly on the claimed side; not if wholly on the other, or, where it is compared with 0 and no other
    threshold, if it is equivalent to 0 within the margin (two one-sided t-tests at 5%); else inconclusive,
    as with fewer than {LEAST_PAIRS} pairs.""",
    """An equality that is claimed (DIR) is replicated if the arms are equivalent within the margin, and not
    if the interval lies wholly beyond it.""",
    """A choice, one reading of what a source leaves open, holds if all of its tests do, and fails if one
    does. The main choice gives the claim's verdict, inconclusive where only others have runs. Choices that
    are decided differently make a claim protocol-dependent.""",
    """A mathematical claim (DET) is computed; a claim about texts (TXT) is decided by the passages
    compared. What is measured beside these does not decide them.""",
    """Verdicts are given anew as seeds are added; the 5% are those of one look, at the declared number of
    seeds.""",
    """"Single runs that show it" is the share of seeds whose own value has the claimed sign or, for a
    published value or an equality, lies within the margin.""",
)


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on what holds only if all of its parts do."""
    parts = set(verdicts)
    worst_first: tuple[Verdict, ...] = ("not replicated", "not run", "inconclusive", "protocol-dependent")
    return next((worst for worst in worst_first if worst in parts), "replicated")


@cache
def stored(name: str) -> Stored:
    """The finished runs of a declared arm at published scale."""
    return Stored(experiments.arm(name, PUBLISHED))


@cache
def diverged(name: str) -> frozenset[int]:
    """The seeds of a declared arm whose run diverged."""
    records = runs.current(experiments.arm(name, PUBLISHED))
    return frozenset(record.seed for record in records if record.status == "diverged")


@cache
def values_of(metric: str, arm: str) -> pd.Series:
    """A metric of every run of an arm, by seed; or of measured times, by round."""
    return METRICS[metric].compute(stored(arm))


def weighted_sums(test: Comparison) -> dict[int, float]:
    """The test's weighted sum for each seed (or round) that all of its arms have, but for what
    floating-point arithmetic adds to a sum of decimals."""
    parts = [weight * values_of(test.metric, name) for name, weight in test.arms.items()]
    sums = pd.concat(parts, axis=1, join="inner").sum(axis=1, skipna=False).round(12).sort_index()
    return sums[np.isfinite(sums)].to_dict()


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

    @cached_property
    def judged(self) -> tuple[Verdict, str]:
        """The verdict on this test alone, and why."""
        lost = {name: len(diverged(name)) for name in self.test.arms if diverged(name)}
        told = ", ".join(f"{name} diverged with {n} seed{'s' * (n > 1)}" for name, n in lost.items())
        if self.n:
            verdict, why = self._num() if self.test.published is not None else self._dir()
            return verdict, f"{why}; {told}" if told else why
        if told:
            return "inconclusive", told
        missing = ", ".join(n for n in self.test.arms if values_of(self.test.metric, n).empty)
        return "not run", f"no runs of {missing}" if missing else "no seed that all arms have"

    def _num(self) -> tuple[Verdict, str]:
        assert self.test.published is not None
        if self.n < LEAST_RUNS:
            return "inconclusive", f"{self.n} of the {LEAST_RUNS} runs that a verdict needs"
        interval, widest = self.interval, WIDEST * self.test.tolerance
        inside = interval.low <= self.test.published <= interval.high
        where = "inside" if inside else "outside"
        told = f"the published {self.test.published:.5g} is {where} the prediction interval {interval}"
        if interval.half_width > widest:
            return "inconclusive", f"{told}, which reaches more than {widest:g} to a side"
        return ("replicated" if inside else "not replicated"), told

    def _dir(self) -> tuple[Verdict, str]:
        if self.n < LEAST_PAIRS:
            return "inconclusive", f"{self.n} of the {LEAST_PAIRS} seeds that a verdict needs"
        interval, expect = self.interval, self.test.expect
        than, margin = self.test.than, self.test.tolerance
        low, high = interval.low - than, interval.high - than
        same = self.equivalence_p < 1 - inference.CONFIDENCE
        if expect == "equal":
            if same:
                return "replicated", f"equivalent within {margin:g}"
            if low > margin or high < -margin:
                return "not replicated", f"the interval {interval} is further from {than:g} than {margin:g}"
            return "inconclusive", f"the interval {interval} is neither within {margin:g} nor beyond it"
        claimed, opposite = (low > 0, high < 0) if expect == "higher" else (high < 0, low > 0)
        if claimed or opposite:
            told = f"the interval {interval} is wholly {'above' if low > 0 else 'below'} {than:g}"
            small = f", though within the margin of {margin:g}" if same and claimed else ""
            return ("replicated" if claimed else "not replicated"), told + small
        if same and not than:  # beside another threshold it would not say that there is no difference
            return "not replicated", f"the interval {interval} shows no difference beyond {margin:g}"
        return "inconclusive", f"the interval {interval} reaches both sides of {than:g}"

    @property
    def verdict(self) -> Verdict:
        return self.judged[0]

    @property
    def told(self) -> str:
        """What was compared, and what came out."""
        return f"{METRICS[self.test.metric].meaning}: {self.judged[1]}"

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
        one, other = (values_of(self.test.metric, name).tolist() for name in self.test.arms)
        if weights[0] < 0:
            one, other = other, one
        return inference.probability_of_improvement(one, other)

    @property
    def seeds_needed(self) -> int | None:
        """How many seeds in all would decide an undecided test, if mean and SD stay (the least that any
        verdict needs where there is no SD yet); None where that cannot be said, or need not be."""
        lost = self.verdict == "inconclusive" and not self.n  # every run diverged
        if self.verdict not in UNDECIDED or lost or METRICS[self.test.metric].timed:
            return None
        if self.test.published is not None:
            widest = WIDEST * self.test.tolerance
            return (
                LEAST_RUNS
                if self.n < LEAST_RUNS
                else inference.seeds_to_predict(self.difference.sd, widest)
            )
        if self.n < 2:
            return LEAST_PAIRS
        equal = self.test.expect == "equal"
        margin = self.test.tolerance if equal or not self.test.than else 0.0
        needed = inference.seeds_to_decide(self.difference.mean, self.difference.sd, margin, equal)
        return max(needed, LEAST_PAIRS, self.n + 1) if needed else None

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
        if METRICS[self.test.metric].timed:
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
        """The choice whose numbers stand for the claim: the main one, or the first that has runs where
        the main one has none; None for a claim that runs do not decide."""
        if not self.claim.by_runs:
            return None
        ran = [choice for choice in self.choices if choice.verdict != "not run"]
        return (ran or self.choices)[0]

    @property
    def beside_main(self) -> bool:
        """Whether the leading choice is another than the main one."""
        return self.leading is not None and self.leading is not self.choices[0]

    @cached_property
    def of_choices(self) -> Verdict:
        """Protocol-dependent where choices are decided differently, else as the main one; inconclusive
        where others have runs, but not the main one."""
        main, *others = (choice.verdict for choice in self.choices)
        if {"replicated", "not replicated"} <= {main, *others}:
            return "protocol-dependent"
        return "inconclusive" if main == "not run" and set(others) - {main} else main

    @cached_property
    def verdict(self) -> Verdict:
        parts: list[Verdict] = []
        if self.findings:
            parts.append("replicated" if all(f.holds for f in self.findings) else "not replicated")
        if self.claim.agreement:
            parts.append("replicated" if self.claim.agreement == "agrees" else "not replicated")
        if self.claim.by_runs:
            parts.append(self.of_choices)
        return combined(parts)

    @property
    def reason(self) -> str:
        """Why, in a few sentences."""
        told = []
        if self.finding and not self.finding.holds:
            told.append(
                f"{self.finding.what} is {self.finding.computed:.6g}, claimed is {self.finding.claimed}"
            )
        elif self.findings:
            told.append("computed as claimed: " + "; ".join(f.what for f in self.findings[:3]))
        if self.claim.agreement:
            told.append(f"the passages compared: {self.claim.agreement}")
        if not self.claim.by_runs:
            told += [f"measured beside it, {c.label}: {c.decisive.told}" for c in self.choices]
        elif self.of_choices == "protocol-dependent":
            for verdict in ("replicated", "not replicated"):
                labels = [c.label for c in self.choices if c.verdict == verdict]
                told.append(f"{verdict} with {'; '.join(labels)}")
        elif self.leading:
            told.append(f"{self.leading.label}: {self.leading.decisive.told}")
            if self.beside_main:
                told.append(f"the main choice, {self.choices[0].label}, is not run")
        if self.claim.by_runs:
            rest = Counter(c.verdict for c in self.choices if c is not self.leading)
            told += [f"{n} other choice{'s' * (n > 1)} {v}" for v, n in rest.items() if v in UNDECIDED]
        return ". ".join(sentence[0].upper() + sentence[1:] for sentence in told)

    @property
    def decisive(self) -> Compared | None:
        """The test whose numbers stand for the claim."""
        return self.leading.decisive if self.leading else None

    @property
    def finding(self) -> Finding | None:
        """The first finding that is wrong, or else the first."""
        return min(self.findings, key=lambda finding: finding.holds, default=None)

    @property
    def undecided(self) -> list[Compared]:
        """What the claim waits for, where it is undecided: those tests of its main choice that are."""
        if self.verdict not in UNDECIDED:
            return []
        return [compared for compared in self.choices[0].tests if compared.verdict in UNDECIDED]


def outcome(name: str, group: str, claim: Claim) -> Outcome:
    """Compute all that a claim needs from the stored runs."""
    choices = [
        Chosen(label, [Compared(test, weighted_sums(test)) for test in tests])
        for label, tests in claim.choices.items()
    ]
    return Outcome(name, group, claim, choices, CHECKS[claim.check]() if claim.check else [])


def outcomes(names: Sequence[str] = ()) -> list[Outcome]:
    """The outcome of every claim, or of those named, in the order of their numbers."""
    group_of = {name: group for group, held in claims.groups().items() for name in held}
    listed = claims.load()
    return [outcome(name, group_of[name], listed[name]) for name in names or listed]


def counts(found: Iterable[Outcome]) -> Counter[Verdict]:
    """How many claims have each verdict, in the order of VERDICTS."""
    counted = Counter(each.verdict for each in found)
    return Counter({verdict: counted[verdict] for verdict in VERDICTS})
