"""The benchmark's arithmetic; its timings need a quiet machine and are `make bench`'s."""

import pytest

import throughput as bench
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED


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
