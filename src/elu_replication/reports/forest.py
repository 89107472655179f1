"""The figure of the claims that runs decide: each one's effect and interval, in margins."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from elu_replication.claims.contrasts import VERDICTS
from elu_replication.claims.metrics import METRICS
from elu_replication.claims.verdicts import ClaimResult

# Colour and marker of each verdict, told apart without colour too.
LOOKS = {
    "replicated": ("#009E73", "o"),
    "not replicated": ("#D55E00", "X"),
    "protocol-dependent": ("#CC79A7", "D"),
    "inconclusive": ("#7F7F7F", "s"),
    "not run": ("#BBBBBB", "."),
}
FARTHEST = 30.0  # margins from the reference at which the figure cuts intervals


def forest(found: Sequence[ClaimResult]) -> Figure:
    """Each claim that runs decide and have: the effect and interval of the test that stands for it, in
    margins from what it is compared with (a direction's towards what is claimed), and where the
    published scores put it."""
    shown = [each for each in found if each.decisive and each.decisive.n][::-1]
    idle = [each.id for each in found if each.decisive and not each.decisive.n]
    figure = Figure(figsize=(11, 0.32 * len(shown) + 2.2), layout="constrained")
    axes = figure.subplots()
    labels = []
    for place, each in enumerate(shown):
        compared = each.decisive
        assert compared is not None
        about = "value" if compared.test.published is not None else compared.test.expect
        kind = f" ({about})" * (about in ("value", "equal"))
        labels.append(f"{each.id}  {METRICS[compared.test.metric].meaning}{kind}")
        colour, marker = LOOKS[each.verdict]
        unit = compared.test.tolerance * (-1 if compared.test.expect == "lower" else 1)
        at = np.array([*compared.interval, compared.effect, compared.published_effect])
        margins = (at - compared.reference) / unit
        low, high, effect, published = np.clip(margins, -FARTHEST, FARTHEST)
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        face = "white" if each.beside_main else colour
        looks: dict[str, Any] = {"markerfacecolor": face, "markersize": 7, "clip_on": False}
        axes.plot(effect, place, marker, color=colour, **looks)
        axes.plot(published, place, "|", color="black", markersize=12, clip_on=False)
        if abs(margins[2]) > FARTHEST:
            side = "left" if effect < 0 else "right"
            axes.text(effect, place, f"   {margins[2]:.0f}   ", fontsize=8, va="center", ha=side)
    axes.axvspan(-1, 1, color="0.5", alpha=0.15, linewidth=0)
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.set_xscale("symlog", linthresh=1)
    ticks = [-30, -10, -3, -1, 0, 1, 3, 10, 30]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlim(-FARTHEST * 1.1, FARTHEST * 1.1)
    axes.set_xlabel(
        "difference from what the claim compares with, in margins; of a direction, right means as claimed\n"
        "(log axis beyond 1; cut at 30)" + f"\nNot run: {', '.join(idle)}" * bool(idle)
    )
    axes.grid(alpha=0.25)
    handles = [Line2D([], [], color=LOOKS[v][0], marker=LOOKS[v][1], label=v) for v in VERDICTS[:-1]]
    other = "primary reading not run: another's numbers"
    handles.append(Line2D([], [], color="0.4", marker="s", markerfacecolor="white", label=other))
    handles.append(Line2D([], [], color="black", marker="|", linestyle="", label="by the published scores"))
    axes.legend(handles=handles, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    axes.set_title("Claims that runs decide: effect and 95% interval", fontsize=11)
    return figure
