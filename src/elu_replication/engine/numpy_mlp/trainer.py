"""The network from scratch trained from a seed, epoch by epoch, beside its Keras twin."""

import math
from functools import partial

import keras
import numpy as np

from elu_replication.config.schema import Protocol
from elu_replication.engine.activations import function
from elu_replication.engine.data import Split
from elu_replication.engine.models import build
from elu_replication.engine.numpy_mlp.network import Network
from elu_replication.engine.seeding import epoch_order
from elu_replication.engine.trainer import EVALUATION_BATCH, Observation


class FromScratchTrainer:
    """Trains the network as engine.trainer.Trainer trains its Keras twin, an MLP: the same initial weights,
    order of images, batches and observations, for a seed."""

    def __init__(self, protocol: Protocol, data: dict[str, Split]) -> None:
        self.protocol = protocol
        train = data["train"]
        self._twin = partial(build, protocol, image_shape=train.image_shape, classes=train.classes)
        one_hot = np.eye(train.classes, dtype=np.float32)
        self.data = {
            name: (part.images.reshape(len(part.labels), -1), one_hot[part.labels])
            for name, part in data.items()
        }
        self.state: list[np.ndarray] = []  # w^1, b^1, w^2, ...

    def begin(self, seed: int) -> None:
        """Give the network the initial weights of `seed`."""
        self.state = self._twin(seed=seed).get_weights()

    @property
    def model(self) -> keras.Sequential:
        """The Keras twin with the weights as they are now."""
        twin = self._twin(seed=0)
        twin.set_weights(self.state)
        return twin

    @property
    def network(self) -> Network:
        return Network(self.state[::2], self.state[1::2], function(self.protocol.activation))

    def epoch(self, seed: int, epoch: int) -> list[Observation]:
        """Train for one epoch (from 1), then evaluate: the observations, training split first."""
        network, batch = self.network, self.protocol.batch_size
        images, targets = self.data["train"]
        order = epoch_order(seed, epoch, len(images))
        outputs = np.empty_like(targets)
        for start in range(0, len(images), batch):
            chosen = order[start : start + batch]
            rate = self.protocol.optimizer.learning_rate
            outputs[chosen] = network.descend(images[chosen], targets[chosen], rate)
        seen = [self._observation(epoch, "train", network, outputs)]
        for split in list(self.data)[1:]:
            images = self.data[split][0]
            starts = range(0, len(images), EVALUATION_BATCH)
            parts = [network.forward(images[start : start + EVALUATION_BATCH])[0][-1] for start in starts]
            seen.append(self._observation(epoch, split, network, np.concatenate(parts)))
        return seen

    def _observation(self, epoch: int, split: str, network: Network, outputs: np.ndarray) -> Observation:
        targets = self.data[split][1]
        loss = math.fsum(network.costs(outputs, targets)) / len(targets)
        hits = int(np.count_nonzero(outputs.argmax(axis=1) == targets.argmax(axis=1)))
        return Observation(epoch, split, loss, hits / len(targets))
