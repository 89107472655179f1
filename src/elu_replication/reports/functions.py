"""Figures of the activation functions themselves; part of the DVC stage `internals`."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from elu_replication.claims.checks import (
    DIVISOR,
    OFFSETS,
    POINTS,
    sum_of_sigmoids,
    sum_of_sigmoids_derivative,
)
from elu_replication.config.options import group_option, options
from elu_replication.config.schema import Activation
from elu_replication.engine.activations import ReLU, Sigmoid, Softplus, function
from elu_replication.reports import captions
from elu_replication.reports.style import activation_name, save


def functions_figure() -> Figure:
    """Every activation function that can be chosen, and its derivative."""
    x = np.linspace(-6, 6, 601)
    figure = Figure(figsize=(12.5, 5), layout="constrained")
    values, slopes = figure.subplots(1, 2)
    for index, name in enumerate(options("activation")):
        activation = Activation(name, group_option("activation", name)["alpha"])
        chosen = function(activation)
        every = (index * 6, 60)  # markers of functions that coincide do not cover each other
        style = {"color": chosen.colour, "marker": chosen.marker, "markersize": 4.5, "markevery": every}
        values.plot(x, chosen.value(x), label=activation_name(activation), **style)
        slopes.plot(x, chosen.derivative(x), label=activation_name(activation), **style)
    values.set(title="Activation functions", xlabel="x", ylim=(-2, 4))
    slopes.set(title="Activation derivatives", xlabel="x", ylim=(-0.2, 1.85))
    for axes in (values, slopes):
        axes.grid(alpha=0.25)
    slopes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def sum_figure() -> Figure:
    """The blog post's sum of shifted sigmoids beside softplus and ReLU, also outside the post's range."""
    x = np.linspace(-10, 25, 701)
    figure = Figure(figsize=(12.5, 4.2), layout="constrained")
    total = sum_of_sigmoids(x, OFFSETS, DIVISOR), sum_of_sigmoids_derivative(x, OFFSETS, DIVISOR)
    curves = [(total, "sum of shifted sigmoids", Sigmoid.colour, "-")]
    for chosen, linestyle in ((Softplus(), "--"), (ReLU(), ":")):
        curves.append(((chosen.value(x), chosen.derivative(x)), chosen.label, chosen.colour, linestyle))
    for index, (axes, title) in enumerate(zip(figure.subplots(1, 2), ("value", "derivative"), strict=True)):
        for values, label, colour, linestyle in curves:
            axes.plot(x, values[index], color=colour, linestyle=linestyle, label=label)
        axes.axvspan(*POINTS[[0, -1]], color="0.5", alpha=0.1, linewidth=0, label="the post's points")
        axes.set(title=f"Sum of sigmoids, softplus, ReLU: {title}", xlabel="x")
        axes.grid(alpha=0.25)
    figure.axes[0].legend(fontsize=8)
    return figure


def write(folder: Path) -> None:
    """Write both figures, as PNG, in `folder`."""
    save(functions_figure(), folder / "functions", captions.FUNCTIONS)
    save(sum_figure(), folder / "sum_of_sigmoids", captions.SUM_OF_SIGMOIDS)
