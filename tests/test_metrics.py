"""What claims measure in a run, on runs whose every number is known."""

import math
from pathlib import Path

import pandas as pd
import pytest
from conftest import tiny
from test_runs import stored

from elu_replication.claims import metrics
from elu_replication.claims.metrics import METRICS, Stored
from elu_replication.config.schema import Arm
from elu_replication.runs import store
from elu_replication.runs.probe_rows import Activity, Perturbation

# Epoch, median activation, mean absolute activation, share of dead units.
PROBED = ((0, 9.0, 9.0, 0.9), (1, 0.6, 0.9, 0.3), (10, -0.2, 0.3, 0.1), (30, 0.4, 0.5, 0.2))


@pytest.fixture
def known(tmp_path: Path) -> Stored:
    """Validation losses .5, .3, .04, .05, .06 and so on up to epoch 30; training loss at ln 10 for 27."""
    arm = Arm("known", tiny(epochs=30), (0,), tmp_path / "known")
    record = stored(arm, 0)
    validation = [0.5, 0.3, *(0.04 + 0.01 * step for step in range(28))]
    history = [(epoch, "validation", loss, 0.9) for epoch, loss in enumerate(validation, 1)]
    history += [(epoch, "train", math.log(10) if epoch <= 27 else 0.09, 0.9) for epoch in range(1, 31)]
    history += [(epoch, "test", 0.02 * epoch, 0.9) for epoch in range(1, 31)]
    activity = [
        Activity(epoch, layer, norm, median, mean, dead, saturated=dead + 0.1, saturated_share=dead + 0.5)
        for epoch, median, mean, dead in PROBED
        for layer, norm in ((0, 5.0), (1, 0.001 if epoch else 0.01), (2, 1.0))
    ]
    perturbations = [
        Perturbation("input_noise", 0.0, 0, 0.99, 0.1),
        Perturbation("input_noise", 0.2, 0, 0.9, 0.3),
        Perturbation("input_noise", 0.4, 0, 0.7, 0.3),
        Perturbation("input_noise", 0.2, 1, deactivated_variance=0.005, activated_variance=1.0),
        Perturbation("input_noise", 0.2, 2, deactivated_variance=0.015, activated_variance=1.0),
        Perturbation("planted", 100.0, 0, 0.5, 2.0),
    ]
    store.store(arm, record, history, {"activity": activity, "perturbations": perturbations})
    return Stored(arm)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("validation_rise", 0.27),
        ("validation_slope", 0.01),
        ("validation_area", (0.8 + sum(0.04 + 0.01 * step for step in range(13))) / 15),
        ("epochs_to_validation_0.05", 3),
        ("epochs_to_train_0.1", 28),
        ("best_epoch", 3),
        ("early_stopping_gain", 0.6 - 0.06),
        ("plateau_share", 0.9),
        ("median_distance", (9 * 0.4 + 20 * 0.3) / 29),  # over epochs, however many were probed
        ("mean_distance", (9 * 0.6 + 20 * 0.4) / 29),
        ("dead_rise", -0.7),
        ("saturated_rise", -0.7),
        ("inactive_share", 0.7),
        ("train_late_change", 0.09 - math.log(10)),
        ("validation_late_change", 0.05),
        ("gradient_depth_initial", -2),
        ("gradient_depth_trained", -3),
        ("noise_drop", 0.19),
        ("planted_drop", 0.49),
        ("deactivated_variance", -2),
        ("test_accuracy", 0.9),
        ("saturated", 0.3),
    ],
)
def test_a_metric_of_a_known_run(name: str, value: float, known: Stored) -> None:
    assert METRICS[name].compute(known).to_dict() == {0: pytest.approx(value)}


def test_a_late_drift_is_from_the_first_probe_after_epoch_25(known: Stored) -> None:
    assert METRICS["median_late_change"].compute(known).tolist() == [0]  # epoch 30 alone is probed
    moved = pd.concat([known.whole, known.whole.tail(1).assign(epoch=60, median_activation=0.3)])
    known.__dict__["whole"] = moved
    assert METRICS["median_late_change"].compute(known).tolist() == pytest.approx([0.3 - 0.4])


def test_a_loss_never_reached_is_reached_at_infinity(known: Stored) -> None:
    """By version 1 of the rules it counted as one epoch more than the run had."""
    assert metrics.first_epoch_at(0.001)(known.losses["test"]).tolist() == [math.inf]


def test_a_run_that_diverged_has_an_infinite_loss_and_the_accuracy_that_it_had(tmp_path: Path) -> None:
    arm = Arm("lost", tiny(epochs=30), (0, 1), tmp_path / "lost")
    finished, lost = stored(arm, 0), stored(arm, 1, accuracy=0.098, loss=math.nan)
    for record, ends in ((finished, [0.5, 0.04, 0.03]), (lost, [0.5, 0.04, math.nan])):
        losses = [*ends[:2], *[ends[2]] * 28][: 30 if record is finished else 3]
        history = [(epoch, s, x, 0.9) for epoch, x in enumerate(losses, 1) for s in ("validation", "train")]
        store.store(arm, record, history, {"activity": [], "perturbations": []})
    both = Stored(arm)
    values = {name: METRICS[name].compute(both).to_dict() for name in METRICS if name != "epoch_time"}
    assert values["test_accuracy"] == {0: 0.9, 1: 0.098}
    assert values["test_loss"] == {0: 0.1, 1: math.inf}
    assert values["validation_accuracy"] == {}  # the record has none
    assert values["epochs_to_validation_0.05"] == {0: 2, 1: 2}  # reached before
    assert values["epochs_to_train_0.001"] == {0: math.inf, 1: math.inf}
    for name in ("validation_rise", "validation_slope", "validation_area", "train_area"):
        assert math.isfinite(values[name][0])
        assert values[name][1] == math.inf
    assert values["best_epoch"] == {0: 3, 1: 2}
    assert values["plateau_share"] == {0: 0, 1: 0}
    assert values["dead_rise"] == values["noise_drop"] == {}


def of_losses(folder: Path, epochs: int, losses: list[float]) -> dict[str, dict[int, float]]:
    """Each metric of losses that a run of so many epochs has, the same on every split."""
    arm = Arm("short", tiny(epochs=epochs), (0,), folder / "short")
    record = stored(arm, 0, loss=losses[-1])
    splits = ("train", "validation", "test")
    history = [(epoch, split, x, 0.1) for epoch, x in enumerate(losses, 1) for split in splits]
    store.store(arm, record, history, {"activity": [], "perturbations": []})
    runs = Stored(arm)
    return {name: METRICS[name].compute(runs).to_dict() for name in METRICS if name != "epoch_time"}


def test_a_run_that_diverged_in_its_first_epoch_has_infinite_losses(tmp_path: Path) -> None:
    values = of_losses(tmp_path, 30, [math.nan])
    losses = ("test_loss", "validation_rise", "validation_slope", "validation_area", "train_area")
    epochs = ("best_epoch", "epochs_to_validation_0.05", "epochs_to_train_0.1", "early_stopping_gain")
    for name in (*losses, *epochs, "train_late_change", "validation_late_change"):
        assert values[name] == {0: math.inf}, name
    assert values["plateau_share"] == {0: 0}


@pytest.mark.parametrize(("epochs", "slope"), [(1, {}), (15, {}), (16, {0: pytest.approx(-0.01)})])
def test_what_a_run_is_too_short_for_it_does_not_have(
    tmp_path: Path, epochs: int, slope: dict[int, float]
) -> None:
    values = of_losses(tmp_path, epochs, [0.5 - 0.01 * epoch for epoch in range(epochs)])
    assert values["validation_slope"] == slope
    assert values["train_late_change"] == values["validation_late_change"] == {}  # no epoch 25
    assert values["best_epoch"] == {0: epochs}
    assert values["validation_rise"] == values["early_stopping_gain"] == {0: 0}


def test_one_probe_alone_is_its_own_mean(known: Stored) -> None:
    known.__dict__["whole"] = known.whole[known.whole.epoch.isin([0, 30])]
    assert METRICS["median_distance"].compute(known).tolist() == pytest.approx([0.4])


def test_probes_of_another_version_do_not_count(known: Stored) -> None:
    files = [path.read_text() for path in store.file_paths(known.arm, 0)]
    record = store.current(known.arm)[0]
    store.write_record(known.arm, record.model_copy(update={"probes_version": 0}).with_checksum(*files))
    old = Stored(known.arm)
    for name in (
        "dead_rise",
        "median_distance",
        "noise_drop",
        "gradient_depth_initial",
        "deactivated_variance",
    ):
        assert METRICS[name].compute(old).empty


def test_every_metric_has_a_margin_and_a_meaning() -> None:
    assert all(metric.margin > 0 and metric.meaning for metric in METRICS.values())
