"""Probes of stored runs, as tables and figures by experiment; the DVC stage `internals`."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from elu_replication import atomic
from elu_replication.config.experiments import RESULTS
from elu_replication.errors import run_main
from elu_replication.reports import captions, functions
from elu_replication.reports.arms import Row, asked, grouped
from elu_replication.reports.style import BAND, Line, band, bundles, panel_figures, panels_of, save_all
from elu_replication.reports.tables import csv
from elu_replication.runs import frames
from elu_replication.runs.frames import over_seeds

FOLDER = "internals"  # below results/<scope>
LEAST_RATIO = 1e-8  # of a gradient: a smaller one changes no float32 weight
LEAST_SPAN = 0.05  # of an axis of accuracies, so that chance differences look small
Kind = Literal["activity", "perturbations"]


def probed(rows: Iterable[Row], kind: Kind) -> pd.DataFrame:
    """All probes of one kind of the arms' finished runs: arm, seed, and the fields of runs.probe_rows.

    Activity has one column more, `gradient_ratio`: a layer's gradient norm over the output layer's in the
    same run and epoch.
    """
    parts = [frames.probes(row.arm, kind).assign(arm=row.label) for row in rows]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    if kind == "activity":
        run = table.groupby(["arm", "seed", "epoch"])
        table["gradient_ratio"] = table.gradient_norm / run.gradient_norm.transform("last")
    return table


def levels(perturbations: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over seeds by kind and level of perturbation; variances are means over layers."""
    run = perturbations.groupby(["arm", "seed", "kind", "level"], sort=False, as_index=False).mean()
    return over_seeds(run, "perturbations")


def depth_profile(activity: pd.DataFrame) -> pd.DataFrame:
    """Gradient ratios of the layers of each arm at initialization and after the last probed epoch:
    columns arm, epoch, layer, ratio (geometric mean over seeds, since ratios span many powers of ten)."""
    layers = activity[activity.layer > 0]
    ends = layers[(layers.epoch == 0) | (layers.epoch == layers.groupby("arm").epoch.transform("max"))]
    logs = np.log(ends.gradient_ratio.clip(lower=1e-30))
    mean = logs.groupby([ends.arm, ends.epoch, ends.layer], sort=False).mean()
    return np.exp(mean).rename("ratio").reset_index()


class Quantity(NamedTuple):
    """One column of an experiment's figure: what is drawn, and the format of its axes."""

    title: str
    draw: Callable[[Axes, Line, pd.DataFrame], None]
    format_axes: Callable[[Axes], None]


def draw_curve(axes: Axes, line: Line, x: pd.Series, table: pd.DataFrame, name: str) -> None:
    """A mean over seeds with its band; where there is a single x, a point with a bar in the arm's place."""
    curve = [table[name + edge] for edge in BAND]
    if len(x) == 1:
        mean, least, largest = curve
        # The mean of equal values may be off by its rounding, and no bar has a negative length.
        bars = [(mean - least).clip(lower=0), (largest - mean).clip(lower=0)]
        axes.errorbar([line.row.label], mean, bars, **{**line.style, "marker": line.marker})
    else:
        band(axes, line, x, curve)


def draw_by_epoch(axes: Axes, line: Line, activity: pd.DataFrame, name: str) -> None:
    """A quantity of the whole network over epochs."""
    network = over_seeds(activity[activity.layer == 0], "activity").dropna(subset=[name])
    draw_curve(axes, line, network.epoch, network, name)


def draw_by_level(axes: Axes, line: Line, perturbations: pd.DataFrame, kind: str, name: str) -> None:
    """A score of the network, or the mean of a variance over layers, by the perturbation's level."""
    table = levels(perturbations[perturbations.kind == kind]).dropna(subset=[name])
    draw_curve(axes, line, table.level, table, name)


def draw_depth(axes: Axes, line: Line, activity: pd.DataFrame) -> None:
    """Gradient ratios by layer: dashed at initialization, in full after the last epoch."""
    for epoch, layers in depth_profile(activity).groupby("epoch"):
        if layers.ratio.isna().all():  # 0 by 0, for which a logarithmic axis has no place
            note = f"{line.row.label} at epoch {epoch:g}: all gradients are 0"
            x, y = 0.97, 0.92 - 0.08 * line.position
            axes.text(x, y, note, color=line.colour, fontsize=8, ha="right", transform=axes.transAxes)
            continue
        axes.plot(layers.layer, layers.ratio, **line.style, linestyle="-" if epoch else "--")


def format_axes(axes: Axes, x: str, y: str, log_x: bool = False, log_y: bool = False) -> None:
    """Labels, scales and grid of axes that have been drawn on."""
    ylabel = y + " (log axis)" * log_y
    if {np.size(line.get_xdata()) for line in axes.lines} == {1}:
        axes.set(xlabel="arm, after the last epoch", ylabel=ylabel)
        axes.margins(x=0.2)
        axes.tick_params(axis="x", labelsize=7)
    else:
        axes.set(xlabel=x + " (log axis from 1)" * log_x, ylabel=ylabel)
        if log_x:
            axes.set_xscale("symlog", linthresh=1)
    low, high = axes.get_ylim()
    if y == "share":
        axes.set_ylim(-0.02 * high, high)
    if y == "accuracy" and high - low < LEAST_SPAN:
        axes.set_ylim((low + high - LEAST_SPAN) / 2, (low + high + LEAST_SPAN) / 2)
    if log_y:
        axes.set_yscale("log")
    if x.startswith("layer"):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=max(axes.get_ylim()[0], LEAST_RATIO))
    axes.grid(alpha=0.25)


ACTIVITY = (
    Quantity(
        "median of mean activations",
        partial(draw_by_epoch, name="median_activation"),
        partial(format_axes, x="epoch", y="activation", log_x=True),
    ),
    Quantity(
        "units never on (dead, if ReLU)",
        partial(draw_by_epoch, name="dead"),
        partial(format_axes, x="epoch", y="share", log_x=True),
    ),
    Quantity(
        "gradient norm by layer",
        draw_depth,
        partial(format_axes, x="layer, from the input", y="ratio to the output layer's", log_y=True),
    ),
)
PERTURBATIONS = (
    Quantity(
        "under noise on the input",
        partial(draw_by_level, kind="input_noise", name="accuracy"),
        partial(format_axes, x="standard deviation of the noise", y="accuracy"),
    ),
    Quantity(
        "with a planted pre-activation",
        partial(draw_by_level, kind="planted", name="accuracy"),
        partial(format_axes, x="how far below zero", y="accuracy", log_x=True),
    ),
    Quantity(
        "variance of units that are off",
        partial(draw_by_level, kind="input_noise", name="deactivated_variance"),
        partial(
            format_axes, x="standard deviation of the noise", y="variance, mean over layers", log_y=True
        ),
    ),
)
QUANTITIES: dict[Kind, tuple[Quantity, ...]] = {"activity": ACTIVITY, "perturbations": PERTURBATIONS}
TITLES: dict[Kind, str] = {
    "activity": "inside the networks (gradients: dashed at initialization, full after the last epoch)",
    "perturbations": "trained networks under perturbation",
}


def figures(name: str, rows: Sequence[Row], kind: Kind) -> list[Figure]:
    """The probes of one kind of an experiment: a row of axes for each panel of its document that has
    probes; no figure where none has."""
    table = probed(rows, kind)
    measured = set(table.arm)
    title, panels = panels_of(name, rows, f": {TITLES[kind]}")
    ran = {panel: mine for panel, mine in panels.items() if any(row.label in measured for row in mine)}
    if not ran:
        return []

    def draw_quantity(axes: Axes, drawn: list[Line], quantity: Quantity) -> None:
        for line in drawn:
            for style, seeds in bundles(line, table):
                quantity.draw(axes, style, seeds)
        quantity.format_axes(axes)
        axes.set_title(quantity.title, fontsize=9, loc="left")

    columns = [partial(draw_quantity, quantity=quantity) for quantity in QUANTITIES[kind]]
    return panel_figures(title, ran, measured, columns, width=13.0)


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write, in `folder`, <experiment>_activity and _perturbations as tables (CSV) and figures (PNG),
    and the figures of the activation functions."""
    for name, group in grouped(rows).items():
        for kind in QUANTITIES:
            if drawings := figures(name, group, kind):
                save_all(drawings, folder / f"{name}_{kind}", captions.of_experiment(name, kind))
                text = csv(over_seeds(probed(group, kind), kind), 5)
                atomic.write_text(folder / f"{name}_{kind}.csv", text)
    functions.write(folder)


def main() -> None:
    scope, rows = asked("Tables and figures of the probes of a scope.")
    with atomic.replaced_folder(RESULTS / scope / FOLDER) as folder:
        write(rows, folder)


if __name__ == "__main__":
    run_main(main)
