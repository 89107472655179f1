"""The parts of sentences about verdicts: what is said of a contrast, of some together, and of numbers."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from elu_replication.claims.results import UNDECIDED, ContrastResult, ReadingResult, Results
from elu_replication.config.experiments import FIRST_FRESH
from elu_replication.runs.evidence import EXPLORATION, FRESH

State = Literal["holds", "fails", "undecided"]


class Pair(NamedTuple):
    """A contrast with the reading that it belongs to."""

    reading: ReadingResult
    contrast: ContrastResult


def find(results: Results, claim: str, metric: str, *arms: str) -> Pair:
    """The reading and the contrast of a claim with a metric and these arms, in this order."""
    for reading in results.by_id[claim].readings:
        for contrast in reading.contrasts:
            if (contrast.metric, *contrast.arms) == (metric, *arms):
                return Pair(reading, contrast)
    raise LookupError(f"{claim} has no contrast of {metric} with {', '.join(arms)}")


def joint(parts: Iterable[ReadingResult | ContrastResult]) -> State:
    """ "holds" where all are replicated, "fails" where none is and all are decided, else "undecided"."""
    verdicts = {part.verdict for part in parts}
    if verdicts == {"replicated"}:
        return "holds"
    return "fails" if verdicts == {"not replicated"} else "undecided"


def replicated(parts: Iterable[ReadingResult | ContrastResult]) -> str:
    """How many are replicated, e.g. "4 of 6"."""
    verdicts = [part.verdict for part in parts]
    return f"{verdicts.count('replicated')} of {len(verdicts)}"


def side(contrast: ContrastResult) -> str:
    """Where the whole interval of a difference lies: "higher", "lower", or "" where it has zero inside or
    does not exist."""
    return "higher" if contrast.interval.low > 0 else "lower" if contrast.interval.high < 0 else ""


def clear_side(pair: Pair) -> str:
    """The side of a contrast, or "" where Holm's adjustment leaves its reading undecided."""
    return "" if pair.reading.adjusted in UNDECIDED else side(pair.contrast)


def digits(number: float, sign: str = "") -> str:
    """Four decimals, or one significant digit where these would all be zero, so that zero means zero."""
    text = f"{number:{sign}.4f}"
    places = 4 if float(text) or not number else -math.floor(math.log10(abs(number)))
    return f"{number:{sign}.{places}f}"


def value(contrast: ContrastResult) -> str:
    """E.g. "+0.0027 [-0.0025, 0.0078]" for a difference, without a sign for a level."""
    if not contrast.n:
        return "not run"
    effect = digits(contrast.effect, "+" if len(contrast.arms) > 1 else "")
    low, high = map(digits, contrast.interval)
    return f"{effect} [{low}, {high}]" if contrast.n > 1 else f"{effect} (one seed)"


def points(contrasts: Sequence[ContrastResult]) -> str:
    """The least and the largest of some differences of accuracy, e.g. "0.23 to 0.39 percentage points"."""
    ends = (100 * end(contrast.effect for contrast in contrasts) for end in (min, max))
    return " to ".join(dict.fromkeys(f"{effect:.2f}" for effect in ends)) + " percentage points"


def kind(contrasts: Iterable[ContrastResult]) -> str:
    """What the seeds of some contrasts are."""
    kinds = {min(contrast.values) >= FIRST_FRESH for contrast in contrasts if contrast.n}
    if kinds == {True}:
        return FRESH
    return f"{EXPLORATION} in part" if True in kinds else EXPLORATION


def listed(parts: Sequence[str]) -> str:
    """E.g. "ReLU, SReLU and PReLU"."""
    *most, end = parts
    return f"{', '.join(most)} and {end}" if most else end
