"""Probes: what they report is what the network does, and looking changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny

from elu_replication.config.schema import Protocol
from elu_replication.datasets import prepared
from elu_replication.engine import data
from elu_replication.engine.trainer import Trainer
from elu_replication.runs.probe_rows import Activity, Perturbation
from elu_replication.training import probes, worker
from elu_replication.training.probes import Probes


def opened(protocol: Protocol, seed: int = 0) -> tuple[Trainer, Probes]:
    arrays, _ = prepared.load("mnist")
    parts = data.splits(arrays, protocol.train_images, protocol.validation_images, 10)
    trainer = Trainer(protocol, parts)
    trainer.begin(seed)
    return trainer, Probes(trainer, parts)


@pytest.mark.parametrize("model", ["mlp", pytest.param("cnn", marks=pytest.mark.long)])
def test_a_history_is_the_same_to_the_bit_with_and_without_probes(
    model: str, mnist: Path, tmp_path: Path
) -> None:
    protocol = tiny(model=model, optimizer="adam", dropout=0.25, epochs=2)
    trainer, inside = opened(protocol)
    probed = worker._train(trainer, inside, 5, tmp_path / "a", lambda progress: None)
    inside.perturbations(5)
    left_alone = worker._train(trainer, None, 5, tmp_path / "b", lambda progress: None)
    assert probed.history == left_alone.history
    assert sorted({row.epoch for row in probed.activity}) == [0, 1, 2]
    assert not left_alone.activity


def forward(trainer: Trainer, images: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Pre-activations of an ELU or ReLU MLP and its output, in NumPy and float64."""
    signal, befores = images.reshape(len(images), -1).astype(float), []
    *inner, output = probes.weighted(trainer.model)
    for layer in inner:
        before = signal @ layer.kernel.numpy() + layer.bias.numpy()
        befores.append(before)
        negative = np.exp(np.minimum(before, 0)) - 1 if trainer.protocol.activation.name == "elu" else 0
        signal = np.where(before > 0, before, negative)
    logits = signal @ output.kernel.numpy() + output.bias.numpy()
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return befores, exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("activation", ["elu", "relu"])
def test_activity_is_what_the_definitions_say(activation: str, mnist: Path) -> None:
    trainer, inside = opened(tiny(activation=activation))
    first = probes.weighted(trainer.model)[0]
    bias = first.bias.numpy()
    bias[:16] = -1e6  # an eighth of the units can never be positive
    first.bias.assign(bias)
    rows = inside.activity(0, 3)
    befores, _ = forward(trainer, inside.train.images)
    for row, before in zip(rows, [np.concatenate(befores, axis=1), *befores], strict=False):
        negative = np.exp(np.minimum(before, 0)) if activation == "elu" else np.zeros_like(before)
        after = np.where(before > 0, before, negative - (activation == "elu"))
        slope = np.where(before > 0, 1, negative)
        means = after.mean(axis=0)
        assert row.median_activation == pytest.approx(np.median(means), abs=1e-5)
        assert row.mean_absolute_activation == pytest.approx(np.abs(means).mean(), abs=1e-5)
        assert row.dead == pytest.approx((before <= 0).all(axis=0).mean())
        assert row.saturated == pytest.approx((slope < 0.01).all(axis=0).mean())
        assert row.saturated_share == pytest.approx((slope < 0.01).mean(), abs=1e-4)
    assert rows[1].dead >= 0.125
    assert [row.layer for row in rows] == list(range(len(befores) + 2))
    assert rows[0].gradient_norm == pytest.approx(np.linalg.norm([row.gradient_norm for row in rows[1:]]))
    assert np.isnan(rows[-1].dead)


def test_gradient_norms_are_those_of_finite_differences(mnist: Path) -> None:
    trainer, inside = opened(tiny(model__hidden_layers=2))
    images, labels = inside.train.images[:500], inside.train.labels[:500]

    def loss() -> float:
        _, outputs = forward(trainer, images)
        return float(-np.log(outputs[np.arange(len(labels)), labels]).mean())

    for layer, row in zip(probes.weighted(trainer.model), inside.activity(0, 3)[1:], strict=True):
        # Along the gradient itself, as TensorFlow has it, the derivative of NumPy's loss is its norm.
        kernel, step = layer.kernel.numpy(), 1e-3
        with tf.GradientTape() as tape:
            outputs = trainer.model(images, training=False)
            value = tf.reduce_mean(-tf.math.log(tf.gather(outputs, labels, axis=1, batch_dims=1)))
        direction = tape.gradient(value, layer.kernel.value).numpy()
        direction /= np.linalg.norm(direction)
        layer.kernel.assign(kernel + step * direction)
        above = loss()
        layer.kernel.assign(kernel - step * direction)
        below = loss()
        layer.kernel.assign(kernel)
        assert row.gradient_norm == pytest.approx((above - below) / (2 * step), rel=1e-2)


def test_perturbations_hurt_in_the_way_they_should(mnist: Path) -> None:
    def scores(rows: list[Perturbation], kind: str) -> dict[float, float]:
        return {row.level: row.loss for row in rows if row.kind == kind and row.layer == 0}

    rows = {}
    for activation in ("elu", "relu", "leaky_relu"):
        trainer, inside = opened(tiny(activation=activation, model__hidden_layers=2, train_images=5000))
        for epoch in range(1, 4):
            trainer.epoch(0, epoch)
        rows[activation] = inside.perturbations(0)
        np.testing.assert_equal(inside.perturbations(0), rows[activation])  # the same noise each time
        noise = scores(rows[activation], "input_noise")
        _, outputs = forward(trainer, inside.test.images[:1000])
        if activation != "leaky_relu":
            chosen = outputs[np.arange(1000), inside.test.labels[:1000]]
            assert noise[0.0] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)
        assert noise[0.8] > noise[0.2] > noise[0.0]
    planted = {name: scores(of_one, "planted") for name, of_one in rows.items()}
    # Saturation bounds what a planted value does; a leak passes it on.
    assert planted["relu"][5e6] == planted["relu"][1.0]
    assert planted["elu"][5e6] == pytest.approx(planted["elu"][100.0], rel=1e-6)
    assert planted["leaky_relu"][5e6] > 10 * planted["leaky_relu"][1.0]


def test_deactivated_variance_is_zero_for_relu_units_that_stay_off(mnist: Path) -> None:
    for activation, expected in (("relu", True), ("leaky_relu", False)):
        trainer, inside = opened(tiny(activation=activation))
        for layer in probes.weighted(trainer.model)[:-1]:
            layer.bias.assign(layer.bias.numpy() - 1e3)
        layered = [row for row in inside.perturbations(0) if row.layer]
        assert layered
        assert all((row.deactivated_variance == 0) == expected for row in layered if row.layer == 1)


def test_a_layer_that_is_not_hidden_has_a_gradient_norm_only(mnist: Path) -> None:
    _, inside = opened(tiny(model="autoencoder", loss="squared_error"))
    rows = inside.activity(0, 3)
    assert [row.layer for row in rows] == list(range(9))
    np.testing.assert_equal(rows[-1]._replace(gradient_norm=0), Activity(0, 8, 0))
    assert inside.perturbations(0) == []
