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


def elu_for_large_inputs() -> list[Finding]:
    """Above zero ELU is the identity, wherever."""
    return [
        within("slope of ELU (1) at 1,000", 1.0, ELU(1.0).derivative(at(1000.0))[0]),
        within("ELU (1) at 1,000", 1000.0, ELU(1.0).value(at(1000.0))[0]),
    ]


def blog_points() -> list[Finding]:
    return [
        within("number of points of X", 100, len(POINTS)),
        within("first point", -10, POINTS[0], 1e-9),
        within("last point", 10, POINTS[-1], 1e-9),
        within("last value of Y", 100, np.linspace(0, len(POINTS), len(POINTS))[-1]),
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
    """The sum is one of Riemann's for the integral that is softplus. Sigmoids rise from 0 to 1, so that
    it is at most one spacing of the offsets off, 1 / divisor, where the offsets go on beyond x."""
    points = POINTS[POINTS <= 8 + 1e-9]
    close = np.arange(0, 40, 0.001)
    errors = {
        "the post's offsets": (sum_of_sigmoids(points, OFFSETS, DIVISOR), 1 / DIVISOR),
        "offsets from 0 to 40, 0.001 apart": (sum_of_sigmoids(points, close, 1000.0), 0.001),
    }
    return [
        within(
            f"largest error up to x = 8, {name}", 0.0, np.abs(total - Softplus().value(points)).max(), limit
        )
        for name, (total, limit) in errors.items()
    ]


def _slopes_of_the_sum(*points: float) -> list[Finding]:
    slopes = {x: float(sum_of_sigmoids_derivative(at(x), OFFSETS, DIVISOR)[0]) for x in points}
    return [
        Finding(f"slope of the sum at {x:g}", "not near 0 (0.01 or more)", slope, slope >= 0.01)
        for x, slope in slopes.items()
    ]


def sum_gradient_anywhere() -> list[Finding]:
    return _slopes_of_the_sum(-5.0, 5.0, 15.0, 20.0)


def sum_gradient_among_offsets() -> list[Finding]:
    return _slopes_of_the_sum(0.0, 2.5, 5.0, 7.5, 9.8)


def relu_against_softplus() -> list[Finding]:
    x = np.linspace(-50, 50, 100_001)
    gap = np.abs(Softplus().value(x) - ReLU().value(x))
    return [
        within("largest gap between max(0, x) and softplus", math.log(2), gap.max(), 1e-12),
        within("where it is", 0.0, x[gap.argmax()], 1e-9),
    ]


def _means(relu: float, elu: float) -> list[Finding]:
    return [
        Finding("mean of ReLU", "not 0", relu, relu != 0),
        Finding("mean of ELU", "close to 0 (less than half of ReLU's)", elu, abs(elu) < relu / 2),
    ]


def elu_mean_on_points() -> list[Finding]:
    relu, elu = float(ReLU().value(POINTS).mean()), float(ELU(1.0).value(POINTS).mean())
    return [
        within("mean of ReLU", 2.449999999999974, relu, 1e-9),
        within("mean of ELU", 1.9951645051027873, elu, 1e-9),
        *_means(relu, elu),
    ]


def elu_mean_on_normal_inputs() -> list[Finding]:
    """Means for inputs from normal(0, 1)."""
    x = np.linspace(-10, 10, 200_001)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    relu, elu = (float(np.trapezoid(f.value(x) * density, x)) for f in (ReLU(), ELU(1.0)))
    return _means(relu, elu)


def _errors_after_adding(loss: Callable[[float], float]) -> list[Finding]:
    """One sigmoid unit with weight 0.5 and input 1: the change of its squared error when "loss" times slope
    is added to the weight, for targets above and below its output."""
    findings = []
    for place, target in (("above", 0.9), ("below", 0.1)):
        output, slope = Sigmoid().value(at(0.5))[0], Sigmoid().derivative(at(0.5))[0]
        after = Sigmoid().value(at(0.5 + loss(target - output) * slope))[0]
        change = float((target - after) ** 2 - (target - output) ** 2)
        findings.append(Finding(f"change of the error, target {place}", "below 0", change, change < 0))
    return findings


def adding_difference_times_slope() -> list[Finding]:
    return _errors_after_adding(lambda difference: difference)


def adding_squared_error_times_slope() -> list[Finding]:
    return _errors_after_adding(lambda difference: difference**2)


def report_sizes() -> list[Finding]:
    """The printed shapes, with the eight hidden layers of section 5, from pixels to classes."""
    shapes = [(784, 128), *[(128, 128)] * 7, (128, 10)]
    fit = sum(before[1] == after[0] for before, after in pairwise(shapes))
    return [
        within("inputs of the first layer: pixels of an image", shapes[0][0], 28 * 28),
        within("layers with as many inputs as the one before has units", 8, fit),
        within("units of the last layer: classes", shapes[-1][1], 10),
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
    findings = []
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
            findings.append(within(what, 0.0, float(wrong)))
    return findings


CHECKS: dict[str, Callable[[], list[Finding]]] = {
    check.__name__: check
    for check in (
        sigmoid_slope,
        four_sigmoid_slopes,
        relu_slopes,
        one_zero_gradient,
        far_below_zero,
        elu_saturation,
        elu_for_large_inputs,
        blog_points,
        sigmoid_at_offset,
        sigmoid_bounds,
        number_of_logistics,
        softplus_approximates_sum,
        sum_gradient_anywhere,
        sum_gradient_among_offsets,
        relu_against_softplus,
        elu_mean_on_points,
        elu_mean_on_normal_inputs,
        adding_difference_times_slope,
        adding_squared_error_times_slope,
        report_sizes,
        backpropagation,
    )
}
