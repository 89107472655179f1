"""Figures hold the stored curves, and say what was not run."""

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny
from matplotlib.figure import Figure
from test_runs import stored

from elu_replication.config import experiments
from elu_replication.config.compose import options
from elu_replication.config.experiments import Published
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.engine.activations import ACTIVATIONS
from elu_replication.reports import figures
from elu_replication.reports.arms import Row


def test_every_activation_has_its_own_colour_and_marker() -> None:
    assert set(ACTIVATIONS) == set(options("activation"))
    styles = [(function.colour, function.marker) for function in ACTIVATIONS.values()]
    colours, markers = zip(*styles, strict=True)
    assert len(set(colours)) == len(set(markers)) == len(styles)


def test_the_accuracy_axis_rises_and_ends() -> None:
    places = figures.error_axis([0.0, 0.5, 0.9, 0.99, 0.999, 1.0])
    assert places.tolist() == pytest.approx([0, np.log10(2), 1, 2, 3, 4])


def test_a_figure_draws_stored_means_and_published_scores(tmp_path: Path) -> None:
    arm = Arm("ran", tiny(epochs=2, validation_images=0), (0, 1), tmp_path / "ran")
    stored(arm, 0, accuracy=0.90)
    stored(arm, 1, accuracy=0.98)
    published = Published(test_accuracy=0.95)
    made = figures.figure("own", [Row("own", "ran", arm, published)])
    loss, accuracy = made.axes
    drawn = {tuple(np.round(line.get_ydata(), 6)) for line in accuracy.lines}
    mean = round(float(figures.error_axis(0.94)), 6)
    assert (mean, mean) in drawn
    assert (round(float(figures.error_axis(0.95)), 6),) in drawn
    assert loss.get_yscale() == "log"
    figures.save(made, tmp_path / "one")
    figures.save(figures.figure("own", [Row("own", "ran", arm, published)]), tmp_path / "two")
    for kind in ("png", "svg"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_why_an_arm_has_no_curve(tmp_path: Path) -> None:
    arms = {name: Arm(name, tiny(), (0,), tmp_path / name) for name in ("lost", "unprobed", "idle")}
    stored(arms["lost"], 0, loss=math.inf)
    stored(arms["unprobed"], 0)
    axes = Figure().subplots()
    figures.panel_legend(axes, [], [Row("trial", name, arm, None) for name, arm in arms.items()])
    told = [text.get_text().partition(": ELU (alpha 1): ")[2] for text in axes.get_legend().get_texts()]
    assert told == ["diverged", "not measured", "not run"]


@pytest.mark.parametrize("name", experiments.names())
def test_an_experiment_without_runs_says_so(name: str, tmp_path: Path) -> None:
    arms = experiments.declared(PUBLISHED)[name]
    rows = [Row(name, label, Arm(a.name, a.protocol, a.seeds, tmp_path), None) for label, a in arms.items()]
    made = figures.figure(name, rows)
    assert made.get_supxlabel() == f"Not run: {'; '.join(experiments.load(name).panels)}"
    assert not any(axes.lines for axes in made.axes)
