"""An arm's network trained from a seed, epoch by epoch, the same to the bit each time.

The mathematics is that of keras.Model.fit (batches, float32, the optimizer, dropout, validation
after each epoch). A whole epoch is one graph, so that small networks are not bound by the cost of
dispatching each step, and a run uses one thread, so that its numbers do not depend on how many
cores there are or what else they do.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from elu_replication.config.schema import Optimizer, Protocol
from elu_replication.engine.data import Split
from elu_replication.engine.models import build
from elu_replication.engine.seeding import epoch_order

EVALUATION_BATCH = 1000


class Observation(NamedTuple):
    """Mean loss and accuracy (an autoencoder's is NaN) over one split in one epoch (from 1).

    On "train" they are the running means over the epoch's batches that Keras reports, dropout
    included; on "validation" and "test" those of the weights at the end of the epoch.
    """

    epoch: int
    split: str
    loss: float
    accuracy: float


def use_one_thread() -> None:
    """Fix what could change a run's last bits; call once per process, before anything is computed."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def optimizer_for(optimizer: Optimizer) -> keras.optimizers.Optimizer:
    """Keras' optimizer at its defaults but for the learning rate."""
    classes = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    return classes[optimizer.name](learning_rate=optimizer.learning_rate)


def losses(protocol: Protocol, images: tf.Tensor, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """The loss of each image, shape (n,): cross-entropy, or squared error over the network's outputs,
    whose targets are the one-hot label or, for an autoencoder, the image itself."""
    if protocol.loss == "cross_entropy":
        return keras.losses.sparse_categorical_crossentropy(labels, outputs)
    if protocol.model.name == "autoencoder":
        targets = tf.reshape(images, tf.shape(outputs))
    else:
        targets = tf.one_hot(labels, outputs.shape[-1])
    mean = keras.losses.mean_squared_error(targets, outputs)
    return mean if protocol.loss == "squared_error" else mean * outputs.shape[-1]


class Trainer:
    """A protocol's compiled training and evaluation, used for each of its seeds in turn."""

    def __init__(self, protocol: Protocol, data: dict[str, Split]) -> None:
        self.protocol = protocol
        train = data["train"]
        self.images = len(train.labels)
        self._build = partial(build, protocol, image_shape=train.image_shape, classes=train.classes)
        self.model = self._build(seed=0)
        self.optimizer = optimizer_for(protocol.optimizer)
        self.optimizer.build(self.model.trainable_variables)
        self._fresh = [v.numpy() for v in self.optimizer.variables]
        self._variables = [*self.model.variables, *self.optimizer.variables]
        tensors = {name: tuple(map(tf.constant, (s.images, s.labels))) for name, s in data.items()}
        self._train = self._compile_training(*tensors.pop("train"))
        self._evaluate = {name: self._compile_evaluation(*pair) for name, pair in tensors.items()}

    def _compile_training(self, images: tf.Tensor, labels: tf.Tensor) -> Callable[..., Any]:
        batch, model = self.protocol.batch_size, self.model
        steps = math.ceil(self.images / batch)

        @tf.function(jit_compile=False)
        def epoch(order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            loss_sum, hits = tf.constant(0.0), tf.constant(0)
            for step in tf.range(steps):
                chosen = order[step * batch : (step + 1) * batch]
                batch_images, batch_labels = tf.gather(images, chosen), tf.gather(labels, chosen)
                with tf.GradientTape() as tape:
                    outputs = model(batch_images, training=True)
                    image_losses = losses(self.protocol, batch_images, batch_labels, outputs)
                    loss = tf.reduce_mean(image_losses)
                gradients = tape.gradient(loss, model.trainable_variables)
                self.optimizer.apply(gradients, model.trainable_variables)
                loss_sum += tf.reduce_sum(image_losses)
                hits += count_hits(batch_labels, outputs)
            return loss_sum, hits

        return epoch

    def _compile_evaluation(self, images: tf.Tensor, labels: tf.Tensor) -> Callable[..., Any]:
        batch = EVALUATION_BATCH
        steps = math.ceil(len(labels) / batch)

        @tf.function(jit_compile=False)
        def evaluate() -> tuple[tf.Tensor, tf.Tensor, int]:
            loss_sum, hits = tf.constant(0.0), tf.constant(0)
            for step in tf.range(steps):
                part = slice(step * batch, (step + 1) * batch)
                outputs = self.model(images[part], training=False)
                loss_sum += tf.reduce_sum(losses(self.protocol, images[part], labels[part], outputs))
                hits += count_hits(labels[part], outputs)
            return loss_sum, hits, len(labels)

        return evaluate

    def begin(self, seed: int) -> None:
        """Give the network the initial weights of `seed` and the optimizer its initial state."""
        self.state = [v.numpy() for v in self._build(seed=seed).variables] + self._fresh

    @property
    def state(self) -> list[np.ndarray]:
        """All that the next epoch depends on but the seed: weights, the state of the dropout
        layers, and the optimizer's slots and step count. Assign it to go on from there."""
        return [variable.numpy() for variable in self._variables]

    @state.setter
    def state(self, values: list[np.ndarray]) -> None:
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)

    def epoch(self, seed: int, epoch: int) -> list[Observation]:
        """Train for one epoch (from 1), then evaluate: the observations, training split first."""
        loss_sum, hits = self._train(tf.constant(epoch_order(seed, epoch, self.images)))
        sums = {"train": (loss_sum, hits, self.images)}
        sums |= {split: run() for split, run in self._evaluate.items()}
        return [self._observation(epoch, split, *parts) for split, parts in sums.items()]

    def _observation(self, epoch: int, split: str, loss_sum: Any, hits: Any, images: Any) -> Observation:
        n = int(images)
        accuracy = math.nan if self.protocol.model.name == "autoencoder" else int(hits) / n
        return Observation(epoch, split, float(loss_sum) / n, accuracy)


def count_hits(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """How many images have their own label as the most probable class, int32."""
    predicted = tf.argmax(outputs, axis=-1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(predicted == labels, tf.int32))
