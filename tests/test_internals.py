"""Tables and figures of the probes: what is stored, and nothing else."""

from pathlib import Path

import pytest
from conftest import ROOT, tiny
from test_runs import stored

from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.reports import internals
from elu_replication.reports.arms import Row, declared_at, grouped
from elu_replication.runs import frames, store
from elu_replication.runs.probe_rows import Activity, Perturbation


@pytest.fixture
def row(tmp_path: Path) -> Row:
    """Two seeds whose first layer has a tenth and a thousandth of the last one's gradient."""
    arm = Arm("probed", tiny(activation="sigmoid"), (0, 1, 2), tmp_path / "probed")
    for seed, norm in ((0, 0.1), (1, 0.001)):
        record = stored(arm, seed)
        activity = [
            Activity(epoch, layer, value, 0.5, 0.5, 0.25, 0.0, 0.0)
            for epoch in (0, 2)
            for layer, value in ((0, 1.0), (1, norm), (2, 1.0))
        ]
        perturbations = [
            Perturbation("input_noise", 0.0, 0, 0.9, 0.1),
            Perturbation("input_noise", 0.2, 0, 0.8, 0.2),
            Perturbation("input_noise", 0.2, 1, deactivated_variance=0.1, activated_variance=0.2),
            Perturbation("planted", 1.0, 0, 0.7, 0.2),
        ]
        history = [(epoch, split, 0.1, 0.9) for epoch in (1, 2) for split in ("train", "test")]
        store.store(arm, record, history, {"activity": activity, "perturbations": perturbations})
    return Row("custom", "probed", arm, None)


def test_gradient_ratios_are_to_the_output_layer_and_averaged_as_ratios(row: Row) -> None:
    table = internals.probed([row], "activity")
    assert sorted(table.seed.unique()) == [0, 1]
    profile = internals.depth_profile(table).set_index(["epoch", "layer"]).ratio
    assert profile[(0, 1)] == profile[(2, 1)] == pytest.approx(0.01)
    assert profile[(0, 2)] == 1


def test_tables_give_mean_sd_and_seeds(row: Row) -> None:
    table = frames.over_seeds(internals.probed([row], "activity"), "activity")
    first = table[(table.epoch == 0) & (table.layer == 1)].iloc[0]
    assert first.gradient_norm == pytest.approx((0.1 + 0.001) / 2)
    assert first.gradient_norm_sd == pytest.approx((0.1 - 0.001) / 2**0.5)
    assert first.seeds == 2


def test_what_is_written_is_the_same_to_the_byte_and_drawn_from_the_probes(
    row: Row, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        internals.write([row], tmp_path / name)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"custom_activity.png", "custom_perturbations.csv", "functions.png", "sum_of_sigmoids.png"} <= {
        *written
    }
    for name in written:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    (drawing,) = internals.figures("custom", [row], "perturbations")
    accuracy, planted, variance = drawing.get_axes()
    assert list(accuracy.lines[0].get_ydata()) == [0.9, 0.8]
    assert list(planted.lines[0].get_ydata()) == [0.7]
    assert list(variance.lines[0].get_ydata()) == [0.1]


def test_a_score_that_all_seeds_share_is_drawn_where_its_mean_is_rounded(row: Row) -> None:
    score = 0.003  # the mean of three is more than each
    for seed in row.arm.seeds:
        probes = {"activity": [], "perturbations": [Perturbation("planted", 1.0, 0, score, 0.2)]}
        store.store(row.arm, stored(row.arm, seed), [(1, "train", 0.1, 0.9)], probes)
    (drawing,) = internals.figures("custom", [row], "perturbations")
    _, planted, _ = drawing.get_axes()
    assert planted.lines[0].get_ydata() == pytest.approx([score])


def test_an_arm_without_probes_has_no_figure(row: Row) -> None:
    for seed in (0, 1):
        stored(row.arm, seed, probes_version=0)
    assert internals.probed([row], "activity").empty
    assert not internals.figures("custom", [row], "activity")


def test_the_published_tables_are_those_of_the_stored_runs() -> None:
    table = internals.probed(grouped(declared_at(PUBLISHED))["asu_mlp"], "activity")
    text = frames.over_seeds(table, "activity").to_csv(index=False, float_format="%.5g")
    assert text == (ROOT / "results/published/internals/asu_mlp_activity.csv").read_text()
