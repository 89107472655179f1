"""What the benchmarks compute; their timings need a quiet machine, and are `make bench`'s and others'."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import growth
import overhead
import throughput as bench
from elu_replication.claims import sources
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.runs import store


def test_operations_are_those_of_the_layers() -> None:
    cnn = experiments.arm(bench.ARMS["CNN"], PUBLISHED).protocol
    forward = 2 * (9 * 32 * 26**2 + 9 * 32 * 64 * 11**2 + 1600 * 256 + 256 * 10)
    both = 3 * forward - 2 * 9 * 32 * 26**2
    assert bench.operations(cnn) == 48_000 * both + 12_000 * forward
    mlp = experiments.arm(bench.ARMS["MLP"], PUBLISHED).protocol
    weights = 784 * 128 + 7 * 128**2 + 128 * 10
    assert bench.operations(mlp) == 55_000 * (6 * weights - 2 * 784 * 128) + 5_000 * 2 * weights


def test_ratios_are_paired_by_round() -> None:
    protocol = experiments.arm(bench.ARMS["MLP"], PUBLISHED).protocol
    timings = [
        bench.Timing("MLP", "engine", [1.0, 2.0, 1.0], 3.0),
        bench.Timing("MLP", "model.fit", [5.0, 10.0, 6.0], 9.0),
        bench.Timing("MLP", "matrix product", [0.5, 0.5, 0.5], 1.0),
    ]
    engine, fit = bench.throughput_table(timings, protocol).itertuples()
    assert (fit.times_the_engine, fit.ratio_least, fit.ratio_most) == (5.0, 5.0, 6.0)
    assert engine.times_the_engine == 1.0
    peak = 2 * bench.PEAK_SIZE**3 * bench.PEAK_PRODUCTS / 0.5
    assert engine.share_of_peak == pytest.approx(bench.operations(protocol) / peak)


@pytest.fixture
def few_arms(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Growth generates two runs of three arms."""
    every = growth.arms

    def few() -> list[Arm]:
        return every()[:3]

    monkeypatch.setattr(growth, "arms", few)
    monkeypatch.setattr(growth, "SEEDS", 2)
    yield
    experiments.load.cache_clear()
    experiments.arm.cache_clear()


@pytest.mark.usefixtures("few_arms")
def test_generated_runs_count_as_trained_ones_do() -> None:
    with growth.repository() as count:
        store.require_whole(growth.arms())
        assert [len(store.current(arm)) for arm in growth.arms()] == [2, 2, 2]
        assert count == 6


@pytest.mark.long
def test_what_a_run_costs_beside_its_training_is_measured(
    mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "RUNS", 2)
    row = overhead.measured("local", workers=1)
    assert row["runs"] == 2
    assert float(str(row["seconds beside it per run"])) > 0
    assert not (experiments.RESULTS / "overhead").exists()


TIMES = """\
import pathlib, sys
from elu_replication.claims import timing
timing.ROUNDS, timing.FILE = 2, pathlib.Path(sys.argv[1])
timing.main()
"""


@pytest.mark.long
def test_a_measurement_of_times_is_added_to_those_that_are_stored(mnist: Path, tmp_path: Path) -> None:
    file = tmp_path / "times.csv"
    arms = list(sources.load().training_seconds)
    before = ""
    for number in (1, 2):
        subprocess.run([sys.executable, "-c", TIMES, str(file)], check=True, capture_output=True)
        assert file.read_text().startswith(before)
        before = file.read_text()
        times = pd.read_csv(file)
        assert times.measurement.unique().tolist() == list(range(1, number + 1))
        latest = times[times.measurement == number]
        assert latest.arm.tolist() == [*arms, *arms[1:], *arms[:1]]  # no arm is always the first
        assert latest["round"].tolist() == [0, 0, 0, 1, 1, 1]
        assert (latest.seconds > 0).all()
