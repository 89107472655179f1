"""What one run is worth in the terms of a claim: a number from its record, history and probes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from elu_replication import frames, runs, times
from elu_replication.config import Arm

CHANCE_LOSS = math.log(10)  # cross-entropy of ten equally probable classes


class _Stored:
    """The files of an arm's runs by kind and seed, parsed when the first run wants one of a kind."""

    def __init__(self, arm: Arm) -> None:
        self.arm = arm

    @cached_property
    def losses(self) -> dict[tuple[int, str], np.ndarray]:
        by_split = frames.history(self.arm).groupby(["seed", "split"]).loss
        return {key: losses.to_numpy() for key, losses in by_split}  # type: ignore[misc]

    @cached_property
    def activity(self) -> dict[int, pd.DataFrame]:
        return frames.by_seed(frames.probes(self.arm, "activity"))

    @cached_property
    def disturbances(self) -> dict[int, pd.DataFrame]:
        return frames.by_seed(frames.probes(self.arm, "disturbances"))


@dataclass(frozen=True)
class Run:
    """A finished run that stands for an arm and a seed."""

    record: runs.Record
    stored: _Stored

    @property
    def activity(self) -> pd.DataFrame:
        """Its probe_fields.Activity; empty where it has none of the present version."""
        return self.stored.activity.get(self.record.seed, frames.EMPTY["activity"])

    @property
    def disturbances(self) -> pd.DataFrame:
        """Its probe_fields.Disturbance; empty where it has none of the present version."""
        return self.stored.disturbances.get(self.record.seed, frames.EMPTY["disturbances"])

    def losses(self, split: str) -> np.ndarray:
        """The losses of a split by epoch, from epoch 1 on."""
        return self.stored.losses.get((self.record.seed, split), np.empty(0))


def loaded(arm: Arm) -> dict[int, Run]:
    """The arm's finished runs that count, by seed."""
    stored = _Stored(arm)
    return {record.seed: Run(record, stored) for record in frames.finished(arm)}


@dataclass(frozen=True)
class Metric:
    """How a run's number is computed, in what unit it is told, and by how little two such numbers may
    differ and still be called the same."""

    compute: Callable[[Run], float] | None  # None: measured by `make times`, not in runs
    margin: float
    meaning: str


def final(name: str) -> Callable[[Run], float]:
    """A score of the weights that the run ended with; NaN where the split is not there."""

    def compute(run: Run) -> float:
        value = getattr(run.record.final, name)
        return math.nan if value is None else value

    return compute


def validated(compute: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[Run], float]:
    """A number from the validation and test losses by epoch; NaN where no image is held out."""

    def computed(run: Run) -> float:
        losses = run.losses("validation")
        return float(compute(losses, run.losses("test"))) if len(losses) else math.nan

    return computed


def slope(losses: np.ndarray, first: int, last: int) -> float:
    """By how much losses rise an epoch, fitted to the epochs from `first` to `last`."""
    seen = losses[first - 1 : last]
    return float(np.polynomial.Polynomial.fit(np.arange(len(seen)), seen, 1).convert().coef[1])


def first_epoch_at(split: str, threshold: float) -> Callable[[Run], float]:
    """The first epoch with a loss of at most `threshold`; one after the last where there is none."""

    def compute(run: Run) -> float:
        losses = run.losses(split)
        reached = np.flatnonzero(losses <= threshold)
        return float(reached[0] + 1 if len(reached) else len(losses) + 1)

    return compute


def plateau_share(run: Run) -> float:
    """The share of epochs whose training loss is that of guessing, within 0.01."""
    return float((np.abs(run.losses("train") - CHANCE_LOSS) < 0.01).mean())


def over_epochs(name: str, distance: bool = False) -> Callable[[Run], float]:
    """A quantity of the whole network, averaged over the epochs from the first to the last, linear
    between those probed, which are denser at the beginning; with `distance`, its absolute value."""

    def compute(run: Run) -> float:
        whole = run.activity[(run.activity.layer == 0) & (run.activity.epoch > 0)]
        values = whole[name].abs() if distance else whole[name]
        if len(whole) < 2:
            return float(values.mean())
        return float(np.trapezoid(values, whole.epoch) / np.ptp(whole.epoch))

    return compute


def at_end(name: str) -> Callable[[Run], float]:
    """A quantity of the whole network after the last epoch."""

    def compute(run: Run) -> float:
        whole = run.activity[run.activity.layer == 0][name]
        return float(whole.iloc[-1]) if len(whole) else math.nan

    return compute


def rise(name: str) -> Callable[[Run], float]:
    """By how much a quantity of the whole network grew from initialization to the last epoch."""

    def compute(run: Run) -> float:
        whole = run.activity[run.activity.layer == 0][name]
        return float(whole.iloc[-1] - whole.iloc[0]) if len(whole) else math.nan

    return compute


def gradient_depth(initial: bool) -> Callable[[Run], float]:
    """The decimal logarithm of the first layer's gradient norm over the output layer's."""

    def compute(run: Run) -> float:
        layers = run.activity[run.activity.layer > 0]
        if layers.empty:
            return math.nan
        norms = layers[layers.epoch == (0 if initial else layers.epoch.max())].gradient_norm
        first, last = np.maximum(
            norms.iloc[[0, -1]], np.finfo(np.float32).tiny
        )  # a norm may underflow to 0
        return math.log10(first / last)

    return compute


def accuracy_drop(kind: str) -> Callable[[Run], float]:
    """How much accuracy a disturbance costs, averaged over its levels."""

    def compute(run: Run) -> float:
        scores = run.disturbances[run.disturbances.layer == 0]
        clean = scores[(scores.kind == "input_noise") & (scores.level == 0)].accuracy
        disturbed = scores[(scores.kind == kind) & (scores.level > 0)].accuracy
        return float(clean.iloc[0] - disturbed.mean()) if len(clean) else math.nan

    return compute


def deactivated_variance(run: Run) -> float:
    layers = run.disturbances[(run.disturbances.layer > 0) & (run.disturbances.level == 0.2)]
    return math.log10(layers.deactivated_variance.mean()) if len(layers) else math.nan


def timed(arm: str) -> dict[int, float]:
    """The natural logarithm of an arm's measured seconds per epoch, by round."""
    found = times.measured()
    mine = found[found.arm == arm]
    return {int(turn): math.log(s) for turn, s in zip(mine["round"], mine.seconds, strict=True)}


METRICS = {
    "test_accuracy": Metric(final("test_accuracy"), 0.001, "test accuracy, last epoch"),
    "validation_accuracy": Metric(final("validation_accuracy"), 0.001, "validation accuracy, last epoch"),
    "test_loss": Metric(final("test_loss"), 0.003, "test loss, last epoch"),
    "validation_loss": Metric(final("validation_loss"), 0.003, "validation loss, last epoch"),
    "train_loss": Metric(final("train_loss"), 0.003, "training loss, last epoch"),
    "validation_rise": Metric(
        validated(lambda losses, _: losses[-1] - losses.min()),
        0.003,
        "validation loss: last epoch minus least",
    ),
    "validation_slope": Metric(
        validated(lambda losses, _: slope(losses, 15, 25)),
        0.0003,
        "slope of the validation loss, epochs 15 to 25, per epoch",
    ),
    "validation_area": Metric(
        validated(lambda losses, _: losses[:15].mean()), 0.003, "mean validation loss, epochs 1 to 15"
    ),
    "epochs_to_validation_0.05": Metric(
        first_epoch_at("validation", 0.05), 1.0, "first epoch with a validation loss of at most 0.05"
    ),
    "epochs_to_train_0.1": Metric(
        first_epoch_at("train", 0.1), 1.0, "first epoch with a training loss of at most 0.1"
    ),
    "epochs_to_train_0.001": Metric(
        first_epoch_at("train", 0.001), 1.0, "first epoch with a training loss of at most 0.001"
    ),
    "best_epoch": Metric(
        validated(lambda losses, _: int(losses.argmin()) + 1), 1.0, "epoch of the least validation loss"
    ),
    "early_stopping_gain": Metric(
        validated(lambda losses, test: test[-1] - test[losses.argmin()]),
        0.003,
        "test loss: last epoch minus epoch of least validation loss",
    ),
    "plateau_share": Metric(
        plateau_share, 0.01, "share of epochs with a training loss within 0.01 of ln 10"
    ),
    "median_distance": Metric(
        over_epochs("median_activation", distance=True),
        0.01,
        "distance from 0 of the median over units of mean activation, mean over epochs",
    ),
    "mean_distance": Metric(
        over_epochs("mean_absolute_activation"),
        0.01,
        "mean over units of the absolute mean activation, mean over epochs",
    ),
    "dead_rise": Metric(
        rise("dead"),
        0.01,
        "share of hidden units whose pre-activation is never positive: last epoch minus initially",
    ),
    "saturated": Metric(
        at_end("saturated"), 0.01, "share of hidden units with no derivative of 0.01 or more, last epoch"
    ),
    "saturated_rise": Metric(
        rise("saturated"),
        0.01,
        "share of hidden units with no derivative of 0.01 or more: last epoch minus initially",
    ),
    "gradient_depth_initial": Metric(
        gradient_depth(initial=True), 0.1, "log10 of first layer's gradient norm over last's, initially"
    ),
    "gradient_depth_trained": Metric(
        gradient_depth(initial=False), 0.1, "log10 of first layer's gradient norm over last's, trained"
    ),
    "noise_drop": Metric(
        accuracy_drop("input_noise"), 0.01, "accuracy lost to noise on the input, mean over levels"
    ),
    "planted_drop": Metric(
        accuracy_drop("planted"), 0.01, "accuracy lost to a planted pre-activation, mean over levels"
    ),
    "epoch_time": Metric(None, 0.02, "ln of seconds per epoch, measured in turns"),
    "deactivated_variance": Metric(
        deactivated_variance, 0.1, "log10 variance of deactivated units under input noise of 0.2"
    ),
}
