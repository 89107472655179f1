"""One contrast on the stored runs: its values, its statistics and its verdict."""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from elu_replication.claims import sources, statistics, timing
from elu_replication.claims.metrics import METRICS, Stored
from elu_replication.claims.results import UNDECIDED, ContrastResult, Interval, Test, Verdict
from elu_replication.claims.schema import Contrast
from elu_replication.config import experiments
from elu_replication.config.schema import Arm
from elu_replication.runs import evidence

# The prediction interval of 5 runs reaches 3.0 SDs to a side; that of 4 runs 3.6, and of 3 runs 5.0.
LEAST_RUNS = 5
# The p of an exact sign-flip or sign test of 5 pairs is at least 2 / 2^5, above 5%; of 6 it can be below.
LEAST_PAIRS = 6
# Inside a wider prediction interval (in margins, to a side), a published value would say little.
WIDEST = 3.0
# A margin that is a larger share of a published difference cannot tell such a difference from none.
LARGEST_MARGIN = 0.5
ERROR = 1 - statistics.CONFIDENCE
LEVELS = (statistics.CONFIDENCE, 1 - 2 * ERROR)  # the 90% interval is that of two one-sided tests at 5%
# Which activation is faster may depend on the processor.
LEAST_PROCESSORS = 2


class Judgement(NamedTuple):
    """The verdict on a contrast, why, and its p (as in ContrastResult.p_verdict)."""

    verdict: Verdict
    reason: str
    p: float = math.nan


class Estimate(NamedTuple):
    """What a test gives: its kind, the effect and its interval, the p of a difference, and the p of
    equivalence with the 90% interval that shows it."""

    test: Test
    effect: float
    interval: Interval
    p: float
    p_equivalence: float = math.nan
    within: Interval = statistics.NOWHERE


def arms_of(contrast: Contrast) -> dict[str, Arm]:
    """The contrast's arms by name, with the seeds that count for them together."""
    return _counted(*contrast.arms)


@cache
def _counted(*names: str) -> dict[str, Arm]:
    return evidence.counted(names)


@cache
def stored(arm: Arm) -> Stored:
    """The runs of an arm that count."""
    return Stored(arm)


@cache
def values_of(metric: str, arm: Arm) -> pd.Series:
    """A metric of every run of an arm, by seed; or of measured times, by measurement and round."""
    return METRICS[metric].compute(stored(arm)).dropna()


def weighted_sums(contrast: Contrast) -> dict[int, float]:
    """The contrast's weighted sum for each seed (or the median over rounds for each measurement) that all
    of its arms have; NaN where infinite values cancel."""
    arms = arms_of(contrast)
    parts = [weight * values_of(contrast.metric, arms[name]) for name, weight in contrast.arms.items()]
    with np.errstate(invalid="ignore"):
        sums = pd.concat(parts, axis=1, join="inner").sum(axis=1, skipna=False).sort_index()
    if METRICS[contrast.metric].timed:
        sums = sums.groupby("measurement").median()
    sums = sums.round(12)  # a sum of decimals, without what floating-point arithmetic adds
    return dict(zip(map(int, sums.index), sums, strict=True))


def evaluate(contrast: Contrast, values: dict[int, float], scores: int = 1) -> ContrastResult:
    """Everything about a contrast whose weighted sum is `values` by seed, and whose reading has so many
    published scores."""
    sample = list(values.values())
    differences = np.array([value - contrast.reference for value in sample])
    judgement, estimate = judge(contrast, values, scores), estimated(contrast, sample, scores)
    _, sd = statistics.mean_and_sd(differences)
    by_mean = estimate.test == "t"
    undecided = judgement.verdict in UNDECIDED
    result = ContrastResult(
        metric=contrast.metric,
        meaning=METRICS[contrast.metric].meaning,
        arms=contrast.arms,
        expect=contrast.expect,
        test=estimate.test,
        than=contrast.reference,
        margin=contrast.tolerance,
        published=published_effect(contrast),
        values=values,
        effect=estimate.effect,
        interval=estimate.interval,
        sd=sd,
        p=estimate.p,
        p_sign_flip=statistics.sign_flip_p(differences) if by_mean else math.nan,
        p_equivalence=estimate.p_equivalence,
        p_verdict=judgement.p,
        probability_of_improvement=improvement(contrast),
        single_run_share=single_run_share(contrast, sample),
        seeds_needed=seeds_needed(contrast, sample, scores) if undecided else None,
        verdict=judgement.verdict,
        reason=judgement.reason,
        command=command([contrast]),
    )
    if result.directed and by_mean:  # the others look for no difference
        result.minimum_detectable_effect = statistics.minimum_detectable_effect(sd, len(sample))
    return result


def estimated(contrast: Contrast, sample: Sequence[float], scores: int = 1) -> Estimate:
    """The effect by the test that fits: of a new run's value; of signs, where a value is infinite or the
    metric counts epochs to a target, so that a mean says nothing; of the mean."""
    mean, _ = statistics.mean_and_sd(sample)
    if contrast.published is not None:
        interval = statistics.prediction_interval(sample, level(scores))
        return Estimate("prediction", mean, interval, statistics.prediction_p(sample, contrast.published))
    differences, margin = np.array(sample) - contrast.than, contrast.tolerance
    if METRICS[contrast.metric].to_target or not np.isfinite(differences).all():
        ranked = np.where(np.isnan(sample), contrast.than, sample)  # a tie is on neither side
        middle = float(np.median(ranked)) if len(ranked) else math.nan
        interval, within = (statistics.median_interval(ranked, confidence) for confidence in LEVELS)
        p = statistics.sign_p(differences)
        p_equivalence = statistics.sign_equivalence_p(differences, margin)
        return Estimate("sign", middle, interval, p, p_equivalence, within)
    interval, within = (statistics.t_interval(sample, confidence) for confidence in LEVELS)
    p, p_equivalence = statistics.t_p(differences), statistics.equivalence_p(differences, margin)
    return Estimate("t", mean, interval, p, p_equivalence, within)


def level(scores: int) -> float:
    """The confidence of each of so many intervals that hold together with 95%."""
    return 1 - ERROR / scores


def judge(contrast: Contrast, values: dict[int, float], scores: int = 1) -> Judgement:
    """The verdict on this contrast alone."""
    arms = arms_of(contrast)
    counts = {name: len(stored(arm).diverged) for name, arm in arms.items() if stored(arm).diverged}
    lost = ", ".join(f"{name} diverged with {n} seed{'s' * (n > 1)}" for name, n in counts.items())
    if values:
        sample = list(values.values())
        of_value = contrast.published is not None
        judged = judge_value(contrast, sample, scores) if of_value else judge_direction(contrast, sample)
        return judged._replace(reason=f"{judged.reason}; {lost}") if lost else judged
    if lost:
        return Judgement("inconclusive", lost)
    missing = ", ".join(name for name, arm in arms.items() if values_of(contrast.metric, arm).empty)
    return Judgement("not run", f"no runs of {missing}" if missing else "no seed that all arms have")


def judge_value(contrast: Contrast, sample: list[float], scores: int = 1) -> Judgement:
    """Whether a published value is one that a new run may give."""
    published, widest = contrast.reference, WIDEST * contrast.tolerance
    if len(sample) < LEAST_RUNS:
        return Judgement("inconclusive", f"{len(sample)} of the {LEAST_RUNS} runs that a verdict needs")
    mean, sd = statistics.mean_and_sd(sample)
    if math.isnan(sd):
        return Judgement("inconclusive", "a prediction interval needs finite values")
    _, _, interval, p, *_ = estimated(contrast, sample, scores)
    inside = interval.low <= published <= interval.high
    where = "inside" if inside else "outside"
    reason = f"the published {published:.5g} is {where} the prediction interval {interval}"
    if not inside:
        far = f", {abs(published - mean) / sd:.1f} SDs from the mean" if sd else ""
        return Judgement("not replicated", reason + far, p)
    if interval.half_width <= widest:
        return Judgement("replicated", reason)
    reason += f", too wide to decide: ±{interval.half_width:.2g}, at most ±{widest:g}"
    least = statistics.t_quantile(statistics.MOST_SEEDS, level(scores)) * sd
    never = f"; with this SD it is ±{least:.2g} for any number of runs" if least > widest else ""
    return Judgement("inconclusive", reason + never)


def judge_direction(contrast: Contrast, sample: list[float]) -> Judgement:
    """Whether the mean or the median lies on the claimed side, or at what it should be equal to."""
    expect, than, margin = contrast.expect, contrast.than, contrast.tolerance
    unit = "measurements" if METRICS[contrast.metric].timed else "seeds"
    if len(sample) < LEAST_PAIRS:
        return Judgement("inconclusive", f"{len(sample)} of the {LEAST_PAIRS} {unit} that a verdict needs")
    if METRICS[contrast.metric].timed and timing.measured().processor.nunique() < LEAST_PROCESSORS:
        return Judgement("inconclusive", f"measured on fewer than {LEAST_PROCESSORS} kinds of processor")
    test, _, interval, p, p_equivalence, within = estimated(contrast, sample)
    p = 0.0 if math.isnan(p) else p  # without spread, t is infinite
    low, high = interval.low - than, interval.high - than
    same = p_equivalence < ERROR
    equivalent = f"equivalent to {than:g} within {margin:g}, the 90% interval being {within}"
    shown = f"the interval {interval}" + f" of the median{signs(contrast, sample)}" * (test == "sign")
    if expect == "equal":
        if same:
            return Judgement("replicated", equivalent, p_equivalence)
        if low > margin or high < -margin:
            at_margin = contrast.model_copy(update={"than": than + math.copysign(margin, low)})
            p = estimated(at_margin, sample).p if p else p
            return Judgement("not replicated", f"{shown} is further from {than:g} than {margin:g}", p)
        return Judgement("inconclusive", f"{shown} is neither within {margin:g} nor beyond it", 1.0)
    claimed, opposite = (low > 0, high < 0) if expect == "higher" else (high < 0, low > 0)
    flip = statistics.sign_flip_p(np.array(sample) - than) if test == "t" else p
    disagree = (claimed or opposite) != (flip < ERROR)
    doubt = f"; the exact sign-flip test disagrees (p = {flip:.2g})" * disagree
    if claimed or opposite:
        reason = f"{shown} is wholly {'above' if low > 0 else 'below'} {than:g}"
        small = f", though within the margin of {margin:g}" * same
        if claimed:
            return Judgement("replicated", reason + small + doubt, p)
        return Judgement("not replicated", reason + doubt, p / 2)  # one side alone contradicts
    if same and refutable(contrast):
        return Judgement("not replicated", equivalent, p_equivalence)
    reason = f"{shown} reaches both sides of {than:g}"
    if same and not than:
        reason = f"{equivalent}, but the published difference is less than two margins"
    return Judgement("inconclusive", reason + doubt, 1.0)


def refutable(contrast: Contrast) -> bool:
    """Whether equivalence within the margin speaks against a direction: not where the margin is too coarse
    for what was published. Equivalence to a threshold would not say that there is no difference."""
    coarse = contrast.tolerance > LARGEST_MARGIN * abs(published_effect(contrast))
    return not contrast.than and not coarse


def signs(contrast: Contrast, sample: Sequence[float]) -> str:
    """How many pairs lie on each side, and how many runs of an arm reached a target, unless all did."""
    differences = np.array(sample) - contrast.than
    above, below = np.count_nonzero(differences > 0), np.count_nonzero(differences < 0)
    text = f" ({above} above, {below} below, {len(sample) - above - below} tied"
    if METRICS[contrast.metric].to_target:
        for name, arm in arms_of(contrast).items():
            reached = np.isfinite(values_of(contrast.metric, arm))
            text += f"; {name} reached it in {reached.sum()} of {len(reached)}" * (not reached.all())
    return text + ")"


def single_run_share(contrast: Contrast, sample: Sequence[float]) -> float:
    """In what share of seeds one run, judged by its last epoch as the sources do, "shows" the claim: its
    difference has the claimed sign, or, for a value or an equality, is within the margin."""
    sign = {"higher": 1, "lower": -1}.get(contrast.expect or "")
    differences = np.array(sample) - contrast.reference
    shows = np.abs(differences) <= contrast.tolerance if sign is None else sign * differences > 0
    return float(shows.mean()) if sample else math.nan


def improvement(contrast: Contrast) -> float:
    """The probability that a run of the one arm scores above a run of the other; NaN unless two arms are
    compared."""
    names, arms = sorted(contrast.arms, key=contrast.arms.__getitem__), arms_of(contrast)
    if [contrast.arms[name] for name in names] != [-1, 1]:
        return math.nan
    lower, higher = (values_of(contrast.metric, arms[name]).tolist() for name in names)
    return statistics.probability_of_improvement(higher, lower)


def seeds_needed(contrast: Contrast, sample: Sequence[float], scores: int = 1) -> int | None:
    """How many seeds a fresh study needs to decide an undecided contrast with the power and the shrunken
    effect that statistics declares, if the SD is as seen (the least that any verdict needs where there is
    none yet); None where that cannot be said."""
    least = LEAST_PAIRS if contrast.published is None else LEAST_RUNS
    if METRICS[contrast.metric].timed:
        return None
    if len(sample) < (2 if contrast.published is None else LEAST_RUNS):
        return least
    differences, margin = np.array(sample) - contrast.reference, contrast.tolerance
    mean, sd = statistics.mean_and_sd(differences)
    if contrast.published is not None:
        needed = [statistics.seeds_to_predict(sd, WIDEST * margin, level(scores))]
    elif estimated(contrast, sample).test == "sign":
        share = max(float(np.mean(differences > 0)), float(np.mean(differences < 0)))
        needed = [statistics.seeds_for_signs(0.5 + statistics.SHRINKAGE * (share - 0.5))]
    else:
        to_margin = margin - abs(mean)  # either side of the margin decides an equality
        by_margin = contrast.expect == "equal" or (to_margin > 0 and refutable(contrast))
        shown = [mean] * (contrast.expect != "equal") + [to_margin] * by_margin
        needed = [statistics.seeds_to_show(statistics.SHRINKAGE * effect, sd) for effect in shown]
    possible = [n for n in needed if n]
    return max(min(possible), least) if possible else None


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
