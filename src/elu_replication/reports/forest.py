"""The figure of the claims that runs decide: the effect and interval of each, in margins."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from elu_replication.claims.results import VERDICTS, ClaimResult

# Colour and marker of each verdict, told apart without colour too.
STYLES = {
    "replicated": ("#009E73", "o"),
    "not replicated": ("#D55E00", "X"),
    "protocol-dependent": ("#CC79A7", "D"),
    "inconclusive": ("#7F7F7F", "s"),
    "not run": ("#BBBBBB", "."),
}
FARTHEST = 30.0  # margins from the reference at which the figure cuts intervals


def forest(claims: Sequence[ClaimResult]) -> Figure:
    """Each claim that runs decide and have: the effect and interval of the contrast that stands for it, in
    margins from what it is compared with (a direction's towards what is claimed), and where the
    published scores put it."""
    decisive = [(claim, claim.decisive) for claim in claims if claim.decisive]
    drawn = [(claim, contrast) for claim, contrast in decisive if contrast.n][::-1]
    idle = [claim.id for claim, contrast in decisive if not contrast.n]
    figure = Figure(figsize=(11, 0.32 * len(drawn) + 2.2), layout="constrained")
    axes = figure.subplots()
    labels = []
    for row, (claim, contrast) in enumerate(drawn):
        kind = {None: " (value)", "equal": " (equal)"}.get(contrast.expect, "")
        labels.append(f"{claim.id}  {contrast.meaning}{kind}")
        colour, marker = STYLES[claim.verdict]
        unit = contrast.margin * (-1 if contrast.expect == "lower" else 1)
        positions = np.array([*contrast.interval, contrast.effect, contrast.published])
        margins = (positions - contrast.than) / unit
        low, high, effect, published = np.clip(margins, -FARTHEST, FARTHEST)
        axes.plot([low, high], [row, row], color=colour, linewidth=2)
        face = "white" if claim.beside_primary else colour
        style: dict[str, Any] = {"markerfacecolor": face, "markersize": 7, "clip_on": False}
        axes.plot(effect, row, marker, color=colour, **style)
        axes.plot(published, row, "|", color="black", markersize=12, clip_on=False)
        if abs(margins[2]) > FARTHEST:
            side = "left" if effect < 0 else "right"
            axes.text(effect, row, f"   {margins[2]:.0f}   ", fontsize=8, va="center", ha=side)
    axes.axvspan(-1, 1, color="0.5", alpha=0.15, linewidth=0)
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_yticks(range(len(drawn)), labels, fontsize=8)
    axes.set_xscale("symlog", linthresh=1)
    ticks = [-30, -10, -3, -1, 0, 1, 3, 10, 30]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlim(-FARTHEST * 1.1, FARTHEST * 1.1)
    axes.set_xlabel(
        "difference from what the claim compares with, in margins; of a direction, right means as claimed\n"
        "(log axis beyond 1; cut at 30)" + f"\nNot run: {', '.join(idle)}" * bool(idle)
    )
    axes.grid(alpha=0.25)
    handles = [Line2D([], [], color=STYLES[v][0], marker=STYLES[v][1], label=v) for v in VERDICTS[:4]]
    other = "primary reading not run: another's numbers"
    handles.append(Line2D([], [], color="0.4", marker="s", markerfacecolor="white", label=other))
    handles.append(Line2D([], [], color="black", marker="|", linestyle="", label="by the published scores"))
    axes.legend(handles=handles, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    axes.set_title("Claims that runs decide: effect and 95% interval", fontsize=11)
    return figure
