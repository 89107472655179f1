"""Figures hold the stored curves, and say what was not run."""

import math
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import tiny
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from test_runs import stored

from elu_replication.claims.identification import load_curves
from elu_replication.config import experiments
from elu_replication.config.experiments import Published
from elu_replication.config.options import options
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.engine.activations import ACTIVATIONS
from elu_replication.reports import captions, figures, identification, style
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
    (drawing,) = figures.figures("custom", [Row("custom", "ran", arm, published)])
    loss, accuracy = drawing.get_axes()
    drawn = {tuple(np.round(line.get_ydata(), 6)) for line in accuracy.lines}
    mean = round(float(figures.error_axis(0.94)), 6)
    assert (mean, mean) in drawn
    assert (round(float(figures.error_axis(0.95)), 6),) in drawn
    assert loss.get_yscale() == "log"
    again = figures.figures("custom", [Row("custom", "ran", arm, published)])
    caption = captions.of_experiment("custom", "curves")
    style.save_all([drawing], tmp_path / "one", caption)
    style.save_all(again, tmp_path / "two", caption)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_files_have_their_caption_and_no_date(tmp_path: Path) -> None:
    caption = captions.of_experiment("asu_mlp", "curves")
    assert caption.text.startswith(experiments.load("asu_mlp").question)
    for name in ("one", "two"):
        style.save(Figure(), tmp_path / name, caption, ("png", "svg", "pdf"))
    with PIL.Image.open(tmp_path / "one.png") as image:
        assert (image.text["Title"], image.text["Description"]) == (caption.title, caption.text)
    svg = (tmp_path / "one.svg").read_text()
    assert caption.title in svg
    assert caption.text in svg
    assert b"/Title" in (tmp_path / "one.pdf").read_bytes()
    for kind in ("png", "svg", "pdf"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_published_losses_are_drawn_over_those_of_the_arms_that_may_have_made_them(tmp_path: Path) -> None:
    curves = load_curves()
    rows = []
    for label in ("glorot_elu1", "glorot_relu", "he_relu"):
        arm = Arm(f"machinecurve_25-{label}", tiny(epochs=25), (0,), tmp_path / label)
        stored(arm, 0)
        rows.append(Row("custom", label, arm, None))
    (drawing,) = figures.figures("custom", rows)
    loss, accuracy = drawing.get_axes()
    black = [list(line.get_ydata()) for line in loss.lines if line.get_color() == "black"]
    published = [curves[name].validation_loss for name in ("glorot_elu", "glorot_relu", "he_relu")]
    np.testing.assert_array_equal(sorted(black), sorted(np.array(published, float).tolist()))
    assert not [line for line in accuracy.lines if line.get_color() == "black"]
    quick = Arm("quick-machinecurve_25-he_relu", tiny(epochs=2), (0,), tmp_path / "quick")
    assert not identification.published_losses([Row("custom", "he_relu", quick, None)], "validation")


def crosses(axes: Axes) -> list[tuple[str, float]]:
    return [(line.get_color(), line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "x"]


def test_a_score_that_was_published_for_two_alphas_is_drawn_once(tmp_path: Path) -> None:
    rows = []
    for name, alpha in (("one", 1.0), ("tenth", 0.1)):
        arm = Arm(name, tiny(epochs=2, activation__alpha=alpha), (0,), tmp_path / name)
        stored(arm, 0, accuracy=0.90)
        rows.append(Row("custom", name, arm, Published(test_loss=0.05)))
    loss, _ = figures.figures("custom", rows)[0].get_axes()
    assert crosses(loss) == [(ACTIVATIONS["elu"].colour, 0.05)]
    rows[1] = rows[1]._replace(published=Published(test_loss=0.06))
    loss, _ = figures.figures("custom", rows)[0].get_axes()
    assert [y for _, y in crosses(loss)] == [0.05, 0.06]


def test_seeds_of_two_kinds_are_drawn_one_by_one(tmp_path: Path) -> None:
    arm = Arm("mixed", tiny(epochs=2, validation_images=0), (0, 1), tmp_path / "mixed")
    stored(arm, 0, accuracy=0.10)
    stored(arm, 1, accuracy=0.96)
    (drawing,) = figures.figures("custom", [Row("custom", "mixed", arm, None)])
    _, accuracy = drawing.get_axes()
    curves = [tuple(line.get_ydata()) for line in accuracy.lines if len(line.get_xdata()) == 2]
    for score in (0.10, 0.96):
        assert (figures.error_axis(score),) * 2 in curves
    assert (figures.error_axis(0.53),) * 2 not in curves
    (legend,) = drawing.subfigs[0].legends
    assert legend.get_texts()[0].get_text() == "mixed: ELU (alpha 1), n 2, 1 at chance"


@pytest.mark.parametrize("patience", [None, 2])
def test_the_score_of_a_last_epoch_is_drawn_only_where_it_is_that_of_the_run(
    patience: int | None, tmp_path: Path
) -> None:
    arm = Arm("tried", tiny(epochs=2, patience=patience), (0,), tmp_path / "tried")
    stored(arm, 0)
    (drawing,) = figures.figures("custom", [Row("custom", "tried", arm, None)])
    loss, accuracy = drawing.get_axes()
    places = [x for axes in (loss, accuracy) for line in axes.lines for x in line.get_xdata()]
    assert (max(places) > arm.protocol.epochs) == (patience is None)
    told = [text.get_text() for legend in drawing.legends for text in legend.get_texts()]
    assert ("test, last epoch" in told) == (patience is None)


def test_why_an_arm_has_no_curve(tmp_path: Path) -> None:
    arms = {name: Arm(name, tiny(), (0,), tmp_path / name) for name in ("lost", "unprobed", "idle")}
    stored(arms["lost"], 0, loss=math.inf)
    stored(arms["unprobed"], 0)
    part = Figure().subfigures()
    style.panel_legend(part, [], [Row("trial", name, arm, None) for name, arm in arms.items()])
    texts = [text.get_text().partition(": ELU (alpha 1): ")[2] for text in part.legends[0].get_texts()]
    assert texts == ["diverged", "not measured", "not run"]


@pytest.mark.parametrize(("panels", "split"), [(0, [0]), (1, [1]), (4, [4]), (5, [3, 2]), (10, [4, 3, 3])])
def test_an_experiment_with_many_panels_has_several_figures(
    panels: int, split: list[int], tmp_path: Path
) -> None:
    row = Row("trial", "idle", Arm("idle", tiny(), (0,), tmp_path), None)
    named = {f"panel {number}": [row] for number in range(panels)}
    drawings = style.panel_figures("title\nmore", named, (), [lambda axes, drawn: None], width=11.0)
    assert [len(drawing.get_axes()) for drawing in drawings] == split
    heights = [drawing.get_figheight() * style.DOTS_PER_INCH for drawing in drawings]
    assert max(heights) < 1610  # pixels: what fits a page
    titles = [drawing.get_suptitle() for drawing in drawings]
    assert titles == (
        [f"title ({n} of {len(split)})\nmore" for n in range(1, len(split) + 1)]
        if len(split) > 1
        else ["title\nmore"]
    )
    style.save_all(drawings, tmp_path / "trial", captions.FUNCTIONS)
    names = ["trial.png", *(f"trial-{number}.png" for number in range(2, len(split) + 1))]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(names)


@pytest.mark.parametrize("name", experiments.names())
def test_an_experiment_without_runs_says_so(name: str, tmp_path: Path) -> None:
    arms = experiments.declared(PUBLISHED)[name]
    rows = [Row(name, label, Arm(a.name, a.protocol, a.seeds, tmp_path), None) for label, a in arms.items()]
    (drawing,) = figures.figures(name, rows)
    document = experiments.load(name)
    assert " ".join(drawing.get_suptitle().split("\n")) == (
        f"{document.title} Not run: {'; '.join(document.panels)}"
    )
    assert not drawing.get_axes()
