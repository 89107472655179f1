"""One contrast on the stored runs: its values, its statistics and its verdict."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

from elu_replication.claims import sources, statistics
from elu_replication.claims.metrics import METRICS, Stored
from elu_replication.claims.results import UNDECIDED, ContrastResult, Interval, Verdict
from elu_replication.claims.schema import Contrast
from elu_replication.config import experiments
from elu_replication.config.schema import Arm
from elu_replication.runs import evidence, store

# The prediction interval of 5 runs reaches 3.0 SDs to a side; that of 4 runs 3.6, and of 3 runs 5.0.
LEAST_RUNS = 5
# The p of an exact sign-flip test of 5 pairs is at least 2 / 2^5, above 5%; that of 6 pairs can be below.
LEAST_PAIRS = 6
# Inside a wider prediction interval (in margins, to a side), a published value would say little.
WIDEST = 3.0


def arms_of(contrast: Contrast) -> dict[str, Arm]:
    """The contrast's arms by name, with the seeds that count for them together."""
    return _counted(*contrast.arms)


@cache
def _counted(*names: str) -> dict[str, Arm]:
    return evidence.counted(names)


@cache
def stored(arm: Arm) -> Stored:
    """The finished runs of an arm."""
    return Stored(arm)


@cache
def diverged(arm: Arm) -> frozenset[int]:
    """The seeds of an arm whose run diverged."""
    records = store.current(arm)
    return frozenset(record.seed for record in records if record.status == "diverged")


@cache
def values_of(metric: str, arm: Arm) -> pd.Series:
    """A metric of every run of an arm, by seed; or of measured times, by round."""
    return METRICS[metric].compute(stored(arm))


def weighted_sums(contrast: Contrast) -> dict[int, float]:
    """The contrast's weighted sum for each seed (or round) that all of its arms have."""
    arms = arms_of(contrast)
    parts = [weight * values_of(contrast.metric, arms[name]) for name, weight in contrast.arms.items()]
    sums = pd.concat(parts, axis=1, join="inner").sum(axis=1, skipna=False).sort_index()
    sums = sums.round(12)  # a sum of decimals, without what floating-point arithmetic adds
    return sums[np.isfinite(sums)].to_dict()


def evaluate(contrast: Contrast, values: dict[int, float]) -> ContrastResult:
    """Everything about a contrast whose weighted sum is `values` by seed, but for Holm's p, which needs all
    contrasts of a document."""
    sample = list(values.values())
    differences = np.array([value - contrast.reference for value in sample])
    verdict, reason = judge(contrast, values)
    _, sd = statistics.mean_and_sd(differences)
    bca = statistics.bca_interval(differences)
    of_value = contrast.published is not None  # the p values are those of a mean
    interval = statistics.prediction_interval if of_value else statistics.t_interval
    result = ContrastResult(
        metric=contrast.metric,
        meaning=METRICS[contrast.metric].meaning,
        arms=contrast.arms,
        expect=contrast.expect,
        than=contrast.reference,
        margin=contrast.tolerance,
        published=published_effect(contrast),
        values=values,
        effect=mean(sample),
        interval=interval(sample),
        sd=sd,
        bca=Interval(bca.low + contrast.reference, bca.high + contrast.reference),
        p=math.nan if of_value else statistics.t_p(differences),
        p_sign_flip=math.nan if of_value else statistics.sign_flip_p(differences),
        p_equivalence=statistics.equivalence_p(differences, contrast.tolerance),
        probability_of_improvement=improvement(contrast),
        single_run_share=single_run_share(contrast, sample),
        seeds_needed=seeds_needed(contrast, sample) if verdict in UNDECIDED else None,
        verdict=verdict,
        reason=reason,
        command=command([contrast]),
    )
    if result.directed:  # the others look for no difference
        result.minimum_detectable_effect = statistics.minimum_detectable_effect(sd, len(sample))
    return result


def mean(sample: Sequence[float]) -> float:
    return sum(sample) / len(sample) if sample else math.nan


def judge(contrast: Contrast, values: dict[int, float]) -> tuple[Verdict, str]:
    """The verdict on this contrast alone, and why."""
    arms = arms_of(contrast)
    counts = {name: len(diverged(arm)) for name, arm in arms.items() if diverged(arm)}
    lost = ", ".join(f"{name} diverged with {n} seed{'s' * (n > 1)}" for name, n in counts.items())
    if values:
        judge_sample = judge_direction if contrast.published is None else judge_value
        verdict, reason = judge_sample(contrast, list(values.values()))
        return verdict, f"{reason}; {lost}" if lost else reason
    if lost:
        return "inconclusive", lost
    missing = ", ".join(name for name, arm in arms.items() if values_of(contrast.metric, arm).empty)
    return "not run", f"no runs of {missing}" if missing else "no seed that all arms have"


def judge_value(contrast: Contrast, sample: list[float]) -> tuple[Verdict, str]:
    """Whether a published value is one that a new run may give."""
    published = contrast.reference
    if len(sample) < LEAST_RUNS:
        return "inconclusive", f"{len(sample)} of the {LEAST_RUNS} runs that a verdict needs"
    interval, widest = statistics.prediction_interval(sample), WIDEST * contrast.tolerance
    inside = interval.low <= published <= interval.high
    where = "inside" if inside else "outside"
    reason = f"the published {published:.5g} is {where} the prediction interval {interval}"
    center, sd = statistics.mean_and_sd([value - published for value in sample])
    if not inside and sd:
        reason += f", {abs(center) / sd:.1f} SDs from the mean"
    if interval.half_width > widest:
        wide = f"too wide to decide: ±{interval.half_width:.2g}, at most ±{widest:g}"
        return "inconclusive", f"{reason}, {wide}"
    return ("replicated" if inside else "not replicated"), reason


def judge_direction(contrast: Contrast, sample: list[float]) -> tuple[Verdict, str]:
    """Whether the mean lies on the claimed side, or at what it should be equal to."""
    if len(sample) < LEAST_PAIRS:
        return "inconclusive", f"{len(sample)} of the {LEAST_PAIRS} seeds that a verdict needs"
    interval, expect = statistics.t_interval(sample), contrast.expect
    than, margin = contrast.than, contrast.tolerance
    low, high = interval.low - than, interval.high - than
    p = statistics.equivalence_p([value - than for value in sample], margin)
    same = p < 1 - statistics.CONFIDENCE
    within = statistics.equivalence_interval(sample)
    equivalent = f"equivalent to {than:g} within {margin:g}, the 90% interval being {within}"
    if expect == "equal":
        if same:
            return "replicated", equivalent
        if low > margin or high < -margin:
            return "not replicated", f"the interval {interval} is further from {than:g} than {margin:g}"
        return "inconclusive", f"the interval {interval} is neither within {margin:g} nor beyond it"
    claimed, opposite = (low > 0, high < 0) if expect == "higher" else (high < 0, low > 0)
    if claimed or opposite:
        reason = f"the interval {interval} is wholly {'above' if low > 0 else 'below'} {than:g}"
        small = f", though within the margin of {margin:g}" if same and claimed else ""
        return ("replicated" if claimed else "not replicated"), reason + small
    if same and not than:  # equivalence to a threshold would not say that there is no difference
        return "not replicated", equivalent
    return "inconclusive", f"the interval {interval} reaches both sides of {than:g}"


def single_run_share(contrast: Contrast, sample: Sequence[float]) -> float:
    """In what share of seeds one run, judged by its last epoch as the sources do, "shows" the claim: its
    difference has the claimed sign, or, for a value or an equality, is within the margin."""
    sign = {"higher": 1, "lower": -1}.get(contrast.expect or "")
    differences = [value - contrast.reference for value in sample]
    if sign is None:
        return mean([abs(difference) <= contrast.tolerance for difference in differences])
    return mean([sign * difference > 0 for difference in differences])


def improvement(contrast: Contrast) -> float:
    """The probability that a run of the one arm scores above a run of the other; NaN unless two arms are
    compared."""
    names, arms = sorted(contrast.arms, key=contrast.arms.__getitem__), arms_of(contrast)
    if [contrast.arms[name] for name in names] != [-1, 1]:
        return math.nan
    lower, higher = (values_of(contrast.metric, arms[name]).tolist() for name in names)
    return statistics.probability_of_improvement(higher, lower)


def seeds_needed(contrast: Contrast, sample: list[float]) -> int | None:
    """How many seeds in all would decide an undecided contrast, if mean and SD stay and no more diverge
    (the least that any verdict needs where there is no SD yet); None where that cannot be said."""
    lost = len(frozenset[int]().union(*map(diverged, arms_of(contrast).values())))
    if METRICS[contrast.metric].timed or (lost and not sample):
        return None
    needed = _runs_needed(contrast, sample)
    return needed + lost if needed else None


def _runs_needed(contrast: Contrast, sample: list[float]) -> int | None:
    n = len(sample)
    center, sd = statistics.mean_and_sd([value - contrast.reference for value in sample])
    if contrast.published is not None:
        return (
            LEAST_RUNS if n < LEAST_RUNS else statistics.seeds_to_predict(sd, WIDEST * contrast.tolerance)
        )
    if n < 2:
        return LEAST_PAIRS
    equal = contrast.expect == "equal"
    margin = contrast.tolerance if equal or not contrast.than else 0.0
    needed = statistics.seeds_to_decide(center, sd, margin, equal)
    return max(needed, LEAST_PAIRS, n + 1) if needed else None


def published_effect(contrast: Contrast) -> float:
    """What the published scores (or times) of its arms give; NaN unless all of them have one."""
    if contrast.published is not None:
        return contrast.published
    total = 0.0
    for name, weight in contrast.arms.items():
        if METRICS[contrast.metric].timed:
            value = math.log(sources.load().training_seconds.get(name, math.nan))
        else:
            experiment, _, label = name.partition("-")
            scores = experiments.load(experiment).published.get(label)
            score = getattr(scores, contrast.metric, None)
            value = math.nan if score is None else score
        total += weight * value
    return total


def command(contrasts: Sequence[Contrast]) -> str:
    """What trains the runs of some contrasts, or takes their times."""
    if all(METRICS[contrast.metric].timed for contrast in contrasts):
        return "make times"
    arms = dict.fromkeys(name for contrast in contrasts for name in contrast.arms)
    return f"make replicate ARMS='{' '.join(arms)}'"
