"""The claims that mathematics decides, computed: each check returns what is claimed and what is so."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from elu_replication.claims.results import Finding
from elu_replication.engine.activations import ELU, LeakyReLU, ReLU, Sigmoid, Softplus
from elu_replication.engine.numpy_mlp.network import Cost, Network

# The blog post's: 100 points, as many offsets from 0 to the last of them, a divisor of 10.
POINTS = np.arange(-10, 10, 0.2)
OFFSETS, DIVISOR = np.linspace(0, POINTS.max(), 100), 10.0
GRADIENT_TOLERANCE = 1e-6


def within(what: str, claimed: float, computed: float, tolerance: float = 0.0) -> Finding:
    """Whether a computed value is the claimed one, exactly or within a tolerance."""
    text = f"{claimed:.12g}" + (f" ± {tolerance:g}" if tolerance else "")
    return Finding(what, text, float(computed), bool(abs(computed - claimed) <= tolerance))


def sum_of_sigmoids(x: np.ndarray, offsets: np.ndarray, divisor: float) -> np.ndarray:
    """Sigmoids at all offsets added up, over `divisor`: what softplus is the limit of, for offsets from
    0 on that are 1 / divisor apart (Nair and Hinton 2010, section 2)."""
    return Sigmoid().value(x[..., None] - offsets).sum(axis=-1) / divisor


def sum_of_sigmoids_derivative(x: np.ndarray, offsets: np.ndarray, divisor: float) -> np.ndarray:
    return Sigmoid().derivative(x[..., None] - offsets).sum(axis=-1) / divisor


def at(value: float) -> np.ndarray:
    return np.array([value])


def sigmoid_slope() -> list[Finding]:
    slopes = Sigmoid().derivative(np.linspace(-50, 50, 100_001))
    return [within("largest slope of the sigmoid", 0.25, slopes.max())]


def four_sigmoid_slopes() -> list[Finding]:
    return [within("0.25^4", 0.00390625, Sigmoid().derivative(at(0.0))[0] ** 4)]


def relu_slopes() -> list[Finding]:
    slopes = np.unique(ReLU().derivative(np.linspace(-50, 50, 100_001)))
    both = slopes.tolist() == [0.0, 1.0]
    return [Finding("number of different slopes of ReLU", "2: zero and one", len(slopes), both)]


def one_zero_gradient() -> list[Finding]:
    """Two hidden ReLU units, one of them off: gradients still reach the first layer by the other."""
    weights = [np.array([[1.0, -1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])]
    hidden = ReLU()
    network = Network(weights, [np.zeros(2), np.zeros(2)], hidden)
    by_weights, _, _ = network.gradients(np.array([[1.0]]), np.array([[0.0, 1.0]]))
    norm = float(np.linalg.norm(by_weights[0]))
    return [Finding("gradient norm of a layer with one unit off and one on", "0", norm, norm == 0)]


def far_below_zero() -> list[Finding]:
    far = at(-5_000_000.0)
    return [
        within("leaky ReLU (0.01) at -5,000,000", -5e4, LeakyReLU(0.01).value(far)[0]),
        within("leaky ReLU (0.1) at -5,000,000", -5e5, LeakyReLU(0.1).value(far)[0]),
        within("ELU (1) at -5,000,000", -1.0, ELU(1.0).value(far)[0]),
        within("ELU (0.1) at -5,000,000", -0.1, ELU(0.1).value(far)[0]),
    ]


def elu_saturation() -> list[Finding]:
    return [
        within("ELU (1) at -10", -1.0, ELU(1.0).value(at(-10.0))[0], 1e-4),
        within("ELU (1) at -1", math.expm1(-1), ELU(1.0).value(at(-1.0))[0], 1e-9),
        within("ELU (0.5) at -1", math.expm1(-1) / 2, ELU(0.5).value(at(-1.0))[0], 1e-9),
        within("ELU (1) at 0", 0.0, ELU(1.0).value(at(0.0))[0]),
        within("ELU (1) at 3", 3.0, ELU(1.0).value(at(3.0))[0]),
    ]


def elu_gradient_vanishes() -> list[Finding]:
    slope = float(ELU(1.0).derivative(at(-10.0))[0])
    return [Finding("slope of ELU (1) at -10", "not near 0 (0.01 or more)", slope, slope >= 0.01)]


def blog_points() -> list[Finding]:
    return [
        within("number of points of X", 100, len(POINTS)),
        within("first point", -10, POINTS[0], 1e-9),
        within("last point", 10, POINTS[-1], 1e-9),
    ]


def sigmoid_at_offset() -> list[Finding]:
    return [within("sigmoid at its offset 3", 0.0, Sigmoid().value(at(3.0) - 3.0)[0])]


def sigmoid_bounds() -> list[Finding]:
    values = Sigmoid().value(np.linspace(-30, 30, 601))
    slope = float(Sigmoid().derivative(at(20.0))[0])
    above = float(values.min())
    below = float(Sigmoid().value(at(-30.0))[0])  # 1 - sigmoid(30), without the rounding of that difference
    return [
        Finding("least value on [-30, 30]", "above 0", above, above > 0),
        Finding("1 less the largest value on [-30, 30]", "above 0", below, below > 0),
        within("slope at 20", 0.0, slope, 1e-8),
    ]


def number_of_logistics() -> list[Finding]:
    return [within("sigmoids added up", 10, len(OFFSETS))]


def softplus_approximates_sum() -> list[Finding]:
    made, approximation = sum_of_sigmoids(POINTS, OFFSETS, DIVISOR), Softplus().value(POINTS)
    errors = np.abs(made - approximation)
    determined = 1 - np.sum((made - approximation) ** 2) / np.sum((made - made.mean()) ** 2)
    return [
        within("largest error up to x = 8", 0.0, errors[POINTS <= 8 + 1e-9].max(), 0.1),
        Finding("R squared on all points", "0.99 or more", float(determined), bool(determined >= 0.99)),
    ]


def sum_gradient_vanishes() -> list[Finding]:
    def slope(x: float) -> float:
        return float(sum_of_sigmoids_derivative(at(x), OFFSETS, DIVISOR)[0])

    return [
        Finding(f"slope of the sum at {x:g}", "not near 0 (0.01 or more)", slope(x), slope(x) >= 0.01)
        for x in (5.0, -5.0, 15.0, 20.0)
    ]


def relu_against_softplus() -> list[Finding]:
    x = np.linspace(-50, 50, 100_001)
    gap = np.abs(Softplus().value(x) - ReLU().value(x))
    return [
        within("largest gap between max(0, x) and softplus", math.log(2), gap.max(), 1e-12),
        within("where it is", 0.0, x[gap.argmax()], 1e-9),
    ]


def elu_mean_on_points() -> list[Finding]:
    relu, elu = float(ReLU().value(POINTS).mean()), float(ELU(1.0).value(POINTS).mean())
    return [
        within("mean of ReLU on the post's points", 2.449999999999974, relu, 1e-9),
        within("mean of ELU on the post's points", 1.9951645051027873, elu, 1e-9),
        Finding("mean of ELU on the post's points", "close to 0 (below 0.5)", elu, elu < 0.5),
    ]


def printed_elu() -> list[Finding]:
    """The post's function as printed appends nothing for negative x, and alpha (exp(x) - 1) for others."""
    printed = [math.expm1(x) for x in POINTS if x >= 0]
    complete = ELU(1.0).value(POINTS)
    return [
        Finding("values that the printed function returns", "100", len(printed), len(printed) == 100),
        Finding(
            "its value at the last point",
            f"{complete[-1]:.12g}",
            printed[-1],
            bool(abs(printed[-1] - complete[-1]) < 1e-9),
        ),
    ]


def parameters(hidden_layers: int) -> int:
    sizes = [784, *[128] * hidden_layers, 10]
    return sum((one + 1) * other for one, other in pairwise(sizes))


def report_sizes() -> list[Finding]:
    return [
        within("parameters with 8 hidden layers", 217_354, parameters(8)),
        within("parameters with 6 hidden layers", 184_330, parameters(6)),
    ]


def gradient_error(network: Network, images: np.ndarray, targets: np.ndarray, step: float = 1e-6) -> float:
    """How far backpropagation is from central differences of the cost, relative to the gradients' norm.

    It is over every weight and bias. Use float64 and few units: each weight costs two passes.
    """

    def cost() -> float:
        return float(network.costs(network.forward(images)[0][-1], targets).mean())

    by_weights, by_biases, _ = network.gradients(images, targets)
    numeric = []
    for values in (*network.weights, *network.biases):
        for index in np.ndindex(values.shape):
            kept = values[index]
            values[index] = kept + step
            above = cost()
            values[index] = kept - step
            numeric.append((above - cost()) / (2 * step))
            values[index] = kept
    exact = np.concatenate([gradient.ravel() for gradient in (*by_weights, *by_biases)])
    return float(np.linalg.norm(exact - numeric) / np.linalg.norm(exact))


def backpropagation() -> list[Finding]:
    """The report's four equations against numeric gradients, in its own network's form and with the
    cross-entropy that its Keras network has."""
    found = []
    costs: tuple[Cost, ...] = ("squared_error", "cross_entropy")
    for cost in costs:
        for hidden in (Sigmoid(), ReLU(), ELU(1.0)):
            generator = np.random.default_rng(0)
            sizes = (8, 7, 6, 5)
            weights = [generator.normal(size=shape) for shape in pairwise(sizes)]
            biases = [generator.normal(size=size) for size in sizes[1:]]
            network = Network(weights, biases, hidden, cost)
            images, targets = generator.normal(size=(10, 8)), np.eye(5)[generator.integers(5, size=10)]
            # The error itself is rounding noise: its digits differ from processor to processor.
            wrong = gradient_error(network, images, targets) > GRADIENT_TOLERANCE
            bound = f"above {GRADIENT_TOLERANCE:g}"
            what = f"relative gradient errors {bound}, {hidden.name}, {cost.replace('_', ' ')}"
            found.append(within(what, 0.0, float(wrong)))
    return found


CHECKS: dict[str, Callable[[], list[Finding]]] = {
    check.__name__: check
    for check in (
        sigmoid_slope,
        four_sigmoid_slopes,
        relu_slopes,
        one_zero_gradient,
        far_below_zero,
        elu_saturation,
        elu_gradient_vanishes,
        blog_points,
        sigmoid_at_offset,
        sigmoid_bounds,
        number_of_logistics,
        softplus_approximates_sum,
        sum_gradient_vanishes,
        relu_against_softplus,
        elu_mean_on_points,
        printed_elu,
        report_sizes,
        backpropagation,
    )
}
