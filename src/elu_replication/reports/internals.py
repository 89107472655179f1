"""Figures of activation functions, and of what the probes found; the DVC stage `mechanisms`."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from elu_replication import atomic
from elu_replication.claims.checks import (
    DIVISOR,
    OFFSETS,
    POINTS,
    sum_of_sigmoids,
    sum_of_sigmoids_derivative,
)
from elu_replication.config.compose import group_option, options
from elu_replication.config.experiments import RESULTS
from elu_replication.config.schema import Activation
from elu_replication.engine.activations import ACTIVATIONS, ReLU, Sigmoid, Softplus, function
from elu_replication.errors import run_main
from elu_replication.reports.arms import Row, declared, grouped
from elu_replication.reports.figures import (
    BAND,
    Line,
    activation_name,
    lines,
    panel_legend,
    panels_of,
    save,
    seeds_told,
)
from elu_replication.reports.profiles import Kind, depth_profile, levels, probed
from elu_replication.runs.frames import over_seeds

LEAST_SPAN = 0.05  # of an axis of accuracies, so that chance differences look small


class Quantity(NamedTuple):
    """One column of an experiment's figure: what is drawn, and how its axes look."""

    title: str
    draw: Callable[[Axes, Line, pd.DataFrame], None]
    dress: Callable[[Axes], None]


def curve(axes: Axes, line: Line, x: pd.Series, found: pd.DataFrame, name: str) -> None:
    """A mean over seeds with a band from the least to the largest; at a single place, by arm with a bar."""
    mean, least, most = (found[name + part] for part in BAND)
    looks = {"marker": line.marker, "markersize": 4.5, **line.style}
    if len(x) == 1:
        axes.errorbar([line.row.label], mean, [mean - least, most - mean], **looks)
        return
    axes.plot(x, mean, **looks)
    axes.fill_between(x, least, most, color=line.colour, alpha=0.18, linewidth=0)


def by_epoch(axes: Axes, line: Line, found: pd.DataFrame, name: str) -> None:
    """A quantity of the whole network over epochs."""
    whole = over_seeds(found[found.layer == 0], "activity").dropna(subset=[name])
    curve(axes, line, whole.epoch, whole, name)


def by_level(axes: Axes, line: Line, found: pd.DataFrame, kind: str, name: str) -> None:
    """A score of the network, or the mean of a variance over layers, by the perturbation's level."""
    perturbed = levels(found[found.kind == kind]).dropna(subset=[name])
    curve(axes, line, perturbed.level, perturbed, name)


def draw_depth(axes: Axes, line: Line, found: pd.DataFrame) -> None:
    """Gradient ratios by layer: dashed at initialization, in full after the last epoch."""
    profile = depth_profile(found)
    for epoch, layers in profile.groupby("epoch"):
        if layers.ratio.isna().all():  # 0 by 0: a logarithmic axis has no place for it
            told = f"{line.row.label} at epoch {epoch:g}: all gradients are 0"
            place = (0.97, 0.92 - 0.08 * line.place)
            axes.text(*place, told, color=line.colour, ha="right", transform=axes.transAxes)
            continue
        looks = {"linestyle": "-" if epoch else "--", "marker": line.marker, "markersize": 4.5}
        axes.plot(layers.layer, layers.ratio, **{**line.style, **looks})


def dress(axes: Axes, x: str, y: str, log_x: bool = False, log_y: bool = False) -> None:
    """Axes and grid of what has been drawn."""
    if {np.size(line.get_xdata()) for line in axes.lines} == {1}:
        axes.set(xlabel="arm, after the last epoch", ylabel=y + " (log axis)" * log_y)
        axes.margins(x=0.2)
        axes.tick_params(axis="x", labelsize=7)
    else:
        axes.set(xlabel=x + " (log axis from 1)" * log_x, ylabel=y + " (log axis)" * log_y)
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
    axes.grid(alpha=0.25)


ACTIVITY = (
    Quantity(
        "median over units of mean activation",
        partial(by_epoch, name="median_activation"),
        partial(dress, x="epoch", y="activation", log_x=True),
    ),
    Quantity(
        "pre-activation never above zero (dead, if ReLU)",
        partial(by_epoch, name="dead"),
        partial(dress, x="epoch", y="share", log_x=True),
    ),
    Quantity(
        "gradient norm by layer",
        draw_depth,
        partial(dress, x="layer, from the input", y="ratio to the output layer's", log_y=True),
    ),
)
PERTURBATIONS = (
    Quantity(
        "accuracy under noise on the input",
        partial(by_level, kind="input_noise", name="accuracy"),
        partial(dress, x="standard deviation of the noise", y="accuracy"),
    ),
    Quantity(
        "accuracy with a planted pre-activation",
        partial(by_level, kind="planted", name="accuracy"),
        partial(dress, x="how far below zero", y="accuracy", log_x=True),
    ),
    Quantity(
        "variance of deactivated units",
        partial(by_level, kind="input_noise", name="deactivated_variance"),
        partial(dress, x="standard deviation of the noise", y="variance, mean over layers", log_y=True),
    ),
)
TITLES = {
    "activity": "inside the network ({}; dashed: gradients at initialization)",
    "perturbations": "trained networks under perturbation ({})",
}


def figure(name: str, rows: Sequence[Row], kind: Kind) -> Figure | None:
    """What the probes of one kind found in an experiment: a line of axes for each panel of its document
    that has any; None where there is none."""
    found = probed(rows, kind)
    by_arm = dict(list(found.groupby("arm")))
    title, panels = panels_of(name, rows)
    ran = {panel: mine for panel, mine in panels.items() if any(row.label in by_arm for row in mine)}
    if not ran:
        return None
    quantities = ACTIVITY if kind == "activity" else PERTURBATIONS
    made = Figure(figsize=(16, 3.4 * len(ran) + 0.8), layout="constrained")
    grid = made.subplots(len(ran), len(quantities), squeeze=False)
    for line_of_axes, (panel, mine) in zip(grid, ran.items(), strict=True):
        drawn = lines([row for row in mine if row.label in by_arm])
        for axes, quantity in zip(line_of_axes, quantities, strict=True):
            for line in drawn:
                quantity.draw(axes, line, by_arm[line.row.label])
            quantity.dress(axes)
            axes.set_title(f"{panel}:\n{quantity.title}", fontsize=10, loc="left")
        panel_legend(line_of_axes[-1], drawn, [row for row in mine if row.label not in by_arm])
    told = seeds_told(found.groupby("arm").seed.nunique())
    made.suptitle(f"{title}: {TITLES[kind].format(told)}", fontsize=11)
    return made


def functions_figure() -> Figure:
    """Every activation function that can be chosen, and its derivative."""
    x = np.linspace(-6, 6, 601)
    made = Figure(figsize=(12.5, 5), layout="constrained")
    values, slopes = made.subplots(1, 2)
    for name in options("activation"):
        activation = Activation(name, group_option("activation", name).get("alpha"))
        chosen, place = function(activation), list(ACTIVATIONS).index(name) * 6
        style = {
            "color": chosen.colour,
            "marker": chosen.marker,
            "markersize": 4.5,
            "markevery": (place, 60),
        }
        values.plot(x, chosen.value(x), label=activation_name(activation), **style)
        slopes.plot(x, chosen.derivative(x), label=activation_name(activation), **style)
    values.set(title="Activation functions", xlabel="x", ylim=(-2, 4))
    slopes.set(title="Activation derivatives", xlabel="x", ylim=(-0.2, 1.85))
    for axes in (values, slopes):
        axes.grid(alpha=0.25)
    slopes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return made


def sum_figure() -> Figure:
    """The blog post's sum of shifted sigmoids beside softplus and ReLU, beyond its own range as well."""
    x = np.linspace(-10, 25, 701)
    made = Figure(figsize=(12.5, 4.2), layout="constrained")
    shifted = (OFFSETS, DIVISOR)
    curves = (
        (
            "sum of shifted sigmoids",
            sum_of_sigmoids(x, *shifted),
            sum_of_sigmoids_derivative(x, *shifted),
            (Sigmoid.colour, "-"),
        ),
        *(
            (made.label, made.value(x), made.derivative(x), (made.colour, linestyle))
            for made, linestyle in ((Softplus(), "--"), (ReLU(), ":"))
        ),
    )
    for axes, part, title in zip(made.subplots(1, 2), (1, 2), ("value", "derivative"), strict=True):
        for name, *values, (colour, style) in curves:
            axes.plot(x, values[part - 1], color=colour, linestyle=style, label=name)
        axes.axvspan(*POINTS[[0, -1]], color="0.5", alpha=0.1, linewidth=0, label="the post's points")
        axes.set(title=f"Sum of sigmoids, softplus, ReLU: {title}", xlabel="x")
        axes.grid(alpha=0.25)
    made.axes[0].legend(fontsize=8)
    return made


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write <experiment>_activity and _perturbations as tables (CSV) and figures (PNG and SVG), and the
    figures of the functions, in `folder`."""
    for name, group in grouped(rows).items():
        for kind in ("activity", "perturbations"):
            if made := figure(name, group, kind):
                save(made, folder / f"{name}_{kind}")
                table = over_seeds(probed(group, kind), kind)
                text = table.to_csv(index=False, float_format="%.5g")
                atomic.write_text(folder / f"{name}_{kind}.csv", text)
    save(functions_figure(), folder / "functions")
    save(sum_figure(), folder / "sum_of_sigmoids")


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables and figures of the probes of a scope.")
    parser.add_argument("scope", help="own, or the scale of params.yaml")
    scope = parser.parse_args().scope
    write(declared(scope), RESULTS / scope / "mechanisms")


if __name__ == "__main__":
    run_main(main)
