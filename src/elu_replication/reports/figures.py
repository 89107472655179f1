"""Figures of the training curves, one for each experiment with runs; the DVC stage `figures`."""

import math
import textwrap
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from elu_replication import atomic
from elu_replication.config.experiments import RESULTS
from elu_replication.errors import run_main
from elu_replication.reports import captions
from elu_replication.reports.arms import Row, asked, grouped, histories
from elu_replication.reports.identification import published_losses
from elu_replication.reports.style import BAND, Line, band, bundles, panel_figures, panels_of, save_all
from elu_replication.runs import frames, store

ACCURACY_TICKS = (0.0, 0.5, 0.9, 0.97, 0.99, 0.997, 0.999, 1.0)
TITLE_LETTERS = 120  # in a line of a title, at the width of the narrowest figure
LEAST_ERROR = 1e-4  # an accuracy of 1 has to stand somewhere on a logarithmic axis
PUBLISHED_LINES = {"validation": "-", "train": "--"}  # how published losses of each split are drawn


def error_axis(accuracy: ArrayLike) -> np.ndarray:
    """The place of accuracies on an axis by error rate: one step up for each tenth of the errors."""
    return -np.log10(np.maximum(1 - np.asarray(accuracy, float), LEAST_ERROR))


def beyond(line: Line) -> float:
    """Where, right of the last epoch, an arm's test score stands; an arm has 3% of the axis."""
    return line.row.arm.protocol.epochs * (1.05 + 0.03 * line.position)


def draw(axes: Axes, line: Line, curves: pd.DataFrame, metric: str) -> None:
    """An arm's curves: validation (test where none is held out) in full, training dashed, and the test
    score of the last epoch at the right, unless patience makes another epoch's the run's."""
    to_axis = error_axis if metric == "accuracy" else np.asarray
    protocol, style = line.row.arm.protocol, line.style
    held_out = curves[curves.split == ("validation" if protocol.validation_images else "test")]
    training = curves[curves.split == "train"]
    every = max(1, protocol.epochs // 8)
    first = math.ceil(line.position * every / 4)  # so that markers of arms that coincide do not
    dashed = {"linestyle": "--", "linewidth": min(0.9, style["linewidth"]), "markersize": 3}
    for part, changes in ((held_out, {}), (training, dashed)):
        curve = [to_axis(part[metric + edge]) for edge in BAND]
        band(axes, line, part.epoch, curve, markevery=(first, every), **changes)
    if protocol.patience:  # the scores are of the best epoch, which is another for each seed
        return
    test = curves[curves.split == "test"].tail(1)
    mean, least, largest = (to_axis(test[metric + edge]) for edge in BAND)
    axes.plot([beyond(line)] * 2, np.ravel([least, largest]), color=line.colour, linewidth=1)
    point = {"marker": line.marker, "markersize": 3 if line.single else 6}
    axes.plot([beyond(line)], mean, **{**style, **point})


def draw_published_losses(axes: Axes, drawn: Sequence[Line]) -> None:
    """A black line for each published curve of losses that one of the arms may have made, with crosses of
    the arm's colour; dashed for a training loss."""
    lines = {line.row.label: line for line in drawn}
    for split, style in PUBLISHED_LINES.items():
        for curve in published_losses([line.row for line in drawn], split):
            line = lines[curve.arms[0]]
            every = max(1, line.row.arm.protocol.epochs // 12)
            look: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": style}
            look |= {"marker": "x", "markersize": 5, "markeredgecolor": line.colour, "markevery": every}
            axes.plot(curve.losses.index, curve.losses, **look)


def draw_published_scores(axes: Axes, drawn: Sequence[Line], metric: str) -> None:
    """A cross for each published score, right of the arms that it may belong to: where a source does not
    state alpha, arms with several alphas have the same published score."""
    owners: dict[tuple[str, float], Line] = {}
    for line in drawn:
        if score := line.row.published and getattr(line.row.published, f"test_{metric}"):
            owners[line.colour, score] = line  # the last one stands farthest to the right
    for (colour, score), line in owners.items():
        x = beyond(line) + 0.015 * line.row.arm.protocol.epochs
        y = error_axis([score]) if metric == "accuracy" else [score]
        axes.plot([x], y, "x", color=colour, markersize=7, markeredgewidth=1.6)


def format_axes(axes: Axes, metric: str, last: int) -> None:
    """Title, ticks and grid of axes that have been drawn on. A logarithmic axis ends at a tenth of the
    least mean: a band that nearly reaches zero would take the most of it."""
    axes.set_title(metric, fontsize=9, loc="left")
    axes.set_xlabel("epoch", fontsize=9, labelpad=-10)  # in the line of "test"
    epochs = [tick for tick in axes.get_xticks() if 0 <= tick <= last]
    axes.set_xticks([*epochs, last * 1.1], [*(f"{tick:g}" for tick in epochs), "\ntest"])
    axes.grid(alpha=0.25)
    low, high = axes.get_ylim()
    if metric == "accuracy":
        places = error_axis(ACCURACY_TICKS)
        axes.set_yticks(places, [f"{tick:g}" for tick in ACCURACY_TICKS])
        if not ((low <= places) & (places <= high)).any():  # all scores between two ticks
            axes.set_yticks([low, high], [f"{1 - 10**-end:.4f}" for end in (low, high)])
        axes.set_ylim(low, high)
        axes.set_ylabel("accuracy (axis by error rate)", fontsize=9)
    elif high > 2 * low:
        axes.set_yscale("log")
        means = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
        floor, bottom = means[means > 0].min(initial=1.0) / 10, axes.get_ylim()[0]
        axes.set_ylim(bottom=max(bottom, floor))
        axes.set_ylabel("loss (log axis, bands cut)" if bottom < floor else "loss (log axis)", fontsize=9)
    else:
        axes.set_ylabel("loss", fontsize=9)


def kinds_of_line(rows: Sequence[Row]) -> list[Line2D]:
    """What line styles and markers mean, in grey since they mean the same in every colour."""
    kinds = [
        Line2D([], [], color="0.3", label="validation (test where none is held out)"),
        Line2D([], [], color="0.3", linestyle="--", linewidth=0.9, label="training"),
    ]
    if not all(row.arm.protocol.patience for row in rows):
        kinds.append(Line2D([], [], color="0.3", linestyle="", marker="o", label="test, last epoch"))
    if any(row.published for row in rows):
        kinds.append(Line2D([], [], color="0.3", linestyle="", marker="x", label="published test score"))
    if any(published_losses(rows, split) for split in PUBLISHED_LINES):
        label = "published loss, read off a figure"
        kinds.append(Line2D([], [], color="black", linewidth=0.9, marker="x", markersize=5, label=label))
    return kinds


def figures(name: str, rows: Sequence[Row]) -> list[Figure]:
    """An experiment's curves: loss, and accuracy where its networks have one, for each panel of its
    document that has curves. The title names the panels without."""
    title, panels = panels_of(name, rows)
    metrics = ["loss"] if rows[0].arm.protocol.model.name == "autoencoder" else ["loss", "accuracy"]
    history = histories(rows)
    measured = set(history.arm)
    ran = {panel: mine for panel, mine in panels.items() if any(row.label in measured for row in mine)}
    without = {panel: mine for panel, mine in panels.items() if panel not in ran}
    diverged = {panel for panel, mine in without.items() if any(store.current(row.arm) for row in mine)}
    for reason, names in (("Not run", without.keys() - diverged), ("Diverged", diverged)):
        if names:
            listed = f"{reason}: {'; '.join(panel for panel in panels if panel in names)}"
            title += "\n" + textwrap.fill(listed, TITLE_LETTERS)
    if rows[0].arm.folder.parts[1:2] == ("quick",):
        title += "\nCUT TO QUICK SCALE, not a result"

    def draw_metric(axes: Axes, drawn: list[Line], metric: str) -> None:
        for line in drawn:
            for style, seeds in bundles(line, history):
                draw(axes, style, frames.over_seeds(seeds, "history"), metric)
        draw_published_scores(axes, drawn, metric)
        if metric == "loss":
            draw_published_losses(axes, drawn)
        format_axes(axes, metric, rows[0].arm.protocol.epochs)

    columns = [partial(draw_metric, metric=metric) for metric in metrics]
    drawings = panel_figures(title, ran, measured, columns, width=11.0)
    for drawing in drawings if ran else []:
        drawing.legend(handles=kinds_of_line(rows), fontsize=8, loc="outside lower center", ncols=5)
    return drawings


def main() -> None:
    scope, rows_of_scope = asked("Draw the figures of a scope.")
    with atomic.replaced_folder(RESULTS / scope / "figures") as folder:
        for name, rows in grouped(rows_of_scope).items():
            if any(store.current(row.arm) for row in rows):
                save_all(figures(name, rows), folder / name, captions.of_experiment(name, "curves"))


if __name__ == "__main__":
    run_main(main)
