"""The figure of the claims that runs decide: the effects of all readings of each, in margins, by source."""

import math
import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from elu_replication.claims.results import VERDICTS, ClaimResult, ContrastResult, Results
from elu_replication.reports import phrases
from elu_replication.runs.evidence import FRESH

# Colour and marker of each verdict, told apart without colour too.
STYLES = {
    "replicated": ("#009E73", "o"),
    "not replicated": ("#D55E00", "X"),
    "protocol-dependent": ("#CC79A7", "D"),
    "inconclusive": ("#7F7F7F", "s"),
    "not run": ("#BBBBBB", "."),
}
FARTHEST = 30.0  # margins from the reference at which the figure cuts intervals
STATEMENT = 72  # characters of a claim's statement
TICKS = (-30, -10, -3, -1, 0, 1, 3, 10, 30)
DASHED = (0, (3, 1.5))  # the interval of a new run
PALE = 0.35  # opacity of what a single seed shows
THIN = 2.0  # points: a 95% interval
THICK: dict[str, Any] = {"linewidth": 7, "alpha": 0.5, "solid_capstyle": "butt"}  # a 90% interval over it


def forest(results: Results) -> Figure:
    """A row for each claim that runs decide and have, grouped by source: the decisive contrast of every
    reading as a small dot, and that of the primary one large, with its 95% interval and, where equivalence
    decides, its 90% interval, in margins from what it is compared with (a direction's towards what is
    claimed), and where the published scores put it. What exploration shows is hollow; what a single seed
    shows is pale."""
    with_runs = [claim for claim in results.claims if claim.decisive and claim.decisive.n]
    rows: list[ClaimResult | str] = []
    for key, source in results.sources.items():
        if claims := [claim for claim in with_runs if next(iter(claim.sources)) == key]:
            rows += [source.name, *claims]
    figure = Figure(figsize=(11, 0.26 * len(rows) + 1.9), layout="constrained")
    axes = figure.subplots()
    for height, row in enumerate(reversed(rows)):
        if isinstance(row, ClaimResult):
            draw(axes, height, row)
    axes.axvspan(-1, 1, color="0.5", alpha=0.15, linewidth=0)
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [label(row) for row in reversed(rows)], fontsize=8)
    for row, tick in zip(reversed(rows), axes.get_yticklabels(), strict=True):
        if isinstance(row, str):
            tick.set(weight="bold", size=10)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks(TICKS, [str(tick) for tick in TICKS])
    axes.set_xlim(-FARTHEST * 1.1, FARTHEST * 1.1)
    axes.set_xlabel("margins from what the claim compares with (log axis beyond 1, cut at 30)")
    axes.grid(alpha=0.25, axis="x")
    handles = [Line2D([], [], color=STYLES[v][0], marker=STYLES[v][1], label=v) for v in VERDICTS[:4]]
    handles += [
        Line2D([], [], color="0.4", linewidth=THIN, label="95% interval of the mean (median)"),
        Line2D([], [], color="0.4", linewidth=THIN, linestyle=DASHED, label="interval of a new run"),
        Line2D([], [], color="0.4", **THICK, label="90% interval, where equivalence decides"),
        Line2D([], [], color="0.4", marker="s", label="fresh seeds, or measurements of time"),
        Line2D([], [], color="0.4", marker="s", markerfacecolor="white", label="exploration"),
        Line2D([], [], color="0.4", marker="s", linestyle="", alpha=PALE, label="a single seed"),
        Line2D([], [], color="0.4", marker=".", linestyle="", markersize=5, label="each other reading"),
        Line2D([], [], color="black", marker="$*$", linestyle="", label="primary reading not run"),
        Line2D([], [], color="black", marker="|", linestyle="", label="by the published scores"),
    ]
    figure.legend(handles=handles, fontsize=8, loc="outside lower center", ncols=4)
    title = "Claims that runs decide: effect and interval. Of a direction, right means as claimed"
    figure.suptitle(title, fontsize=11)
    return figure


def label(row: ClaimResult | str) -> str:
    """A source's name, or the beginning of a claim's statement and its number, with a star where its
    primary reading has no runs and another stands for it."""
    if isinstance(row, str):
        return row
    statement = textwrap.shorten(row.statement.rstrip("."), STATEMENT, placeholder=" ...")
    return f"{statement}  {row.id}{'*' * row.beside_primary}"


def in_margins(contrast: ContrastResult, *numbers: float) -> np.ndarray:
    """Numbers of a contrast in margins from what it is compared with, cut at FARTHEST; shape (numbers,)."""
    unit = contrast.margin * (-1 if contrast.expect == "lower" else 1)
    return np.clip((np.array(numbers) - contrast.than) / unit, -FARTHEST, FARTHEST)


def draw(axes: Axes, height: int, claim: ClaimResult) -> None:
    """One claim's readings in its row."""
    assert claim.decisive
    colour, marker = STYLES[claim.verdict]
    effect, published = in_margins(claim.decisive, claim.decisive.effect, claim.decisive.published_mark)
    others = [
        in_margins(reading.decisive, reading.decisive.effect).item()
        for reading in claim.readings
        if reading is not claim.leading and reading.decisive.n
    ]
    line = DASHED if claim.decisive.test == "prediction" else "-"
    for interval, style in (
        (claim.decisive.interval, {"linewidth": THIN, "linestyle": line}),
        (claim.decisive.equivalence_interval, THICK),
    ):
        if interval and not any(map(math.isnan, interval)):
            axes.plot(in_margins(claim.decisive, *interval), [height] * 2, color=colour, **style)
    measured = not claim.evidence
    face = colour if measured or phrases.kind([claim.decisive]) == FRESH else "white"
    pale = PALE if claim.decisive.n == 1 else 1.0
    points: list[tuple[list[float], float, str, dict[str, Any]]] = [
        (others, height - 0.22, ".", {"color": "0.4", "markersize": 4}),
        ([effect], height, marker, {"color": colour, "mfc": face, "markersize": 7, "alpha": pale}),
        ([published], height, "|", {"color": "black", "markersize": 12}),
    ]
    for numbers, level, shape, style in points:
        if finite := [number for number in numbers if np.isfinite(number)]:  # others would widen the figure
            axes.plot(finite, [level] * len(finite), shape, clip_on=False, **style)
