"""Tables: means over the right runs, and honest about the others."""

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from conftest import tiny
from test_runs import stored

from elu_replication.config.experiments import Published
from elu_replication.config.schema import Arm
from elu_replication.reports import tables
from elu_replication.reports.arms import Row, at_chance, histories, runs
from elu_replication.runs import frames, store


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """An arm with three runs of which one diverged, one with a stale run, and one without any."""
    folder = tmp_path / "trial"
    arms = [Arm(name, tiny(), (0, 1, 2), folder / name) for name in ("ran", "stale", "missing")]
    stored(arms[0], 0, accuracy=0.90, loss=0.4)
    stored(arms[0], 1, accuracy=0.94, loss=0.2)
    stored(arms[0], 2, loss=math.inf)
    stored(arms[1], 0, code_version="0" * 16)
    published = Published(test_loss=0.25, test_accuracy=0.95)
    return [Row("trial", arm.name, arm, published) for arm in arms]


def test_scores_are_means_and_sample_deviations_over_finished_seeds(rows: list[Row]) -> None:
    ran = tables.summary(rows).iloc[0]
    assert (ran.seeds, ran.diverged, ran.status) == (2, 1, "3 of 3")
    assert ran.test_accuracy == pytest.approx(0.92)
    assert ran.test_accuracy_sd == pytest.approx(0.04 / math.sqrt(2))
    assert ran.test_loss == pytest.approx(0.3)
    assert ran.published_loss == 0.25


def test_stale_and_missing_runs_are_said_and_not_counted(rows: list[Row]) -> None:
    _, stale, missing = tables.summary(rows).itertuples()
    assert stale.status == "0 of 3 (stale: engine changed)"
    assert missing.status == "not run"
    assert (stale.seeds, missing.seeds) == (0, 0)
    assert math.isnan(stale.test_accuracy)


def test_dvc_lists_a_number_for_each_experiment_and_the_scores_of_an_own_arm(rows: list[Row]) -> None:
    stored(rows[1].arm, 0, accuracy=0.95)
    assert tables.metrics(tables.summary(rows)) == {"accuracy": {"trial": 0.95}}
    own = [rows[0]._replace(experiment="custom")]
    assert tables.metrics(tables.summary(own)) == {"test_accuracy": 0.92, "test_loss": 0.3}


def test_seeds_of_two_kinds_have_a_range_and_no_mean(rows: list[Row]) -> None:
    for seed, accuracy in enumerate((0.1135, 0.9639, 0.9693)):
        stored(rows[0].arm, seed, accuracy=accuracy)
    scores = tables.summary(rows[:1])
    assert scores.at_chance[0] == 1
    assert math.isnan(scores.test_accuracy[0])
    text = tables.readable(scores).iloc[0]
    assert text.Seeds == "3 of 3 (1 at chance)"
    assert text["Test accuracy"] == "2 of 3 trained: 0.9639 to 0.9693"


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([0.1427, 0.0974, 0.96], [True, True, False]),
        ([0.1135, 0.1135], [False, False]),  # of one kind
        ([0.2, 0.96], [False, False]),  # it learned something
        ([math.nan, math.nan], [False, False]),
        ([], []),
    ],
)
def test_which_seeds_are_at_chance(accuracies: list[float], expected: list[bool]) -> None:
    assert at_chance(accuracies).tolist() == expected


def test_extra_seeds_do_not_count(rows: list[Row]) -> None:
    stored(rows[0].arm, 9, accuracy=0.0)
    assert tables.summary(rows).test_accuracy[0] == pytest.approx(0.92)


def test_what_a_person_reads(rows: list[Row]) -> None:
    text = tables.markdown(tables.summary(rows))
    assert "| ran   | 3 of 3 (1 diverged)" in text
    assert "0.9200 ± 0.0283" in text
    assert "Not run: 1 of 3 arms (trial 1).\n" in text
    elsewhere = tables.readable(tables.summary([rows[0]._replace(experiment="other")]))
    assert list(elsewhere.Seeds) == ["3 of 3 (1 diverged), shared with trial-ran"]


def test_an_autoencoder_has_early_stopping_without_accuracies(tmp_path: Path) -> None:
    protocol = tiny(model="autoencoder", loss="squared_error")
    arm = Arm("auto", protocol, (0,), tmp_path / "auto")
    record = stored(arm, 0, accuracy=math.nan)
    history = [
        (epoch, s, 0.5 / epoch, math.nan) for epoch in (1, 2) for s in ("train", "validation", "test")
    ]
    store.store(arm, record, history, {kind: [] for kind in store.PROBES})
    stops = tables.early_stopping(histories([Row("trial", "auto", arm, None)]))
    assert set(stops.best_epoch) == {2}
    assert stops.test_accuracy.isna().all()


def test_curves_are_means_over_seeds_by_epoch(rows: list[Row]) -> None:
    curves = frames.over_seeds(histories(rows[:1]), "history")
    last = curves[(curves.split == "test") & (curves.epoch == 1)].iloc[0]
    assert last.accuracy == pytest.approx(0.92)
    assert last.seeds == 2


def test_the_same_runs_write_the_same_bytes(rows: list[Row], tmp_path: Path) -> None:
    for folder in ("one", "two"):
        tables.write(rows, tmp_path / folder)
    names = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    written = pd.read_csv(tmp_path / "one/tables/summary.csv")
    assert list(written.arm) == ["ran", "stale", "missing"]


def test_protocols_name_every_value_that_arms_of_an_experiment_have(rows: list[Row]) -> None:
    ran = rows[0]
    slower = replace(ran.arm.protocol.optimizer, learning_rate=0.25)
    other = ran._replace(arm=replace(ran.arm, protocol=replace(ran.arm.protocol, optimizer=slower)))
    (line,) = tables.protocols([ran, other, ran]).to_dict("records")
    optimizer = ran.arm.protocol.optimizer
    assert line["Optimizer"] == f"{optimizer.name} {optimizer.learning_rate:g}, {optimizer.name} 0.25"
    assert (line["Experiment"], line["Arms"]) == (ran.experiment, 3)
    assert line["Epochs"] == str(ran.arm.protocol.epochs)


def test_a_run_is_listed_once_however_many_experiments_count_it(rows: list[Row]) -> None:
    ran = rows[0]
    other = ran._replace(experiment="other", arm=replace(ran.arm, seeds=(1, 2, 3)))
    some = ran._replace(arm=replace(ran.arm, seeds=(0, 1)))
    assert [record.seed for _, record in runs([some, other])] == [0, 1, 2]
