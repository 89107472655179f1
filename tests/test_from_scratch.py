"""The network from scratch: its gradients are right, and it trains as its Keras twin does."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny

from elu_replication.claims.checks import gradient_error
from elu_replication.config.options import group_option
from elu_replication.config.schema import Activation
from elu_replication.datasets import prepared
from elu_replication.engine import data
from elu_replication.engine.activations import ACTIVATIONS, ELU, function
from elu_replication.engine.numpy_mlp.network import Cost, Network
from elu_replication.engine.numpy_mlp.trainer import FromScratchTrainer
from elu_replication.engine.trainer import Trainer


@pytest.mark.parametrize("cost", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backpropagation_is_the_numeric_gradient(name: str, cost: Cost) -> None:
    generator = np.random.default_rng(1)
    sizes = (7, 6, 5, 4)
    weights = [generator.normal(size=shape) for shape in pairwise(sizes)]
    biases = [generator.normal(size=size) for size in sizes[1:]]
    network = Network(weights, biases, function(Activation(**group_option("activation", name))), cost)
    images, targets = generator.normal(size=(9, 7)), np.eye(4)[generator.integers(4, size=9)]
    assert gradient_error(network, images, targets) < 1e-6


def test_a_wrong_gradient_is_noticed() -> None:
    class Wrong(ELU):
        def derivative(self, x: np.ndarray) -> np.ndarray:
            return np.ones_like(x)

    generator = np.random.default_rng(1)
    weights = [generator.normal(size=(3, 4)), generator.normal(size=(4, 2))]
    images, targets = generator.normal(size=(5, 3)), np.eye(2)[[0, 1, 0, 1, 1]]
    for hidden, right in ((ELU(1.0), True), (Wrong(1.0), False)):
        network = Network(weights, [np.zeros(4), np.zeros(2)], hidden)
        assert (gradient_error(network, images, targets) < 1e-6) == right


@pytest.mark.parametrize("activation", ["elu", "relu", "sigmoid"])
def test_it_trains_as_its_keras_twin(activation: str, mnist: Path) -> None:
    protocol = tiny(activation=activation, batch_size=64)
    arrays, _ = prepared.load("mnist")
    parts = data.splits(arrays, protocol.train_images, protocol.validation_images, 10)
    ours, theirs = (
        FromScratchTrainer(tiny(model="from_scratch", activation=activation, batch_size=64), parts),
        Trainer(protocol, parts),
    )
    ours.begin(2), theirs.begin(2)
    for epoch in (1, 2):
        for one, other in zip(ours.epoch(2, epoch), theirs.epoch(2, epoch), strict=True):
            assert one[:2] == other[:2]
            assert one.loss == pytest.approx(other.loss, rel=1e-4)
            assert one.accuracy == pytest.approx(other.accuracy, abs=0.004)
