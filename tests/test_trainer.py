"""The training loop: Keras' mathematics, the same to the bit each time, and from a checkpoint."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import tiny

from elu_replication.config.schema import Protocol
from elu_replication.datasets import prepared
from elu_replication.engine import data
from elu_replication.engine.models import build
from elu_replication.engine.seeding import epoch_order
from elu_replication.engine.trainer import Observation, Trainer, optimizer_for
from elu_replication.training import checkpoints

PROTOCOLS = {
    "CNN, Adam, dropout": tiny(model="cnn", optimizer="adam", dropout=0.25),
    "MLP, SGD, last batch smaller": tiny(batch_size=64, activation="relu"),
    "MLP, squared error, SReLU": tiny(
        model__hidden_layers=2, loss="squared_error", activation="srelu", optimizer="adam"
    ),
    "autoencoder": tiny(model="autoencoder", loss="squared_error", optimizer="adam", dropout=0.1),
    "autoencoder, summed error": tiny(
        model="autoencoder", loss="summed_squared_error", optimizer__learning_rate=0.0001
    ),
}
AUTOENCODERS = [name for name in PROTOCOLS if name.startswith("autoencoder")]
CLASSIFIERS = [name for name in PROTOCOLS if name not in AUTOENCODERS]


def trainer(protocol: Protocol) -> Trainer:
    arrays, _ = prepared.load(protocol.dataset.name)
    some = arrays | {f"test_{kind}": arrays[f"test_{kind}"][:2500] for kind in ("images", "labels")}
    return Trainer(protocol, data.splits(some, protocol.train_images, protocol.validation_images, 10))


def history(trained: Trainer, seed: int, epochs: int) -> list[Observation]:
    trained.begin(seed)
    return [seen for epoch in range(1, epochs + 1) for seen in trained.epoch(seed, epoch)]


@pytest.mark.parametrize(
    "name", [*CLASSIFIERS, *(pytest.param(name, marks=pytest.mark.long) for name in AUTOENCODERS)]
)
def test_an_epoch_is_keras_fit_on_the_same_order(name: str, mnist: Path) -> None:
    protocol, seed = PROTOCOLS[name], 3
    ours = history(trainer(protocol), seed, 2)
    arrays, _ = prepared.load("mnist")
    parts = data.splits(arrays, protocol.train_images, protocol.validation_images, 10)
    model = build(protocol, seed, (28, 28, 1), 10)
    squared = protocol.loss == "squared_error"
    loss = {
        "squared_error": "mean_squared_error",
        "summed_squared_error": lambda true, output: keras.ops.sum(
            keras.ops.square(true - output), axis=-1
        ),
    }.get(protocol.loss, "sparse_categorical_crossentropy")
    model.compile(optimizer_for(protocol.optimizer), loss, metrics=["accuracy"])
    autoencoder = protocol.model.name == "autoencoder"

    def target(part: data.Split) -> np.ndarray:
        if autoencoder:
            return part.images.reshape(len(part.images), -1)
        return keras.utils.to_categorical(part.labels, 10) if squared else part.labels

    targets = {split: target(part) for split, part in parts.items()}
    for epoch in (1, 2):
        order = epoch_order(seed, epoch, len(parts["train"].labels))
        fitted = model.fit(
            parts["train"].images[order],
            targets["train"][order],
            batch_size=protocol.batch_size,
            shuffle=False,
            verbose=0,
            validation_data=(parts["validation"].images, targets["validation"]),
        ).history
        for seen in ours:
            prefix = {"train": "", "validation": "val_"}.get(seen.split)
            if seen.epoch == epoch and prefix is not None:
                assert seen.loss == pytest.approx(fitted[f"{prefix}loss"][0], rel=1e-5)
                if autoencoder:
                    assert math.isnan(seen.accuracy)
                else:
                    assert seen.accuracy == pytest.approx(fitted[f"{prefix}accuracy"][0], abs=1e-6)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_seed_repeats_to_the_bit_whatever_ran_before_it(name: str, mnist: Path) -> None:
    one, other = trainer(PROTOCOLS[name]), trainer(PROTOCOLS[name])
    keras.utils.set_random_seed(99)  # global state must not matter
    history(other, 8, 1)
    first, second = history(one, 7, 2), history(other, 7, 2)
    assert first == second
    assert [seen.loss for seen in first] != [seen.loss for seen in history(one, 8, 2)]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_resumed_run_is_the_uninterrupted_one(name: str, mnist: Path, tmp_path: Path) -> None:
    whole_run = trainer(PROTOCOLS[name])
    whole, final = history(whole_run, 4, 3), whole_run.state
    begun = history(whole_run, 4, 1)
    checkpoints.save(tmp_path / "run.npz", begun, whole_run.state)
    fresh = trainer(PROTOCOLS[name])
    loaded = checkpoints.load(tmp_path / "run.npz")
    assert loaded is not None
    seen, fresh.state = loaded
    rest = [s for epoch in (2, 3) for s in fresh.epoch(4, epoch)]
    assert [Observation(*s) for s in seen] + rest == whole
    for one, other in zip(final, fresh.state, strict=True):
        np.testing.assert_array_equal(one, other)
