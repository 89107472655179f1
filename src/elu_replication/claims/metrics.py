"""What one run is worth in the terms of a claim: a number from its record, history and probes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from elu_replication.claims import timing
from elu_replication.config.schema import Arm
from elu_replication.runs import frames, store

CHANCE_LOSS = math.log(10)  # cross-entropy of ten equally probable classes
NOTHING = pd.Series(dtype=float)
TINY = float(np.finfo(np.float32).tiny)  # a gradient's norm or a variance may underflow to 0


@dataclass
class Stored:
    """The runs of an arm that count; files of a kind are read when a metric first needs them.

    A run that diverged has an infinite loss from then on, and the accuracy that it had. It has no probes of
    the end, so that what is probed is known of finished runs only.
    """

    arm: Arm

    @cached_property
    def diverged(self) -> frozenset[int]:
        """The seeds whose run diverged."""
        return frozenset(r.seed for r in store.current(self.arm) if r.status == "diverged")

    @cached_property
    def final(self) -> pd.DataFrame:
        """A run's scores of the weights that it ended with, by seed."""
        records = store.current(self.arm)
        rows, seeds = [r.final.model_dump() for r in records], [r.seed for r in records]
        scores = pd.DataFrame(rows, seeds, [*store.Scores.model_fields], dtype=float)
        for split in ("train", "validation", "test"):
            lost = scores.index.isin(self.diverged) & scores[f"{split}_accuracy"].notna()
            scores.loc[lost, f"{split}_loss"] = math.inf
        return scores

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Losses by epoch, a column for each split and seed."""
        history = frames.history(self.arm, diverged=True)
        losses = history.pivot(index="epoch", columns=["split", "seed"], values="loss")
        if not self.diverged:
            return losses
        losses = losses.reindex(range(1, self.arm.protocol.epochs + 1))
        lost = losses.columns.get_level_values("seed").isin(self.diverged)
        return losses.where(losses.notna() | ~lost, math.inf)

    @cached_property
    def activity(self) -> pd.DataFrame:
        """Their probe_rows.Activity, with a column `seed`."""
        return frames.probes(self.arm, "activity")

    @cached_property
    def whole(self) -> pd.DataFrame:
        """Their activity of the whole network."""
        return self.activity[self.activity.layer == 0]

    @cached_property
    def perturbations(self) -> pd.DataFrame:
        """Their probe_rows.Perturbation, with a column `seed`."""
        return frames.probes(self.arm, "perturbations")


Computed = Callable[[Stored], pd.Series]


@dataclass(frozen=True)
class Metric:
    """A number of each run: `compute` gives it by seed (of times, by measurement and round), and leaves out
    runs that have none. Numbers that differ by at most `margin` count as the same."""

    compute: Computed
    margin: float
    meaning: str  # what readers see
    to_target: bool = False  # counts epochs to a target, infinite where it is never reached
    timed: bool = False  # measured by `make times`, not in runs


def final(name: str) -> Computed:
    """A score of the weights that a run ended with."""
    return lambda stored: stored.final.get(name, NOTHING).dropna()


def of_losses(split: str, compute: Callable[[pd.DataFrame], pd.Series]) -> Computed:
    """`compute` of the losses of a split (rows are epochs, columns are seeds), infinite where a run that
    diverged has no number; empty without the split."""

    def values(stored: Stored) -> pd.Series:
        if split not in stored.losses:
            return NOTHING
        computed = compute(pd.DataFrame(stored.losses[split]))
        return computed.mask(computed.isna() & computed.index.isin(stored.diverged), math.inf)

    return values


train, validation, test = (partial(of_losses, split) for split in ("train", "validation", "test"))


def rise_at_end(losses: pd.DataFrame) -> pd.Series:
    """How far the last loss is above the least."""
    return losses.ffill().iloc[-1] - losses.min()


def share_at_chance(losses: pd.DataFrame) -> pd.Series:
    """The share of epochs with a loss within 0.01 of guessing's."""
    return ((losses - CHANCE_LOSS).abs() < 0.01).mean()


def slope(losses: pd.DataFrame) -> pd.Series:
    """By how much losses rise an epoch, fitted to the epochs from 15 to 25."""
    fitted = losses.loc[15:25]
    if len(fitted) < 2:
        return NOTHING
    epochs = pd.Series(fitted.index - fitted.index.to_numpy().mean(), fitted.index)
    return fitted.mul(epochs, axis=0).sum(skipna=False) / (epochs**2).sum()  # least squares


def mean_of_first(losses: pd.DataFrame) -> pd.Series:
    """The mean loss of epochs 1 to 15, the area under the beginning of the curve."""
    return losses.loc[:15].mean()


def first_epoch_at(threshold: float) -> Callable[[pd.DataFrame], pd.Series]:
    """The first epoch with a loss of at most `threshold`; infinite where there is none."""

    def first(losses: pd.DataFrame) -> pd.Series:
        reached = losses <= threshold
        return reached.idxmax().astype(float).where(reached.any(), math.inf)

    return first


def epoch_of_least(losses: pd.DataFrame) -> pd.Series:
    """The epoch of the least loss; infinite where none is finite."""
    return losses.idxmin().astype(float).where(losses.min() < math.inf, math.inf)


def early_stopping_gain(stored: Stored) -> pd.Series:
    """Test loss of the last epoch minus that of the epoch of least validation loss."""
    best = validation(pd.DataFrame.idxmin)(stored)

    def gain(losses: pd.DataFrame) -> pd.Series:
        at_best = pd.Series({seed: losses[seed][epoch] for seed, epoch in best.items()}, dtype=float)
        return losses.ffill().iloc[-1] - at_best

    return test(gain)(stored)


def over_epochs(name: str) -> Computed:
    """The mean over epochs of a quantity's distance from 0, for the whole network.

    Epochs between two probed ones are interpolated linearly: probes are denser at the beginning, so that
    their plain mean would weigh the first epochs more.
    """

    def mean(run: pd.DataFrame) -> float:
        values = run[name].abs()
        return float(values.mean() if len(run) < 2 else np.trapezoid(values, run.epoch) / np.ptp(run.epoch))

    return lambda stored: by_seed(stored.whole[stored.whole.epoch > 0], mean)


def at_end(name: str) -> Computed:
    """A quantity of the whole network after the last epoch."""
    return lambda stored: by_seed(stored.whole, lambda run: run[name].iloc[-1])


def rise(name: str) -> Computed:
    """By how much a quantity of the whole network grew from initialization to the last epoch."""
    return lambda stored: by_seed(stored.whole, lambda run: run[name].iloc[-1] - run[name].iloc[0])


def late_change(losses: pd.DataFrame) -> pd.Series:
    """How far the last loss is above that of epoch 25."""
    return losses.ffill().iloc[-1] - losses.loc[25] if 25 in losses.index else NOTHING


def late_drift(name: str) -> Computed:
    """How far a quantity of the whole network is, after the last epoch, above its value after the first
    probed epoch from 25 on."""
    return lambda stored: by_seed(
        stored.whole[stored.whole.epoch >= 25], lambda run: run[name].iloc[-1] - run[name].iloc[0]
    )


def gradient_depth(initial: bool) -> Computed:
    """The decimal logarithm of the first layer's gradient norm over the output layer's."""

    def depth(layers: pd.DataFrame) -> float:
        norms = layers[layers.epoch == (0 if initial else layers.epoch.max())].gradient_norm.to_numpy()
        first, last = np.maximum(norms[[0, -1]], TINY)
        return math.log10(first / last)

    return lambda stored: by_seed(stored.activity[stored.activity.layer > 0], depth)


def accuracy_drop(kind: str) -> Computed:
    """How much accuracy a perturbation costs, averaged over its levels."""

    def drop(scores: pd.DataFrame) -> float:
        clean = scores[(scores.kind == "input_noise") & (scores.level == 0)].accuracy.iloc[0]
        return float(clean - scores[(scores.kind == kind) & (scores.level > 0)].accuracy.mean())

    return lambda stored: by_seed(stored.perturbations[stored.perturbations.layer == 0], drop)


def deactivated_variance(stored: Stored) -> pd.Series:
    """The decimal logarithm of the mean over layers of deactivated units' variance, under input noise of
    standard deviation 0.2."""
    rows = stored.perturbations
    layers = rows[(rows.layer > 0) & (rows.level == 0.2)]
    return by_seed(layers, lambda run: math.log10(max(run.deactivated_variance.mean(), TINY)))


def by_seed(rows: pd.DataFrame, compute: Callable[[pd.DataFrame], float]) -> pd.Series:
    """`compute` of the rows of each run."""
    return pd.Series({seed: compute(run) for seed, run in rows.groupby("seed")}, dtype=float)


def epoch_time(stored: Stored) -> pd.Series:
    """The natural logarithm of an arm's measured seconds per epoch, by measurement and round."""
    times = timing.measured()
    rows = times[times.arm == stored.arm.name].set_index(["measurement", "round"])
    return rows.seconds.astype(float).map(math.log)


# A margin is what would not matter in practice: 0.001 of accuracy is 10 of the 10,000 test images. Margins
# were written after the first runs were stored; the ledger says what was changed when.
METRICS = {
    "test_accuracy": Metric(final("test_accuracy"), 0.001, "test accuracy, last epoch"),
    "validation_accuracy": Metric(final("validation_accuracy"), 0.001, "validation accuracy, last epoch"),
    "test_loss": Metric(final("test_loss"), 0.003, "test loss, last epoch"),
    "validation_loss": Metric(final("validation_loss"), 0.003, "validation loss, last epoch"),
    "train_loss": Metric(final("train_loss"), 0.003, "training loss, last epoch"),
    "validation_rise": Metric(validation(rise_at_end), 0.003, "validation loss: last epoch minus least"),
    "validation_slope": Metric(
        validation(slope), 0.0003, "slope of the validation loss, epochs 15 to 25, per epoch"
    ),
    "validation_area": Metric(validation(mean_of_first), 0.003, "mean validation loss, epochs 1 to 15"),
    "train_area": Metric(train(mean_of_first), 0.003, "mean training loss, epochs 1 to 15"),
    "epochs_to_validation_0.05": Metric(
        validation(first_epoch_at(0.05)), 1.0, "first epoch with a validation loss of at most 0.05", True
    ),
    "epochs_to_train_0.1": Metric(
        train(first_epoch_at(0.1)), 1.0, "first epoch with a training loss of at most 0.1", True
    ),
    "epochs_to_train_0.001": Metric(
        train(first_epoch_at(0.001)), 1.0, "first epoch with a training loss of at most 0.001", True
    ),
    "best_epoch": Metric(validation(epoch_of_least), 1.0, "epoch of the least validation loss"),
    "early_stopping_gain": Metric(
        early_stopping_gain, 0.003, "test loss: last epoch minus epoch of least validation loss"
    ),
    "plateau_share": Metric(
        train(share_at_chance), 0.01, "share of epochs with a training loss within 0.01 of ln 10"
    ),
    "median_distance": Metric(
        over_epochs("median_activation"),
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
    "inactive_share": Metric(
        at_end("saturated_share"),
        0.01,
        "share of a hidden unit's images with a derivative below 0.01, mean over units, last epoch",
    ),
    "train_late_change": Metric(train(late_change), 0.003, "training loss: last epoch minus epoch 25"),
    "validation_late_change": Metric(
        validation(late_change), 0.003, "validation loss: last epoch minus epoch 25"
    ),
    "median_late_change": Metric(
        late_drift("median_activation"),
        0.01,
        "median over units of mean activation: last epoch minus first probed from 25 on",
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
    "epoch_time": Metric(epoch_time, 0.02, "ln of seconds per epoch, arms timed in turns", timed=True),
    "deactivated_variance": Metric(
        deactivated_variance, 0.1, "log10 variance of deactivated units under input noise of 0.2"
    ),
}
