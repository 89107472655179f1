"""Figures of the training curves, one for each experiment; the DVC stage `figures`."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from elu_replication import atomic, experiments
from elu_replication.config import Activation
from elu_replication.errors import run_main
from elu_replication.experiments import RESULTS
from elu_replication.tables import Row, by_epoch, declared, grouped, histories

# Okabe and Ito's colours, told apart by the colour-blind; the markers tell the same in grey print.
STYLES = {
    "elu": ("#0072B2", "o"),
    "relu": ("#D55E00", "s"),
    "sigmoid": ("#009E73", "^"),
    "leaky_relu": ("#E69F00", "D"),
    "prelu": ("#56B4E9", "v"),
    "srelu": ("#CC79A7", "P"),
    "softplus": ("#7F7F7F", "X"),
    "tanh": ("#332288", "<"),
    "selu": ("#882255", ">"),
    "gelu": ("#000000", "*"),
}
NAMES = {"elu": "ELU", "relu": "ReLU", "leaky_relu": "leaky ReLU", "prelu": "PReLU", "srelu": "SReLU"}
NAMES |= {"selu": "SELU", "gelu": "GELU"}
# A second arm of an activation in one panel has the same colour, unfilled markers and thinner lines.
ACCURACY_TICKS = (0.0, 0.5, 0.9, 0.97, 0.99, 0.997, 0.999, 1.0)
LEAST_ERROR = 1e-4


def activation_name(activation: Activation) -> str:
    """E.g. "ELU (alpha 0.1)"."""
    name = NAMES.get(activation.name, activation.name)
    return name if activation.alpha is None else f"{name} (alpha {activation.alpha:g})"


def error_axis(accuracy: np.ndarray) -> np.ndarray:
    """Where an accuracy stands on an axis on which each tenth of the errors is one step up."""
    return -np.log10(np.maximum(1 - np.asarray(accuracy, float), LEAST_ERROR))


def draw_metric(axes: Axes, rows: Sequence[Row], curves: pd.DataFrame, metric: str) -> None:
    """Mean over seeds by epoch, with a band of one standard deviation: validation (else test) in
    full, training dashed; at the right the test scores of the last epoch, here and as published."""
    place = error_axis if metric == "accuracy" else np.asarray
    drawn: dict[str, int] = {}
    for row in rows:
        protocol = row.arm.protocol
        colour, marker = STYLES[protocol.activation.name]
        earlier = drawn.get(protocol.activation.name, 0)
        drawn[protocol.activation.name] = earlier + 1
        face = colour if not earlier else "white"
        last = protocol.epochs
        mine = curves[curves.arm == row.label]
        shown = "validation" if protocol.validation_images else "test"
        for split, style, width in ((shown, "-", 1.6), ("train", "--", 0.9)):
            line = mine[mine.split == split].sort_values("epoch")
            if line.empty:
                continue
            mean, sd = line[f"{metric}_mean"].to_numpy(), line[f"{metric}_sd"].fillna(0).to_numpy()
            every = max(1, last // 8)
            axes.plot(
                line.epoch,
                place(mean),
                style,
                color=colour,
                linewidth=width / (1 + 0.4 * earlier),
                marker=marker if split == shown else None,
                markevery=(every * (drawn_total(drawn) - 1) // 4 % every, every),
                markersize=4.5,
                markerfacecolor=face,
            )
            axes.fill_between(
                line.epoch, place(mean - sd), place(mean + sd), color=colour, alpha=0.18, linewidth=0
            )
        test = mine[(mine.split == "test") & (mine.epoch == last)]
        beyond = last * (1.05 + 0.03 * (drawn_total(drawn) - 1))
        if not test.empty:
            end, sd = test[f"{metric}_mean"].iloc[0], np.nan_to_num(test[f"{metric}_sd"].iloc[0])
            ends = place(np.array([end - sd, end, end + sd]))
            axes.plot([beyond] * 2, [ends[0], ends[2]], color=colour, linewidth=1)
            axes.plot(beyond, ends[1], marker, color=colour, markerfacecolor=face, markersize=6)
        published = row.published and getattr(row.published, f"test_{metric}")
        if published:
            where = place(np.array(published))
            axes.plot(beyond, where, "x", color=colour, markersize=8, markeredgewidth=2)


def drawn_total(drawn: dict[str, int]) -> int:
    """How many arms a panel holds so far: staggers their markers."""
    return sum(drawn.values())


def dress(axes: Axes, metric: str, panel: str) -> None:
    axes.set_title(f"{panel}: {metric}", fontsize=10, loc="left")
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.25)
    if metric == "loss":
        axes.set_yscale("log")
        axes.set_ylabel("loss (log axis)")
    else:
        axes.set_yticks(error_axis(np.array(ACCURACY_TICKS)), [f"{tick:g}" for tick in ACCURACY_TICKS])
        axes.set_ylabel("accuracy (axis by error rate)")


def legend(axes: Axes, rows: Sequence[Row]) -> None:
    """Names each arm of a panel, or says that it was not run, and what the kinds of line mean."""
    handles, drawn = [], set()
    for row in rows:
        activation = row.arm.protocol.activation
        colour, marker = STYLES[activation.name]
        face = "white" if activation.name in drawn else colour
        drawn.add(activation.name)
        handles.append(
            Line2D([], [], color=colour, marker=marker, markerfacecolor=face, label=arm_label(row))
        )
    kinds = [
        Line2D([], [], color="0.3", label="validation (test where none is held out)"),
        Line2D([], [], color="0.3", linestyle="--", linewidth=0.9, label="training"),
        Line2D([], [], color="0.3", linestyle="", marker="o", label="test, last epoch"),
        Line2D([], [], color="0.3", linestyle="", marker="x", label="published test score"),
    ]
    axes.legend(handles=handles + kinds, fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))


def arm_label(row: Row) -> str:
    return f"{row.label}: {activation_name(row.arm.protocol.activation)}"


def figure(name: str, rows: Sequence[Row]) -> Figure:
    """An experiment's curves: a line of axes (loss, accuracy) for each panel of its document."""
    curves = by_epoch(histories(rows))
    ran = set(curves.arm)
    document = experiments.load(name) if name != "own" else None
    panels = document.panels if document else {"own arm": [row.label for row in rows]}
    made = Figure(figsize=(12.5, 3.4 * len(panels) + 0.5), layout="constrained")
    grid = made.subplots(len(panels), 2, squeeze=False)
    for line, (panel, labels) in zip(grid, panels.items(), strict=True):
        mine = [row for row in rows if row.label in labels and row.label in ran]
        for axes, metric in zip(line, ("loss", "accuracy"), strict=True):
            draw_metric(axes, mine, curves, metric)
            dress(axes, metric, panel)
            if not mine:
                axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color="0.4")
        legend(line[1], mine)
    seeds = sorted({int(n) for n in curves.seeds}) if len(curves) else []
    counted = f"{seeds[0]}" if len(set(seeds)) == 1 else f"{seeds[0]} to {seeds[-1]}" if seeds else "no"
    band = "; band: mean ± SD" if seeds and seeds[-1] > 1 else ""
    title = document.title if document else "Your own arm"
    made.suptitle(f"{title} — {counted} seed{'s' * (seeds != [1])} an arm{band}", fontsize=11)
    return made


def save(made: Figure, path: Path) -> None:
    """Write a figure as PNG and SVG, the same to the byte for the same results."""
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        content = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "elu-replication"}):
            made.savefig(content, format=kind, dpi=110, metadata=metadata)
        atomic.write_bytes(path.with_suffix(f".{kind}"), content.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the figures of a scope.")
    parser.add_argument("scope", choices=["published", "quick", "own"])
    scope = parser.parse_args().scope
    for name, rows in grouped(declared(scope)).items():
        save(figure(name, rows), RESULTS / scope / "figures" / name)


if __name__ == "__main__":
    run_main(main)
