"""How figures look: colours and markers of activations, legends, panels, files."""

import io
import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
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
from elu_replication.reports.captions import Caption
from elu_replication.runs import evidence, frames, store

BAND = ("", "_min", "_max")  # of frames.over_seeds: a mean and the edges of its band
MOST_PANELS = 4  # of a figure, one below the other: what fits a page
LONG_LABEL = 42  # letters; three longer ones are wider than a panel
PANEL_HEIGHT = 3.4  # inches
DOTS_PER_INCH = 110
# Without the date and the version of Matplotlib, the same results give the same bytes.
UNDATED = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}
DESCRIPTION = {"png": "Description", "svg": "Description", "pdf": "Subject"}


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


def panels_of(name: str, rows: Sequence[Row], about: str = "") -> tuple[str, dict[str, list[Row]]]:
    """An experiment's title, what its figure is about, and the evidence; and the arms of each panel, in its
    document's order, one panel for the custom arm."""
    if name == "custom":
        return f"Custom arm{about}", {"Custom arm": list(rows)}
    document = experiments.load(name)
    by_label = {row.label: row for row in rows}
    seeds = evidence.evidence(row.arm for row in rows)
    return document.title + about + f"\n{seeds.capitalize()}" * bool(seeds), {
        panel: [by_label[label] for label in labels if label in by_label]
        for panel, labels in document.panels.items()
    }


def panel_figures(
    title: str,
    panels: Mapping[str, Sequence[Row]],
    measured: Container[str],
    columns: Sequence[Callable[[Axes, list[Line]], None]],
    width: float,
) -> list[Figure]:
    """Figures of at most MOST_PANELS panels each, `width` inches wide: at least one, which has none where
    there are none. A panel has its name, one pair of axes for each function of `columns`, which draws the
    `measured` arms there, and a legend."""
    count = max(1, math.ceil(len(panels) / MOST_PANELS))
    figures = []
    for number, shown in enumerate(np.array_split([*panels], count), 1):
        figure = Figure(figsize=(width, PANEL_HEIGHT * max(1, len(shown)) + 0.9), layout="constrained")
        figure.suptitle(numbered(title, number, count), fontsize=11)
        parts = figure.subfigures(max(1, len(shown)), squeeze=False).flat
        for part, panel in zip(parts, shown, strict=False):
            drawn = lines([row for row in panels[panel] if row.label in measured])
            part.suptitle(panel, fontsize=10, x=0.01, ha="left")
            for axes, draw in zip(part.subplots(1, len(columns), squeeze=False).flat, columns, strict=True):
                draw(axes, drawn)
            panel_legend(part, drawn, [row for row in panels[panel] if row.label not in measured])
        figures.append(figure)
    return figures


def numbered(title: str, number: int, count: int) -> str:
    """The title of one of several figures, e.g. "ASU MLP, 300 epochs (2 of 3)"; of a single one, as is."""
    first, *others = title.split("\n")
    return "\n".join([f"{first} ({number} of {count})" if count > 1 else first, *others])


def save(figure: Figure, path: Path, caption: Caption, kinds: Sequence[str] = ("png",)) -> None:
    """Write a figure with its caption in some formats of UNDATED: the same results give the same bytes."""
    for kind in kinds:
        content = io.BytesIO()
        metadata = {"Title": caption.title, DESCRIPTION[kind]: caption.text, UNDATED[kind]: None}
        with mpl.rc_context(
            {"svg.hashsalt": "elu-replication", "svg.fonttype": "none", "pdf.fonttype": 42}
        ):
            figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
        atomic.write_bytes(path.with_suffix(f".{kind}"), content.getvalue())


def save_all(figures: Sequence[Figure], path: Path, caption: Caption) -> None:
    """Write the figures of one experiment: NAME.png, NAME-2.png and so on, each with its number in the
    title. No experiment has a hyphen in its name, so that no two files have the same."""
    for number, figure in enumerate(figures, 1):
        title = numbered(caption.title, number, len(figures))
        name = path.name + f"-{number}" * (number > 1)
        save(figure, path.with_name(name), caption._replace(title=title))
