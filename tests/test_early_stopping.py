"""Early stopping, on histories and in training."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import tiny
from hypothesis import given
from hypothesis import strategies as st
from test_runs import stored

from elu_replication.commands import audit
from elu_replication.config.schema import Arm
from elu_replication.datasets import prepared
from elu_replication.engine import data
from elu_replication.reports import figures, tables
from elu_replication.reports.arms import Row
from elu_replication.runs import store
from elu_replication.training import campaign
from elu_replication.training.early_stopping import Stop, stop

# Sixteenths: exact in the float32 that Keras compares in, and often equal.
LOSSES = st.lists(st.integers(0, 160).map(lambda n: n / 16), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ([3, 2, 1], 1, Stop(3, 3)),
        ([3, 2, 4, 1], 1, Stop(3, 2)),
        ([3, 2, 4, 1], 2, Stop(4, 4)),
        ([3, 2, 2, 2], 2, Stop(4, 2)),
        ([1, 2, 3, 4], None, Stop(4, 1)),
    ],
)
def test_where_a_run_stops(losses: Sequence[float], patience: int | None, expected: Stop) -> None:
    assert stop(losses, patience) == expected


@given(losses=LOSSES, patience=st.integers(1, 10))
def test_it_is_what_keras_does(losses: list[float], patience: int) -> None:
    callback = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    callback.set_model(model)
    callback.on_train_begin()
    model.stop_training = False
    reached = 0
    for epoch, loss in enumerate(losses):
        reached = epoch + 1
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    assert stop(losses, patience) == Stop(reached, callback.best_epoch + 1)


def test_an_arm_with_patience_stops_restores_and_saves(mnist: Path, tmp_path: Path) -> None:
    protocol = tiny(patience=2, epochs=60, optimizer="adam", train_images=400)
    arm = Arm("patient", protocol, (0,), tmp_path / "patient", save_model=True)
    campaign.train(campaign.pending([arm]))
    (record,) = store.current(arm)
    rows = store.stored_rows(arm, 0)
    losses = [float(loss) for _, _, split, loss, _ in rows if split == "validation"]
    reached = stop(losses, 2)
    assert reached.epoch == len(losses) < 60
    assert record.final == record.best
    assert record.final.epoch == reached.best
    model = keras.models.load_model(store.model_path(arm, 0))
    test = data.splits(prepared.load("mnist")[0], 400, 100, 10)["test"]
    predicted = model.predict(test.images, batch_size=1000, verbose=0).argmax(axis=1)
    assert np.mean(predicted == test.labels) == pytest.approx(record.final.test_accuracy)
    store.model_path(arm, 0).unlink()
    assert store.why_not_current(arm, 0) == "model not saved"


@pytest.mark.long
def test_the_network_from_scratch_restores_its_best_weights_too(mnist: Path, tmp_path: Path) -> None:
    protocol = tiny(
        patience=2, epochs=60, model="from_scratch", model__hidden_layers=2, optimizer__learning_rate=0.5
    )
    arm = Arm("patient", protocol, (0,), tmp_path / "patient", save_model=True)
    campaign.train(campaign.pending([arm]))
    (record,) = store.current(arm)
    assert record.final.epoch < len(store.stored_rows(arm, 0)) // 3  # it went on, and back
    model = keras.models.load_model(store.model_path(arm, 0))
    test = data.splits(prepared.load("mnist")[0], 600, 100, 10)["test"]
    predicted = model.predict(test.images, batch_size=1000, verbose=0).argmax(axis=1)
    assert np.mean(predicted == test.labels) == pytest.approx(record.final.test_accuracy, abs=2e-4)


def test_runs_that_ended_early_can_be_tabulated_drawn_and_audited(tmp_path: Path) -> None:
    arm = Arm("early", tiny(epochs=9, patience=1), (0, 1), tmp_path / "early")
    stored(arm, 0)  # two epochs each
    stored(arm, 1)
    rows = [Row("custom", "early", arm, None)]
    (drawing,) = figures.figures("custom", rows)
    assert len(drawing.axes) == 2
    tables.write(rows, tmp_path / "tables")
    assert [job.audited_epochs for job in audit.stored_jobs([arm], 5)] == [2, 2]
