"""The activation functions, one class each: its mathematics in NumPy, its Keras layer, how it is shown.

A new function is a class here and a file in conf/activation. Nothing is imported from Keras until a layer
is asked for, since figures and mathematics do without it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

import numpy as np
from scipy.special import expit, ndtr

from elu_replication.config.schema import Activation

if TYPE_CHECKING:
    import keras

# Klambauer et al. 2017, arXiv:1706.02515, equation 14.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


class Function:
    """An activation function with its `alpha`, if it has one.

    `value` and `derivative` take a float32 or float64 array and keep its dtype and shape. At a kink, the
    derivative is the one from the left.
    """

    name: ClassVar[str]
    label: ClassVar[str]  # for people
    colour: ClassVar[str]
    marker: ClassVar[str]

    def __init__(self, alpha: float | None = None) -> None:
        self.alpha = cast(float, alpha)  # a protocol is checked to have it where it is used

    def value(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def derivative(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def layer(self, image: bool) -> "keras.layers.Layer":
        """The Keras layer, for signals (n, height, width, channels) if `image`, else (n, units)."""
        import keras

        return keras.layers.Activation(self.name)


ACTIVATIONS: dict[str, type[Function]] = {}
F = TypeVar("F", bound=Function)


def activation(name: str, *, label: str, colour: str, marker: str) -> Callable[[type[F]], type[F]]:
    """Register a function under its name in protocols, with its label, colour and marker in figures.

    The colours, Okabe and Ito's first, can be told apart by the colour-blind, the markers in grey print.
    """

    def register(function_class: type[F]) -> type[F]:
        function_class.name, function_class.label = name, label
        function_class.colour, function_class.marker = colour, marker
        ACTIVATIONS[name] = function_class
        return function_class

    return register


def function(activation: Activation) -> Function:
    """The function of a checked activation; PReLU's has the slope that it begins with."""
    return ACTIVATIONS[activation.name](activation.alpha)


@activation("elu", label="ELU", colour="#0072B2", marker="o")
class ELU(Function):
    """x where it is positive, else alpha (exp(x) - 1) (Clevert et al. 2015, equation 15)."""

    def value(self, x: np.ndarray) -> np.ndarray:
        # In float32 the last bit would be the C library's, of which one version rounds unlike another.
        below = np.expm1(np.minimum(x, 0), dtype=np.float64).astype(x.dtype)
        return np.where(x > 0, x, self.alpha * below)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x.dtype.type(1), self.alpha * np.exp(np.minimum(x, 0)))

    def layer(self, image: bool) -> "keras.layers.Layer":
        import keras

        return keras.layers.ELU(alpha=self.alpha)


@activation("relu", label="ReLU", colour="#D55E00", marker="s")
class ReLU(Function):
    """max(0, x)."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x.dtype.type(1), 0)


@activation("sigmoid", label="sigmoid", colour="#009E73", marker="^")
class Sigmoid(Function):
    """1 / (1 + exp(-x))."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return expit(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return expit(x) * expit(-x)


@activation("leaky_relu", label="leaky ReLU", colour="#E69F00", marker="D")
class LeakyReLU(Function):
    """x where it is positive, else alpha x (Maas et al. 2013)."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, self.alpha * x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x.dtype.type(1), self.alpha)

    def layer(self, image: bool) -> "keras.layers.Layer":
        import keras

        return keras.layers.LeakyReLU(negative_slope=self.alpha)


@activation("prelu", label="PReLU", colour="#56B4E9", marker="v")
class PReLU(LeakyReLU):
    """Leaky ReLU with learned slopes, one for each unit or channel (He et al. 2015)."""

    def layer(self, image: bool) -> "keras.layers.Layer":
        import keras

        start = keras.initializers.Constant(self.alpha)
        pixels = (1, 2) if image else None  # share a channel's slope
        return keras.layers.PReLU(alpha_initializer=start, shared_axes=pixels)


@activation("srelu", label="shifted ReLU", colour="#CC79A7", marker="P")
class SReLU(Function):
    """max(-1, x) (Clevert et al. 2015, section 4)."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, -1)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > -1, x.dtype.type(1), 0)

    def layer(self, image: bool) -> "keras.layers.Layer":
        from elu_replication.engine.layers import ShiftedReLU

        return ShiftedReLU()


@activation("softplus", label="softplus", colour="#7F7F7F", marker="X")
class Softplus(Function):
    """log(1 + exp(x))."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return np.logaddexp(0, x, dtype=np.float64).astype(x.dtype)  # as in ELU

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return expit(x)


@activation("tanh", label="tanh", colour="#332288", marker="<")
class Tanh(Function):
    """The hyperbolic tangent."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return 4 * (expit(2 * x) * expit(-2 * x))  # 1 - tanh(x)^2 would cancel far from 0


@activation("selu", label="SELU", colour="#882255", marker=">")
class SELU(Function):
    """ELU with the alpha and the scale that keep activations normal (Klambauer et al. 2017)."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return SELU_SCALE * ELU(SELU_ALPHA).value(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return SELU_SCALE * ELU(SELU_ALPHA).derivative(x)


@activation("gelu", label="GELU", colour="#000000", marker="*")
class GELU(Function):
    """x times the normal distribution function (Hendrycks and Gimpel 2016), not its approximation."""

    def value(self, x: np.ndarray) -> np.ndarray:
        return x * ndtr(x)

    def derivative(self, x: np.ndarray) -> np.ndarray:
        return ndtr(x) + x * np.exp(-x * x / 2) / x.dtype.type(np.sqrt(2 * np.pi))

    def layer(self, image: bool) -> "keras.layers.Layer":
        from elu_replication.engine.layers import ExactGELU

        return ExactGELU()
