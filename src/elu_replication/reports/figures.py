"""Figures of the training curves, one for each experiment with runs; the DVC stage `figures`."""

import argparse
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from elu_replication import atomic
from elu_replication.config import experiments
from elu_replication.config.experiments import RESULTS
from elu_replication.config.schema import Activation
from elu_replication.engine.activations import ACTIVATIONS
from elu_replication.errors import run_main
from elu_replication.reports.arms import Row, declared, grouped, histories
from elu_replication.runs import frames, store

ACCURACY_TICKS = (0.0, 0.5, 0.9, 0.97, 0.99, 0.997, 0.999, 1.0)
LEAST_ERROR = 1e-4
UNDATED = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
BAND = ("", "_min", "_max")  # of frames.over_seeds: a mean and the edges of its band


def activation_name(activation: Activation) -> str:
    """E.g. "ELU (alpha 0.1)"."""
    label = ACTIVATIONS[activation.name].label
    return label if activation.alpha is None else f"{label} (alpha {activation.alpha:g})"


def error_axis(accuracy: ArrayLike) -> np.ndarray:
    """Where an accuracy stands on an axis on which each tenth of the errors is one step up."""
    return -np.log10(np.maximum(1 - np.asarray(accuracy, float), LEAST_ERROR))


class Line(NamedTuple):
    """How an arm is drawn: the colour and marker of its activation, filled for the first arm of that
    activation in a panel, open for the second and half filled for others, which are also thinner."""

    row: Row
    colour: str
    marker: str
    repeat: int  # how many arms of the same activation stand before it
    place: int  # among the panel's arms

    @property
    def style(self) -> dict[str, Any]:
        face = "white" if self.repeat == 1 else self.colour
        half = {"fillstyle": "left", "markerfacecoloralt": "white"} if self.repeat > 1 else {}
        width = 1.6 / (1 + 0.5 * self.repeat)
        return {"color": self.colour, "markerfacecolor": face, "linewidth": width, **half}


def lines(rows: Sequence[Row]) -> list[Line]:
    """The arms of a panel with their styles."""
    names = [row.arm.protocol.activation.name for row in rows]
    return [
        Line(row, ACTIVATIONS[name].colour, ACTIVATIONS[name].marker, names[:place].count(name), place)
        for place, (row, name) in enumerate(zip(rows, names, strict=True))
    ]


def draw(axes: Axes, line: Line, curves: pd.DataFrame, metric: str) -> None:
    """An arm's mean over seeds by epoch with a band from the least to the largest: validation (test
    where none is held out) in full, training dashed; at the right, test scores of the last epoch,
    here and, a little further, as published."""
    to_axis = error_axis if metric == "accuracy" else np.asarray
    protocol = line.row.arm.protocol
    last = protocol.epochs
    mine = curves[curves.arm == line.row.label]
    held_out = mine[mine.split == ("validation" if protocol.validation_images else "test")]
    training = mine[mine.split == "train"]
    every = max(1, last // 8)
    marks = {
        "marker": line.marker,
        "markersize": 4.5,
        "markevery": (math.ceil(line.place * every / 4), every),
    }
    for split, looks in (
        (held_out, {"linestyle": "-", **marks}),
        (training, {"linestyle": "--", "linewidth": 0.9, **marks, "markersize": 3}),
    ):
        mean, least, most = (to_axis(split[metric + part]) for part in BAND)
        axes.plot(split.epoch, mean, **{**line.style, **looks})
        axes.fill_between(split.epoch, least, most, color=line.colour, alpha=0.18, linewidth=0)
    beyond = last * (1.05 + 0.03 * line.place)
    test = mine[mine.split == "test"].tail(1)  # a run with patience may end before its last epoch
    mean, least, most = (to_axis(test[metric + part]) for part in BAND)
    axes.plot([beyond, beyond], np.ravel([least, most]), color=line.colour, linewidth=1)
    axes.plot([beyond], mean, line.marker, markersize=6, **line.style)
    if published := line.row.published and getattr(line.row.published, f"test_{metric}"):
        cross: dict[str, Any] = {"color": line.colour, "markersize": 7, "markeredgewidth": 1.6}
        axes.plot([beyond + last * 0.015], to_axis([published]), "x", **cross)


def dress(axes: Axes, metric: str, panel: str, last: int) -> None:
    """Title, axes and grid of a panel that has been drawn; after the last epoch stand the test scores.
    A logarithmic axis ends at a tenth of the least mean, however far a band goes."""
    axes.set_title(f"{panel}: {metric}", fontsize=10, loc="left")
    axes.set_xlabel("epoch")
    epochs = [tick for tick in axes.get_xticks() if 0 <= tick <= last]
    axes.set_xticks([*epochs, last * 1.1], [*(f"{tick:g}" for tick in epochs), "test"])
    axes.grid(alpha=0.25)
    if metric == "loss":
        low, high = axes.get_ylim()
        if high > 2 * low:
            axes.set_yscale("log")
            means = np.concatenate([line.get_ydata() for line in axes.lines])
            floor = means[means > 0].min(initial=1.0) / 10
            bottom = axes.get_ylim()[0]
            axes.set_ylim(bottom=max(bottom, floor))
            axes.set_ylabel("loss (log axis, bands cut)" if bottom < floor else "loss (log axis)")
        else:
            axes.set_ylabel("loss")
    else:
        low, high = axes.get_ylim()
        places = error_axis(ACCURACY_TICKS)
        axes.set_yticks(places, [f"{tick:g}" for tick in ACCURACY_TICKS])
        if not ((low <= places) & (places <= high)).any():  # scores much alike: the axis' ends say where
            axes.set_yticks([low, high], [f"{1 - 10**-end:.4f}" for end in (low, high)])
        axes.set_ylim(low, high)
        axes.set_ylabel("accuracy (axis by error rate)")


KINDS_OF_LINE: tuple[tuple[dict[str, Any], str], ...] = (
    ({"linestyle": "-"}, "validation (test where none is held out)"),
    ({"linestyle": "--", "linewidth": 0.9}, "training"),
    ({"linestyle": "", "marker": "o"}, "test, last epoch"),
)
PUBLISHED_SCORE: tuple[dict[str, Any], str] = ({"linestyle": "", "marker": "x"}, "published test score")


def panel_legend(
    axes: Axes,
    drawn: Sequence[Line],
    missing: Sequence[Row],
    kinds: Sequence[tuple[dict[str, Any], str]] = (),
) -> None:
    """Names each arm of a panel, those without curves as well, and says what each kind of line means."""
    handles = []
    for line in drawn:
        label = f"{arm_label(line.row)}, n {len(frames.finished(line.row.arm))}"
        handles.append(Line2D([], [], marker=line.marker, label=label, **line.style))
    for row in missing:
        stored = [record.status for record in store.current(row.arm)]
        why = "not run" if not stored else "not measured" if "finished" in stored else "diverged"
        handles.append(Line2D([], [], linestyle="", label=f"{arm_label(row)}: {why}"))
    handles += [Line2D([], [], color="0.3", label=meaning, **looks) for looks, meaning in kinds]
    axes.legend(handles=handles, fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))


def arm_label(row: Row) -> str:
    """E.g. "he_elu1: ELU (alpha 1)"."""
    return f"{row.label}: {activation_name(row.arm.protocol.activation)}"


def panels_of(name: str, rows: Sequence[Row]) -> tuple[str, dict[str, list[Row]]]:
    """An experiment's title and the arms of each panel, in its document's order; one for the user's own."""
    if name == "own":
        return "Your own arm", {"Own arm": list(rows)}
    document = experiments.load(name)
    by_label = {row.label: row for row in rows}
    return document.title, {
        panel: [by_label[label] for label in labels if label in by_label]
        for panel, labels in document.panels.items()
    }


def figure(name: str, rows: Sequence[Row]) -> Figure:
    """An experiment's curves: a line of axes (loss, and accuracy where its networks have one) for each
    panel of its document that has curves; the panels without are listed below."""
    title, panels = panels_of(name, rows)
    metrics = ["loss"] if rows[0].arm.protocol.model.name == "autoencoder" else ["loss", "accuracy"]
    curves = frames.over_seeds(histories(rows), "history")
    measured = set(curves.arm)
    ran = {panel: mine for panel, mine in panels.items() if any(row.label in measured for row in mine)}
    made = Figure(figsize=(12.5, 3.4 * len(ran) + 0.8), layout="constrained")
    grid = made.subplots(max(1, len(ran)), len(metrics), squeeze=False)
    for pair, (panel, mine) in zip(grid, ran.items(), strict=False):
        drawn = lines([row for row in mine if row.label in measured])
        for axes, metric in zip(pair, metrics, strict=True):
            for line in drawn:
                draw(axes, line, curves, metric)
            dress(axes, metric, panel, rows[0].arm.protocol.epochs)
        missing = [row for row in mine if row.label not in measured]
        published = [PUBLISHED_SCORE] * any(line.row.published for line in drawn)
        panel_legend(pair[-1], drawn, missing, [*KINDS_OF_LINE, *published])
    if not ran:
        for axes in grid.flat:
            axes.set_axis_off()
    without_curves = {panel: mine for panel, mine in panels.items() if panel not in ran}
    lost = [panel for panel, mine in without_curves.items() if any(store.current(row.arm) for row in mine)]
    idle = [panel for panel in without_curves if panel not in lost]
    if without := [f"{k}: {'; '.join(v)}" for k, v in (("Not run", idle), ("Diverged", lost)) if v]:
        made.supxlabel(". ".join(without), fontsize=9, color="0.4", wrap=True)
    scale = rows[0].arm.folder.parts[1:2]
    cut = " — CUT TO QUICK SCALE, not a result" if scale == ("quick",) else ""
    told = seeds_told(curves.seeds)
    made.suptitle(title + cut + f" ({told})" * bool(told), fontsize=11)
    return made


def seeds_told(counts: pd.Series) -> str:
    """E.g. "1 to 6 seeds an arm; line: mean, band: least to largest"; nothing for no counts."""
    if counts.empty:
        return ""
    least, most = int(counts.min()), int(counts.max())
    if most == 1:
        return "1 seed an arm"
    number = f"{most}" if least == most else f"{least} to {most}"
    return f"{number} seeds an arm; line: mean, band: least to largest"


def save(made: Figure, path: Path, kinds: Sequence[str] = ("png", "svg")) -> None:
    """Write a figure in some of the formats of UNDATED, the same to the byte for the same results."""
    for kind in kinds:
        content = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "elu-replication", "pdf.fonttype": 42}):
            made.savefig(content, format=kind, dpi=110, metadata=UNDATED[kind])
        atomic.write_bytes(path.with_suffix(f".{kind}"), content.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the figures of a scope.")
    parser.add_argument("scope", help="own, or the scale of params.yaml")
    scope = parser.parse_args().scope
    for name, rows in grouped(declared(scope)).items():
        if any(store.current(row.arm) for row in rows):
            save(figure(name, rows), RESULTS / scope / "figures" / name)


if __name__ == "__main__":
    run_main(main)
