"""Which protocol made a published curve: predictive t-tests of the curve against each candidate arm.

A published curve is one run. If a candidate arm is the protocol that made it, the published run is one more
draw from the distribution that the arm's seeds come from, and each summary of it lies within what the seeds
predict. The summaries were chosen after the curves had been seen; so was LEVEL.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy import stats

from elu_replication.claims.metrics import Stored, of_losses
from elu_replication.config import documents, experiments
from elu_replication.config.documents import Strict
from elu_replication.config.schema import PUBLISHED
from elu_replication.errors import UserError
from elu_replication.runs import evidence

CURVES = experiments.FOLDER / "published" / "curves.yaml"
LEVEL = 0.01  # with three summaries and a known SD, a candidate is excluded beyond 2.9 predictive SDs
LAST = 25  # epochs that summaries look at; every published run has them


class Summary(NamedTuple):
    """A number of each column (run) of losses by epoch, and how many readings with errors of their own it
    takes: a mean counts as one, since its epochs may share the error of the axis."""

    split: str
    compute: Callable[[pd.DataFrame], pd.Series]
    readings: int
    meaning: str


SUMMARIES = {
    "early": Summary(
        "validation", lambda losses: losses.loc[3:5].mean(), 1, "mean validation loss of epochs 3 to 5"
    ),
    "level": Summary("validation", lambda losses: losses.loc[16:LAST].mean(), 1, "that of epochs 16 to 25"),
    "rise": Summary(
        "validation",
        lambda losses: pd.Series(losses.loc[LAST] - losses.loc[:LAST].min()),
        2,
        "validation loss of epoch 25 minus the least until then",
    ),
    "training": Summary(
        "train", lambda losses: losses.loc[16:LAST].mean(), 1, "mean training loss of epochs 16 to 25"
    ),
}


class CandidateArm(Strict):
    """An arm that may have made a curve; its seeds are those of `begins_as` where that is given."""

    label: str
    arm: str
    begins_as: str | None = None

    @model_validator(mode="after")
    def _same_protocol(self) -> "CandidateArm":
        try:
            whole, start = (experiments.arm(n, PUBLISHED).protocol for n in (self.arm, self.judged_by))
        except UserError as error:
            raise ValueError(str(error)) from error
        if {**whole.as_dict(), "epochs": 0} != {**start.as_dict(), "epochs": 0}:
            raise ValueError(f"{self.arm} does not begin as {self.judged_by}: the protocols differ")
        return self

    @property
    def judged_by(self) -> str:
        return self.begins_as or self.arm


Losses = list[Annotated[float, Field(gt=0)] | None]


class PublishedCurve(Strict):
    """Losses by epoch as read off a figure (None: hidden there), and the arms that may have made them."""

    run: str
    place: str
    scores: str
    reading_error: Annotated[float, Field(gt=0)]
    training_reading_error: Annotated[float, Field(gt=0)] = math.inf
    candidates: Annotated[list[CandidateArm], Field(min_length=1)]
    controls: list[CandidateArm] = Field([])
    validation_loss: Annotated[Losses, Field(min_length=LAST)]
    training_loss: Losses = Field([])

    @model_validator(mode="after")
    def _complete(self) -> "PublishedCurve":
        experiment, _, arm = self.scores.partition("-")
        if arm not in experiments.load(experiment).published:
            raise ValueError(f"scores: {experiment} has no published scores of {arm!r}")
        if self.training_loss and math.isinf(self.training_reading_error):
            raise ValueError("a training_loss has a training_reading_error")
        return self

    def summaries(self) -> dict[str, tuple[float, float]]:
        """Each summary that the curve has, with the standard uncertainty of its reading."""
        losses = {"validation": self.validation_loss, "train": self.training_loss}
        errors = {"validation": self.reading_error, "train": self.training_reading_error}
        return {
            name: (
                float(summary.compute(_by_epoch(losses[summary.split])).iloc[0]),
                errors[summary.split] * math.sqrt(summary.readings / 3),  # a uniform error's SD: width / √3
            )
            for name, summary in SUMMARIES.items()
            if losses[summary.split]
        }


class PublishedCurves(Strict):
    """The document: how figures were read, and the curves by name."""

    how_read: str
    curves: dict[str, PublishedCurve]


class Distance(Strict):
    """Where a published summary stands among the seeds of an arm, in predictive standard deviations."""

    published: float
    mean: float
    sd: float
    distance: float
    p: float


class Candidate(Strict):
    """What a curve says of an arm. `p` is adjusted for the number of summaries (Bonferroni); NaN, as
    every distance, where the arm has fewer than two seeds."""

    label: str
    arm: str
    judged_by: str
    seeds: int
    distances: dict[str, Distance]
    p: float

    @property
    def excluded(self) -> bool:
        return self.p < LEVEL

    @property
    def judged(self) -> bool:
        return not math.isnan(self.p)

    @property
    def farthest(self) -> tuple[str, Distance]:
        """The summary that fits least."""
        return max(self.distances.items(), key=lambda item: abs(item[1].distance))

    @property
    def limit(self) -> float:
        """The distance beyond which a summary excludes the arm, in predictive SDs."""
        return exclusion_limit(self.seeds, len(self.distances))


class Identification(Strict):
    """The candidates and controls of one published run."""

    run: str
    candidates: list[Candidate]
    controls: list[Candidate]
    evidence: str = ""  # what the seeds are: exploration, or fresh seeds

    @property
    def left(self) -> list[Candidate]:
        """The candidates that are not excluded, those that could not be judged included."""
        return [candidate for candidate in self.candidates if not candidate.excluded]

    @property
    def identified(self) -> Candidate | None:
        """The only candidate left of several, if it was judged; None where the curve does not decide."""
        decisive = len(self.left) == 1 < len(self.candidates) and self.left[0].judged
        return self.left[0] if decisive else None


def exclusion_limit(seeds: int, summaries: int) -> float:
    """Student's two-sided quantile at LEVEL shared by the summaries; NaN below two seeds."""
    return float(stats.t.isf(LEVEL / 2 / summaries, seeds - 1)) if seeds > 1 else math.nan


def distance(published: float, values: Sequence[float] | np.ndarray, uncertainty: float) -> Distance:
    """A published value against those of n seeds: the difference from their mean over
    sqrt(s²(1 + 1/n) + uncertainty²), and its two-sided p by Student's t with n - 1 degrees of freedom;
    NaN below two seeds. Those degrees are conservative, since a reading's uncertainty is known."""
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    if n < 2:
        return Distance(published=published, mean=mean, sd=math.nan, distance=math.nan, p=math.nan)
    sd = float(np.std(values, ddof=1))
    deviations = (published - mean) / math.sqrt(sd**2 * (1 + 1 / n) + uncertainty**2)
    p = 2 * float(stats.t.sf(abs(deviations), n - 1))
    return Distance(published=published, mean=mean, sd=sd, distance=deviations, p=p)


def judge(
    candidate: CandidateArm,
    published: Mapping[str, tuple[float, float]],
    values: Mapping[str, Sequence[float] | np.ndarray],
) -> Candidate:
    """Published summaries, each with its uncertainty, against the seeds' values of the same summaries.
    At most LEVEL of the true protocols are excluded, whatever the dependence between summaries."""
    distances = {name: distance(value, values[name], error) for name, (value, error) in published.items()}
    least = min(distance.p for distance in distances.values())
    return Candidate(
        label=candidate.label,
        arm=candidate.arm,
        judged_by=candidate.judged_by,
        seeds=min(len(values[name]) for name in published),
        distances=distances,
        p=min(1.0, len(distances) * least) if least >= 0 else math.nan,
    )


def load_curves() -> dict[str, PublishedCurve]:
    """The published curves by name; raises UserError naming the file and the entry that is wrong."""
    return documents.checked(CURVES, PublishedCurves).curves


def identify(curve: PublishedCurve) -> Identification:
    """The curve against the stored runs of its candidates and controls."""
    published = curve.summaries()

    arms = evidence.counted(candidate.judged_by for candidate in [*curve.candidates, *curve.controls])

    def against_runs(candidate: CandidateArm) -> Candidate:
        stored = Stored(arms[candidate.judged_by])
        values = {
            name: of_losses(SUMMARIES[name].split, SUMMARIES[name].compute)(stored).dropna().to_numpy()
            for name in published
        }
        return judge(candidate, published, values)

    return Identification(
        run=curve.run,
        candidates=[against_runs(candidate) for candidate in curve.candidates],
        controls=[against_runs(control) for control in curve.controls],
        evidence=evidence.evidence(arms.values()),
    )


def identifications() -> dict[str, Identification]:
    """Every published curve against the stored runs, by its name."""
    return {name: identify(curve) for name, curve in load_curves().items()}


def identified() -> dict[str, str]:
    """The full name of the arm that made each published run, for the runs whose curve decides it."""
    results = {name: result.identified for name, result in identifications().items()}
    return {name: candidate.arm for name, candidate in results.items() if candidate}


def _by_epoch(losses: Losses) -> pd.DataFrame:
    """One column of losses, indexed by epoch from 1."""
    return pd.DataFrame({"published": pd.array(losses, dtype=float)}, index=range(1, len(losses) + 1))
