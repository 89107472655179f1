"""Figures of the activation functions themselves; part of the DVC stage `internals`."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from elu_replication.claims.checks import DIVISOR, OFFSETS, POINTS
from elu_replication.config.options import group_option, options
from elu_replication.config.schema import Activation
from elu_replication.engine import activations
from elu_replication.engine.activations import function
from elu_replication.reports.style import STYLES, activation_name, save


def functions_figure() -> Figure:
    """Every activation function that can be chosen, and its derivative."""
    x = np.linspace(-6, 6, 601)
    figure = Figure(figsize=(12.5, 5), layout="constrained")
    for axes, part, title in zip(figure.subplots(1, 2), (0, 1), ("functions", "derivatives"), strict=True):
        for name in options("activation"):
            activation = Activation(name, group_option("activation", name).get("alpha"))
            colour, marker = STYLES[name]
            first = (
                list(STYLES).index(name) * 6
            )  # markers of functions that coincide do not cover each other
            style = {"color": colour, "marker": marker, "markersize": 4.5, "markevery": (first, 60)}
            axes.plot(x, function(activation)[part](x), label=activation_name(activation), **style)
        axes.set(title=f"Activation {title}", xlabel="x", ylim=(-2, 4) if part == 0 else (-0.2, 1.85))
        axes.grid(alpha=0.25)
    figure.axes[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def sum_figure() -> Figure:
    """The blog post's sum of shifted sigmoids beside softplus and ReLU, also outside the post's range."""
    x = np.linspace(-10, 25, 701)
    figure = Figure(figsize=(12.5, 4.2), layout="constrained")
    total = activations.sum_of_sigmoids(x, OFFSETS, DIVISOR)
    slope = activations.sum_of_sigmoids_derivative(x, OFFSETS, DIVISOR)
    curves = {
        "sum of shifted sigmoids": (total, slope, "sigmoid", "-"),
        "softplus": (activations.softplus(x), activations.sigmoid(x), "softplus", "--"),
        "ReLU": (activations.relu(x), activations.relu_derivative(x), "relu", ":"),
    }
    for index, (axes, title) in enumerate(zip(figure.subplots(1, 2), ("value", "derivative"), strict=True)):
        for label, (*values, name, linestyle) in curves.items():
            axes.plot(x, values[index], color=STYLES[name][0], linestyle=linestyle, label=label)
        axes.axvspan(*POINTS[[0, -1]], color="0.5", alpha=0.1, linewidth=0, label="the post's points")
        axes.set(title=f"Sum of sigmoids, softplus, ReLU: {title}", xlabel="x")
        axes.grid(alpha=0.25)
    figure.axes[0].legend(fontsize=8)
    return figure


def write(folder: Path) -> None:
    """Write both figures, as PNG and SVG, in `folder`."""
    save(functions_figure(), folder / "functions")
    save(sum_figure(), folder / "sum_of_sigmoids")
