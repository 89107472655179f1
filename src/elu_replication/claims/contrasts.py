"""One test of a claim on the stored runs: its values, its statistics and its verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, get_args

import numpy as np
import pandas as pd

from elu_replication.claims import statistics
from elu_replication.claims.metrics import METRICS, Stored
from elu_replication.claims.schema import Contrast
from elu_replication.claims.statistics import Difference, Interval
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED
from elu_replication.runs import store

Verdict = Literal["replicated", "not replicated", "protocol-dependent", "inconclusive", "not run"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
LEAST_RUNS = 5  # for a NUM verdict
LEAST_PAIRS = 6  # for a DIR verdict; with 5, a sign-flip test cannot come below 5%
UNDECIDED = ("inconclusive", "not run")
WIDEST = 3.0  # margins to a side that a prediction interval may reach


@cache
def stored(name: str) -> Stored:
    """The finished runs of a declared arm at published scale."""
    return Stored(experiments.arm(name, PUBLISHED))


@cache
def diverged(name: str) -> frozenset[int]:
    """The seeds of a declared arm whose run diverged."""
    records = store.current(experiments.arm(name, PUBLISHED))
    return frozenset(record.seed for record in records if record.status == "diverged")


@cache
def values_of(metric: str, arm: str) -> pd.Series:
    """A metric of every run of an arm, by seed; or of measured times, by round."""
    return METRICS[metric].compute(stored(arm))


def weighted_sums(test: Contrast) -> dict[int, float]:
    """The test's weighted sum for each seed (or round) that all of its arms have, but for what
    floating-point arithmetic adds to a sum of decimals."""
    parts = [weight * values_of(test.metric, name) for name, weight in test.arms.items()]
    sums = pd.concat(parts, axis=1, join="inner").sum(axis=1, skipna=False).round(12).sort_index()
    return sums[np.isfinite(sums)].to_dict()


@dataclass(frozen=True)
class ContrastResult:
    """A test and its values by seed."""

    test: Contrast
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
        return statistics.paired(self.differences)

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
        made = statistics.t_interval if self.test.published is None else statistics.prediction_interval
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
        if not inside and self.difference.sd:
            told += f", {abs(self.difference.mean) / self.difference.sd:.1f} SDs from the mean"
        if interval.half_width > widest:
            wide = f"too wide to decide: ±{interval.half_width:.2g}, at most ±{widest:g}"
            return "inconclusive", f"{told}, {wide}"
        return ("replicated" if inside else "not replicated"), told

    def _dir(self) -> tuple[Verdict, str]:
        if self.n < LEAST_PAIRS:
            return "inconclusive", f"{self.n} of the {LEAST_PAIRS} seeds that a verdict needs"
        interval, expect = self.interval, self.test.expect
        than, margin = self.test.than, self.test.tolerance
        low, high = interval.low - than, interval.high - than
        same = self.equivalence_p < 1 - statistics.CONFIDENCE
        within = statistics.equivalence_interval(list(self.values.values()))
        equivalent = f"equivalent to {than:g} within {margin:g}, the 90% interval being {within}"
        if expect == "equal":
            if same:
                return "replicated", equivalent
            if low > margin or high < -margin:
                return "not replicated", f"the interval {interval} is further from {than:g} than {margin:g}"
            return "inconclusive", f"the interval {interval} is neither within {margin:g} nor beyond it"
        claimed, opposite = (low > 0, high < 0) if expect == "higher" else (high < 0, low > 0)
        if claimed or opposite:
            told = f"the interval {interval} is wholly {'above' if low > 0 else 'below'} {than:g}"
            small = f", though within the margin of {margin:g}" if same and claimed else ""
            return ("replicated" if claimed else "not replicated"), told + small
        if same and not than:  # beside another threshold it would not say that there is no difference
            return "not replicated", equivalent
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
        return statistics.probability_of_improvement(one, other)

    @property
    def seeds_needed(self) -> int | None:
        """How many seeds in all would decide an undecided test, if mean and SD stay and no more diverge
        (the least that any verdict needs where there is no SD yet); None where that cannot be said, or
        need not be."""
        if self.verdict not in UNDECIDED or METRICS[self.test.metric].timed:
            return None
        lost = len(frozenset[int]().union(*map(diverged, self.test.arms)))
        if lost and not self.n:
            return None
        needed = self._runs_needed()
        return needed + lost if needed else None

    def _runs_needed(self) -> int | None:
        if self.test.published is not None:
            if self.n < LEAST_RUNS:
                return LEAST_RUNS
            return statistics.seeds_to_predict(self.difference.sd, WIDEST * self.test.tolerance)
        if self.n < 2:
            return LEAST_PAIRS
        equal = self.test.expect == "equal"
        margin = self.test.tolerance if equal or not self.test.than else 0.0
        needed = statistics.seeds_to_decide(self.difference.mean, self.difference.sd, margin, equal)
        return max(needed, LEAST_PAIRS, self.n + 1) if needed else None

    @property
    def equivalence_p(self) -> float:
        return statistics.equivalence_p(self.differences, self.test.tolerance)

    @property
    def detectable(self) -> float:
        """The true difference that so many seeds find with a power of 80%; NaN of a test that looks for
        none."""
        if self.test.expect in ("higher", "lower"):
            return statistics.minimum_detectable_effect(self.difference.sd, self.n)
        return math.nan

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


def command(tests: Sequence[ContrastResult]) -> str:
    """What trains the runs of some tests, or takes their times."""
    if all(METRICS[compared.test.metric].timed for compared in tests):
        return "make times"
    arms = dict.fromkeys(name for compared in tests for name in compared.test.arms)
    return f"make replicate ARMS='{' '.join(arms)}'"
