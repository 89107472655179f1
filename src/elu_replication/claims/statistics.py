"""The statistics behind the verdicts: intervals, tests and power for a handful of runs.

Differences are paired by seed where arms share seeds. Everything is repeatable: what is resampled is
drawn by a generator of a fixed seed.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import optimize, stats

from elu_replication.claims.results import Interval

# Of one look, at the declared number of seeds: after every further seed, 5% of errors would become more.
CONFIDENCE = 0.95
POWER = 0.8
RESAMPLES = 5000
MOST_SEEDS = 1000  # beyond this, "seeds needed" says nothing useful
NOWHERE = Interval(math.nan, math.nan)


def t_interval(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Student's interval of the mean; NOWHERE for fewer than 2 values."""
    return _student(values, 1 / max(len(values), 1), confidence)


def prediction_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Where a new run falls with 95% probability: mean ± t s sqrt(1 + 1/n)."""
    return _student(values, 1 + 1 / max(len(values), 1), CONFIDENCE)


def equivalence_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """The 90% interval of the mean, which lies within a margin where two one-sided tests at 5% say so."""
    return t_interval(values, 2 * CONFIDENCE - 1)


def _student(values: Sequence[float] | np.ndarray, variances: float, confidence: float) -> Interval:
    """The mean ± t s sqrt(variances)."""
    if len(values) < 2:
        return NOWHERE
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * sd * math.sqrt(variances)
    return Interval(mean - reach, mean + reach)


def bca_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """The 95% interval of the mean by the bias-corrected accelerated bootstrap, which covers less than it
    says below some twenty values; the one value where all are equal, NOWHERE for fewer than 2."""
    if len(values) < 2:
        return NOWHERE
    if np.ptp(values) == 0:
        return Interval(float(values[0]), float(values[0]))
    interval = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(float(interval.low), float(interval.high))


def sign_flip_p(values: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of the mean under random signs: all 2^n of them, or RESAMPLES where there are more. It
    cannot be below 2 / 2^n; NaN for fewer than 2 values."""
    if len(values) < 2:
        return math.nan
    test = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, rng=np.random.default_rng(0)
    )
    return float(test.pvalue)


def mean_and_sd(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The mean and the sample standard deviation; NaN where there are too few values."""
    mean = float(np.mean(values)) if len(values) else math.nan
    if len(values) < 2:
        return mean, math.nan
    return mean, float(np.std(values, ddof=1)) if np.ptp(values) else 0.0  # rounding can leave a spread


def t_p(values: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of the mean by Student's test; NaN without spread."""
    _, sd = mean_and_sd(values)
    return float(stats.ttest_1samp(values, 0).pvalue) if sd > 0 else math.nan


def equivalence_p(differences: Sequence[float] | np.ndarray, margin: float) -> float:
    """The p of two one-sided t-tests (TOST): below 0.05, the mean lies within ± margin."""
    values = np.asarray(differences, float)
    if len(values) < 2:
        return math.nan
    if np.ptp(values) == 0:
        return 0.0 if abs(values[0]) < margin else 1.0
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    return float(max(above, below))


def probability_of_improvement(higher: Sequence[float], lower: Sequence[float]) -> float:
    """The probability that a run of one arm scores above a run of another, over all pairs of runs;
    ties count half."""
    pairs = len(higher) * len(lower)
    return float(stats.mannwhitneyu(higher, lower).statistic) / pairs if pairs else math.nan


def power(effect: float, sd: float, n: int) -> float:
    """The power of a two-sided paired t-test at 5% for a true mean difference."""
    critical = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    shift = abs(effect) / sd * math.sqrt(n)
    if shift > 30:  # beyond what the noncentral distribution can be computed for
        return 1.0
    tails = stats.nct.sf(critical, n - 1, shift), stats.nct.cdf(-critical, n - 1, shift)
    return float(np.nansum(tails))  # scipy has NaN for a far tail that is 0


def minimum_detectable_effect(sd: float, n: int) -> float:
    """The true difference that n pairs find with a power of 80%."""
    if n < 2 or not sd > 0:
        return math.nan
    return sd * float(optimize.brentq(lambda effect: power(effect, 1.0, n) - POWER, 1e-6, 1e3))


def seeds_to_decide(mean: float, sd: float, margin: float, equal: bool = False) -> int | None:
    """The least number of pairs with which, if mean and SD stay as they are, either the 95% interval
    leaves out 0 (or, where equality is claimed, the margin) or the difference is equivalent within the
    margin; None beyond MOST_SEEDS."""
    if not (math.isfinite(mean) and math.isfinite(sd)):
        return None
    n = np.arange(2, MOST_SEEDS + 1)
    error = sd / np.sqrt(n)
    clear = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * error < abs(mean) - margin * equal
    decided = clear | (stats.t.ppf(CONFIDENCE, n - 1) * error < margin - abs(mean))
    return int(n[decided.argmax()]) if decided.any() else None


def seeds_to_predict(sd: float, half_width: float) -> int | None:
    """The least number of runs whose prediction interval reaches no more than `half_width` to a side, if
    the SD stays as it is; None beyond MOST_SEEDS."""
    n = np.arange(2, MOST_SEEDS + 1)
    narrow = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * sd * np.sqrt(1 + 1 / n) <= half_width
    return int(n[narrow.argmax()]) if narrow.any() else None


def holm(p_values: Sequence[float] | pd.Series) -> np.ndarray:
    """Holm's adjusted p values, in the same order; NaN stays and does not count."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full(len(p), math.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
