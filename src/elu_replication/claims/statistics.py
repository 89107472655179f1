"""The statistics behind the verdicts: intervals, tests and power for a handful of runs.

Differences are paired by seed where arms share seeds. Everything is repeatable: what is resampled is
drawn by a generator of a fixed seed.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from elu_replication.claims.results import Interval

# Of one look, at the declared number of seeds: after every further seed, 5% of errors would become more.
CONFIDENCE = 0.95
POWER = 0.8
# Of a seen effect, what a fresh study is planned for: effects that draw attention are seen too large.
SHRINKAGE = 0.6
RESAMPLES = 5000
MOST_SEEDS = 1000  # beyond this, "seeds needed" says nothing useful
NOWHERE = Interval(math.nan, math.nan)


def t_interval(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Student's interval of the mean; NOWHERE for fewer than 2 values."""
    return _student(values, 1 / max(len(values), 1), confidence)


def prediction_interval(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Where a new run falls with this probability: mean ± t s sqrt(1 + 1/n)."""
    return _student(values, 1 + 1 / max(len(values), 1), confidence)


def prediction_p(values: Sequence[float] | np.ndarray, new: float) -> float:
    """The p of a new run's value by the same: the prediction interval of confidence 1 - p ends at it."""
    mean, sd = mean_and_sd(values)
    reach, n = abs(new - mean), len(values)
    if not sd > 0:
        return math.nan if math.isnan(sd) else float(reach == 0)
    return float(2 * special.stdtr(n - 1, -reach / sd / math.sqrt(1 + 1 / n)))


def _student(values: Sequence[float] | np.ndarray, variances: float, confidence: float) -> Interval:
    """The mean ± t s sqrt(variances); NOWHERE where there is no SD."""
    mean, sd = mean_and_sd(values)
    if math.isnan(sd):
        return NOWHERE
    reach = t_quantile(len(values), confidence) * sd * math.sqrt(variances)
    return Interval(mean - reach, mean + reach)


def t_quantile(n: int, confidence: float) -> float:
    """Student's two-sided quantile for n values."""
    return float(special.stdtrit(n - 1, (1 + confidence) / 2))


def median_interval(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The exact interval of the median, from one ordered value to another, which may be infinite. It lies
    on one side of 0 where the sign test says so; NOWHERE below 6 values (at 95%)."""
    ordered = np.sort(values)
    outside = int(stats.binom.ppf((1 - confidence) / 2, len(ordered), 0.5)) if len(ordered) else 0
    return Interval(float(ordered[outside - 1]), float(ordered[-outside])) if outside else NOWHERE


def sign_p(differences: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of the exact sign test. Ties (0, or NaN for inf - inf) count against either side."""
    values = np.asarray(differences, float)
    most = max(int((values > 0).sum()), int((values < 0).sum()))
    return min(1.0, 2 * _as_many(most, len(values)))


def fewest_on_a_side(n: int | np.ndarray) -> np.ndarray:
    """How many of n pairs the sign test at 5% takes to find a side."""
    return stats.binom.isf((1 - CONFIDENCE) / 2, n, 0.5).astype(int) + 1


def sign_equivalence_p(differences: Sequence[float] | np.ndarray, margin: float) -> float:
    """The p of two one-sided sign tests: below 0.05, the median lies within ± margin. NaN is outside."""
    values = np.asarray(differences, float)
    return _as_many(min(int((values <= margin).sum()), int((values >= -margin).sum())), len(values))


def _as_many(successes: int, n: int) -> float:
    """The probability of as many heads or more in n tosses."""
    return float(special.bdtrc(successes - 1, n, 0.5)) if successes else 1.0


def sign_flip_p(values: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of the mean under random signs: all 2^n of them, or RESAMPLES where there are more. It
    cannot be below 2 / 2^n; NaN for fewer than 2 values."""
    if len(values) < 2:
        return math.nan
    signs = _signs(len(values))
    sums = np.abs(signs @ np.asarray(values, float))
    return float(
        np.mean(sums >= sums[0] * (1 - 1e-12))
    )  # a sum in another order may differ in its last bit


@cache
def _signs(n: int) -> np.ndarray:
    """The signs of n values, a row each: every one there is, or RESAMPLES random ones; those of the data
    themselves first."""
    if 2**n <= RESAMPLES:
        return 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    drawn = np.random.default_rng(0).choice([-1, 1], (RESAMPLES, n))
    drawn[0] = 1
    return drawn


def mean_and_sd(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The mean and the sample standard deviation; NaN where there are too few values, or infinite ones."""
    sample = np.asarray(values, float)
    if not len(sample) or not np.isfinite(sample).all():
        return math.nan, math.nan
    if len(sample) < 2:
        return float(sample[0]), math.nan
    return float(sample.mean()), float(sample.std(ddof=1)) if np.ptp(sample) else 0.0  # rounding: a spread


def t_p(values: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of the mean by Student's test; NaN without spread."""
    mean, sd = mean_and_sd(values)
    return 2 * _tail(abs(mean), sd, len(values)) if sd > 0 else math.nan


def equivalence_p(differences: Sequence[float] | np.ndarray, margin: float) -> float:
    """The p of two one-sided t-tests (TOST): below 0.05, the mean lies within ± margin."""
    mean, sd = mean_and_sd(differences)
    if sd == 0:
        return float(abs(mean) >= margin)
    return _tail(margin - abs(mean), sd, len(differences))


def _tail(distance: float, sd: float, n: int) -> float:
    """The one-sided p of a mean at this distance; NaN without an SD."""
    return float(special.stdtr(n - 1, -distance / sd * math.sqrt(n))) if sd > 0 else math.nan


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


def _least(powerful: Callable[[int], float]) -> int | None:
    """The least number whose power is enough, where more have more; None beyond MOST_SEEDS."""
    n = 2 + bisect_left(range(2, MOST_SEEDS + 1), POWER, key=powerful)
    return n if n <= MOST_SEEDS else None


def seeds_to_show(effect: float, sd: float) -> int | None:
    """The least number of pairs that show a true difference with POWER; None beyond MOST_SEEDS."""
    return _least(lambda n: power(effect, sd, n)) if effect and sd > 0 else None


def seeds_to_predict(sd: float, half_width: float, confidence: float = CONFIDENCE) -> int | None:
    """The least number of runs whose prediction interval reaches no more than `half_width` to a side, with
    a probability of POWER if `sd` is the true one; None beyond MOST_SEEDS."""

    def narrow(n: int) -> float:
        widest = half_width / (t_quantile(n, confidence) * math.sqrt(1 + 1 / n))
        return float(stats.chi2.cdf((n - 1) * (widest / sd) ** 2, n - 1))

    return _least(narrow) if sd > 0 else None


def seeds_for_signs(share: float) -> int | None:
    """The least number of pairs whose sign test finds a side with POWER, if it has this share of them;
    None beyond MOST_SEEDS."""
    n = np.arange(1, MOST_SEEDS + 1)
    enough = stats.binom.sf(fewest_on_a_side(n) - 1, n, share) >= POWER
    return int(n[enough.argmax()]) if enough.any() else None


def holm(p_values: Sequence[float] | pd.Series) -> np.ndarray:
    """Holm's adjusted p values, in the same order; NaN stays and does not count."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full(len(p), math.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
