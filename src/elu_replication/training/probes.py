"""Measurements inside a network: at chosen epochs of its training, and under perturbation after it.

Probes change no weight and draw from no random generator of the training: runs with and without probes
have the same history to the bit.
"""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from elu_replication.engine.data import Split
from elu_replication.engine.seeding import derived_seed
from elu_replication.engine.trainer import Trainer, count_hits, losses
from elu_replication.runs.probe_rows import PERTURBED_IMAGES, SATURATED, Activity, Perturbation

EPOCHS = (0, 1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 500)  # and the last
PROBED_IMAGES = 1000  # the first of the training images
BATCH = 500  # images in memory at once
INPUT_NOISE = (0.1, 0.2, 0.4, 0.8)  # standard deviations; a pixel is in [0, 1]
PLANTED = (1.0, 100.0, 1e4, 5e6)  # distance below zero of the planted pre-activations


def probed(epoch: int, last: int) -> bool:
    """Whether a run whose last epoch is `last` is probed after `epoch`."""
    return epoch in EPOCHS or epoch == last


def weighted(model: keras.Sequential) -> list[keras.layers.Layer]:
    """The layers with a kernel: one before each activation, and the output layer."""
    return [layer for layer in model.layers if hasattr(layer, "kernel")]


def hidden(model: keras.Sequential, images: tf.Tensor) -> Iterator[tuple[keras.layers.Layer, tf.Tensor]]:
    """Each hidden activation layer with its pre-activations, shape (images, ..., units), in order of the
    forward pass, without dropout."""
    previous, signal = None, images
    for layer in model.layers[:-1]:
        if hasattr(previous, "kernel"):
            yield layer, signal
        signal = layer(signal, training=False)
        previous = layer


def over_units(reduce: Callable[..., tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    """A reduction of `values`, shape (images, ..., units), over all axes but the last: shape (units,)."""
    return reduce(values, axis=list(range(len(values.shape) - 1)))


class Probes:
    """Measurements of a trainer's network with its weights at the time of the call."""

    def __init__(self, trainer: Trainer, data: dict[str, Split]) -> None:
        self.trainer, self.model = trainer, trainer.model
        self.train, self.test = data["train"], data["test"]
        self._sums, self._peaks = tf.function(self._sums_of), tf.function(self._peaks_of)
        self._variances, self._outputs = tf.function(self._variances_of), tf.function(self._planted)

    def activity(self, epoch: int, last: int) -> list[Activity]:
        """The rows of the network (layer 0) and of every layer after `epoch` of a run that ends at `last`.

        An MLP's dead units are counted at every call; those of larger networks, where that takes seconds,
        after the last epoch only.
        """
        norms = self._gradient_norms()
        batches = [self._sums(batch) for batch in self._batches(self.train, PROBED_IMAGES)]
        layers = [
            np.sum([np.stack(sums) for sums in layer], 0, float) for layer in zip(*batches, strict=True)
        ]
        counted = self.trainer.protocol.model.name == "mlp" or epoch == last
        dead = self._dead() if counted else [np.full(sums.shape[1], np.nan) for sums in layers]

        def row(layer: int, norm: float, sums: np.ndarray, dead: np.ndarray) -> Activity:
            activation, saturated, observations = sums
            means = activation / observations
            return Activity(
                epoch,
                layer,
                norm,
                float(np.median(means)),
                float(np.abs(means).mean()),
                float(dead.mean()),
                float((saturated == observations).mean()),
                float((saturated / observations).mean()),
            )

        whole = row(0, float(np.linalg.norm(norms)), np.concatenate(layers, axis=1), np.concatenate(dead))
        inner = map(row, range(1, len(norms)), norms[:-1], layers, dead)
        return [whole, *inner, Activity(epoch, len(norms), norms[-1])]

    def perturbations(self, seed: int) -> list[Perturbation]:
        """The rows of a classifier under normal noise on its input, and with planted pre-activations: for
        each image, one random unit of the first hidden layer (a channel at all its positions) is set to
        -level. Arms with the same seed have the same noise. An autoencoder has no rows, since it has no
        accuracy to lose."""
        if self.trainer.protocol.model.name == "autoencoder":
            return []
        images, labels = self.test.images[:PERTURBED_IMAGES], self.test.labels[:PERTURBED_IMAGES]
        units = weighted(self.model)[0].kernel.shape[-1]
        planted = np.random.default_rng(derived_seed(seed, "planted")).integers(units, size=len(images))
        rows = [Perturbation("input_noise", 0.0, 0, *self._scores(images, labels))]
        for index, level in enumerate(INPUT_NOISE):
            generator = np.random.default_rng(derived_seed(seed, "noise", index))
            one, other = images + np.float32(level) * generator.standard_normal(
                (2, *images.shape), np.float32
            )
            scores = [self._scores(noisy, labels) for noisy in (one, other)]
            rows.append(Perturbation("input_noise", level, 0, *np.mean(scores, axis=0).tolist()))
            parts = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
            sums = np.sum([self._variances(images[p], one[p], other[p]) for p in parts], 0, dtype=float)
            for layer, (off, offs, on, ons) in enumerate(sums, 1):
                variances = float(off / max(offs, 1)), float(on / max(ons, 1))
                rows.append(Perturbation("input_noise", level, layer, np.nan, np.nan, *variances))
        for level in PLANTED:
            rows.append(Perturbation("planted", level, 0, *self._scores(images, labels, planted, level)))
        return rows

    def _batches(self, split: Split, images: int) -> Iterator[tf.Tensor]:
        for start in range(0, min(images, len(split.labels)), BATCH):
            yield tf.constant(split.images[start : min(start + BATCH, images)])

    def _gradient_norms(self) -> list[float]:
        kernels = [layer.kernel.value for layer in weighted(self.model)]
        images, labels = (tf.constant(p[:PROBED_IMAGES]) for p in (self.train.images, self.train.labels))
        with tf.GradientTape() as tape:
            outputs = self.model(images, training=False)
            loss = tf.reduce_mean(losses(self.trainer.protocol, images, labels, outputs))
        return [float(tf.norm(gradient)) for gradient in tape.gradient(loss, kernels)]

    def _dead(self) -> list[np.ndarray]:
        """Which units of each hidden layer are dead, bool; stops once no unit is left that may be."""
        dead = [np.ones(layer.kernel.shape[-1], bool) for layer in weighted(self.model)[:-1]]
        for batch in self._batches(self.train, len(self.train.labels)):
            for units, peaks in zip(dead, self._peaks(batch), strict=True):
                units &= peaks.numpy() <= 0
            if not any(units.any() for units in dead):
                break
        return dead

    def _scores(
        self, images: np.ndarray, labels: np.ndarray, planted: np.ndarray | None = None, level: float = 0.0
    ) -> tuple[float, float]:
        units = np.zeros(len(labels), int) if planted is None else planted
        starts = range(0, len(labels), BATCH)
        parts = [
            self._outputs(images[s : s + BATCH], units[s : s + BATCH], np.float32(level)) for s in starts
        ]
        outputs = tf.concat(parts, axis=0)
        by_image = losses(self.trainer.protocol, tf.constant(images), labels, outputs)
        return int(count_hits(labels, outputs)) / len(labels), float(tf.reduce_mean(by_image))

    # The methods below are compiled by tf.function, since they run over many images many times.

    def _sums_of(self, images: tf.Tensor) -> list[tuple[tf.Tensor, ...]]:
        """For each hidden layer, per unit: the sum of activations, the number of observations with a
        derivative < SATURATED, and the number of observations."""
        sums = []
        for layer, before in hidden(self.model, images):
            with tf.GradientTape() as tape:
                tape.watch(before)
                after = layer(before)
            flat = tf.cast(tf.abs(tape.gradient(after, before)) < SATURATED, tf.float32)
            quantities = (after, flat, tf.ones_like(flat))
            sums.append(tuple(over_units(tf.reduce_sum, values) for values in quantities))
        return sums

    def _peaks_of(self, images: tf.Tensor) -> list[tf.Tensor]:
        """For each hidden layer, the largest pre-activation of each unit."""
        return [over_units(tf.reduce_max, before) for _, before in hidden(self.model, images)]

    def _variances_of(self, images: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Shape (hidden layers, 4): the sum of the variances of deactivated observations and their number,
        then the same for activated observations."""
        sums = []
        draws = (hidden(self.model, batch) for batch in (images, one, other))
        for (layer, before), (_, first), (_, second) in zip(*draws, strict=True):
            variance = tf.square(layer(first) - layer(second)) / 2
            off = tf.cast(before < 0, tf.float32)
            total, number = tf.reduce_sum(variance), tf.cast(tf.size(off), tf.float32)
            off_sum, off_number = tf.reduce_sum(variance * off), tf.reduce_sum(off)
            sums.append(tf.stack([off_sum, off_number, total - off_sum, number - off_number]))
        return tf.stack(sums)

    def _planted(self, images: tf.Tensor, units: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """The outputs with the pre-activation -level at `units`, one per image; at level 0, the plain
        outputs."""
        first, signal = weighted(self.model)[0], images
        for layer in self.model.layers:
            signal = layer(signal, training=False)
            if layer is first:
                chosen = tf.one_hot(units, signal.shape[-1])
                chosen = tf.reshape(chosen, [-1, *[1] * (len(signal.shape) - 2), signal.shape[-1]])
                signal = tf.where((chosen > 0) & (level > 0), -level, signal)
        return signal
