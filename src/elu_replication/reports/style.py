"""How figures look: colours and markers of activations, legends, panels, captions, files."""

import io
import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from elu_replication import atomic
from elu_replication.config import experiments
from elu_replication.config.schema import Activation
from elu_replication.engine.activations import ACTIVATIONS
from elu_replication.reports.arms import Row, alike, at_chance
from elu_replication.runs import evidence, frames, store

BAND = ("", "_min", "_max")  # of frames.over_seeds: a mean and the edges of its band
MOST_ROWS = 4  # of panels; a figure with more panels has two of them in a row
LONG_LABEL = 42  # letters; three longer ones are wider than a panel
PANEL_HEIGHT = 3.5  # inches
DOTS_PER_INCH = 110
# Without the date and the version of Matplotlib, the same results give the same bytes.
UNDATED = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
SEEDS = (
    "A line is the mean over an arm's seeds, and its band goes from the least to the largest seed; where"
    " some seeds learned and others stayed at chance, thin lines are single seeds."
)
CAPTIONS = {
    "curves": (
        "Loss and accuracy by epoch, on validation images (full lines; test images where none are held"
        f" out) and on training images (dashed). {SEEDS} At the right stand the test scores of the last"
        " epoch; compare each marker with the cross of its colour, the score that the source printed."
    ),
    "activity": (
        "Inside the networks: the median over units of the mean activation, the share of units that are"
        " on for no training image (with ReLU, such units are dead), and each layer's gradient norm over"
        f" the output layer's. {SEEDS} Look at whether gradients vanish towards the input, and at how many"
        " units are never on."
    ),
    "perturbations": (
        "Trained networks under perturbation: accuracy under normal noise on the input, accuracy with one"
        " pre-activation of the first hidden layer put far below zero, and the variance that noise causes"
        f" in units that are off. {SEEDS} The flatter a curve, the more robust the arm."
    ),
    "functions": (
        "Every activation function that can be chosen, and its derivative. Look left of zero, where they"
        " differ: a unit does not learn from images where its derivative is zero."
    ),
    "sum_of_sigmoids": (
        "The blog post's sum of shifted sigmoids beside softplus and ReLU, with their derivatives. The"
        " grey band holds the points that the post evaluates; look at where the sum leaves softplus."
    ),
}


def caption(name: str, kind: str) -> str:
    """What a figure shows and what to look at. `name` is an experiment, or "custom", and `kind` a key of
    CAPTIONS; figures of functions have no experiment and ignore `name`."""
    if kind in ("functions", "sum_of_sigmoids"):
        return CAPTIONS[kind]
    return f"{panels_of(name, [])[0]}. {CAPTIONS[kind]}"


def activation_name(activation: Activation) -> str:
    """E.g. "ELU (alpha 0.1)"."""
    name = ACTIVATIONS[activation.name].label
    return name if activation.alpha is None else f"{name} (alpha {activation.alpha:g})"


def arm_label(row: Row) -> str:
    """E.g. "he_elu1: ELU (alpha 1)"."""
    return f"{row.label}: {activation_name(row.arm.protocol.activation)}"


class Line(NamedTuple):
    """How an arm is drawn: with the colour and marker of its activation. Markers are filled for the first
    arm of that activation in a panel, open for the second and half filled for others; the line of each is
    thinner than that of the one before. Single seeds are thin lines without markers."""

    row: Row
    colour: str
    marker: str
    repeat: int  # how many arms of the same activation stand before it
    position: int  # among the panel's arms
    single: bool = False

    @property
    def style(self) -> dict[str, Any]:
        """Keyword arguments of Axes.plot."""
        if self.single:
            return {"color": self.colour, "linewidth": 0.6}
        face = "white" if self.repeat == 1 else self.colour
        half = {"fillstyle": "left", "markerfacecoloralt": "white"} if self.repeat > 1 else {}
        width = 1.6 / (1 + 0.5 * self.repeat)
        marker = {"marker": self.marker, "markersize": 4.5, "markerfacecolor": face, **half}
        return {"color": self.colour, "linewidth": width, **marker}


def lines(rows: Sequence[Row]) -> list[Line]:
    """The arms of a panel with their styles."""
    names = [row.arm.protocol.activation.name for row in rows]
    return [
        Line(row, ACTIVATIONS[name].colour, ACTIVATIONS[name].marker, names[:index].count(name), index)
        for index, (row, name) in enumerate(zip(rows, names, strict=True))
    ]


def bundles(line: Line, table: pd.DataFrame) -> Iterator[tuple[Line, pd.DataFrame]]:
    """What is drawn of an arm: its rows in `table`, or those of each seed where seeds are of two kinds."""
    parts = alike(table, line.row)
    for part in parts:
        yield line._replace(single=len(parts) > 1), part


def band(axes: Axes, line: Line, x: pd.Series, curve: Sequence[ArrayLike], **style: Any) -> None:
    """Draw a mean with its band: `curve` is (mean, least, largest), each with the length of `x`."""
    mean, least, largest = curve
    axes.plot(x, mean, **{**line.style, **style})
    axes.fill_between(x, least, largest, color=line.colour, alpha=0.18, linewidth=0)


def panel_legend(part: SubFigure, drawn: Iterable[Line], missing: Iterable[Row]) -> None:
    """Name the arms of a panel below it: how many seeds each has, and why an arm has no curve."""
    handles = []
    for line in drawn:
        accuracies = [record.final.test_accuracy for record in frames.finished(line.row.arm)]
        idle = int(at_chance(accuracies).sum())
        label = f"{arm_label(line.row)}, n {len(accuracies)}" + f", {idle} at chance" * bool(idle)
        handles.append(Line2D([], [], label=label, **line.style))
    for row in missing:
        statuses = [record.status for record in store.current(row.arm)]
        why = "not run" if not statuses else "not measured" if "finished" in statuses else "diverged"
        handles.append(Line2D([], [], linestyle="", label=f"{arm_label(row)}: {why}"))
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = 3 if longest < LONG_LABEL else 2
    part.legend(handles=handles, fontsize=8, loc="outside lower center", ncols=columns)


def panels_of(name: str, rows: Sequence[Row]) -> tuple[str, dict[str, list[Row]]]:
    """An experiment's title with the evidence, and the arms of each panel, in its document's order; one for
    the custom arm."""
    if name == "custom":
        return "Custom arm", {"Custom arm": list(rows)}
    document = experiments.load(name)
    by_label = {row.label: row for row in rows}
    seeds = evidence.evidence(row.arm for row in rows)
    return document.title + f"\n{seeds.capitalize()}" * bool(seeds), {
        panel: [by_label[label] for label in labels if label in by_label]
        for panel, labels in document.panels.items()
    }


def panel_figure(
    title: str,
    panels: Mapping[str, Sequence[Row]],
    measured: Container[str],
    columns: Sequence[Callable[[Axes, list[Line]], None]],
    width: float,
) -> Figure:
    """A figure of panels, each with its name, one pair of axes for each function of `columns`, which draws
    the `measured` arms there, and a legend. A panel alone in its row is `width` inches wide."""
    across = 2 if len(panels) > MOST_ROWS else 1
    rows = max(1, math.ceil(len(panels) / across))
    size = (width * (1 + 0.45 * (across - 1)), PANEL_HEIGHT * rows + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=11)
    parts = figure.subfigures(rows, across, squeeze=False).flat
    for part, (panel, mine) in zip(parts, panels.items(), strict=False):
        drawn = lines([row for row in mine if row.label in measured])
        part.suptitle(panel, fontsize=10, x=0.01, ha="left")
        for axes, draw in zip(part.subplots(1, len(columns), squeeze=False).flat, columns, strict=True):
            draw(axes, drawn)
        panel_legend(part, drawn, [row for row in mine if row.label not in measured])
    return figure


def save(figure: Figure, path: Path, kinds: Sequence[str] = ("png",)) -> None:
    """Write a figure in some formats of UNDATED, the same to the byte for the same results."""
    for kind in kinds:
        content = io.BytesIO()
        with mpl.rc_context(
            {"svg.hashsalt": "elu-replication", "svg.fonttype": "none", "pdf.fonttype": 42}
        ):
            figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata=UNDATED[kind])
        atomic.write_bytes(path.with_suffix(f".{kind}"), content.getvalue())
