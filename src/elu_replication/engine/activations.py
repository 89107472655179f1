"""Activation functions and their derivatives in NumPy, right at zero and far away from it.

They keep the dtype of x (float32 or float64) and its shape. Where a function has a kink, its
derivative there is the one from the left.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

import numpy as np
from scipy.special import expit, ndtr

from elu_replication.config.schema import Activation

# Klambauer et al. 2017, arXiv:1706.02515, equation 14.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def sigmoid(x: np.ndarray, offset: float | np.ndarray = 0.0) -> np.ndarray:
    """1 / (1 + exp(offset - x)); its value at the offset is 1/2."""
    return expit(x - offset)


def sigmoid_derivative(x: np.ndarray, offset: float | np.ndarray = 0.0) -> np.ndarray:
    return expit(x - offset) * expit(offset - x)


def sum_of_sigmoids(x: np.ndarray, offsets: np.ndarray, divisor: float) -> np.ndarray:
    """Sigmoids at all offsets added up, over `divisor`: what softplus is the limit of, for offsets
    from 0 on that are 1 / divisor apart (Nair and Hinton 2010, section 2)."""
    return sigmoid(x[..., None], offsets).sum(axis=-1) / divisor


def sum_of_sigmoids_derivative(x: np.ndarray, offsets: np.ndarray, divisor: float) -> np.ndarray:
    return sigmoid_derivative(x[..., None], offsets).sum(axis=-1) / divisor


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x))."""
    return np.logaddexp(0, x, dtype=np.float64).astype(x.dtype)  # see elu


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def relu_derivative(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x.dtype.type(1), 0)


def leaky_relu(x: np.ndarray, alpha: float) -> np.ndarray:
    """x where it is positive, else alpha x; PReLU's function too, with a learned alpha."""
    return np.where(x > 0, x, alpha * x)


def leaky_relu_derivative(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x > 0, x.dtype.type(1), alpha)


def elu(x: np.ndarray, alpha: float) -> np.ndarray:
    """x where it is positive, else alpha (exp(x) - 1) (Clevert et al. 2015, equation 15)."""
    # In float32 the last bit would be the C library's, of which one version rounds unlike another.
    below = np.expm1(np.minimum(x, 0), dtype=np.float64).astype(x.dtype)
    return np.where(x > 0, x, alpha * below)


def elu_derivative(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x > 0, x.dtype.type(1), alpha * np.exp(np.minimum(x, 0)))


def srelu(x: np.ndarray) -> np.ndarray:
    """The shifted ReLU, max(-1, x) (Clevert et al. 2015, section 4)."""
    return np.maximum(x, -1)


def srelu_derivative(x: np.ndarray) -> np.ndarray:
    return np.where(x > -1, x.dtype.type(1), 0)


def selu(x: np.ndarray) -> np.ndarray:
    """ELU with the alpha and the scale that keep activations normal (Klambauer et al. 2017)."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


def selu_derivative(x: np.ndarray) -> np.ndarray:
    return SELU_SCALE * elu_derivative(x, SELU_ALPHA)


def gelu(x: np.ndarray) -> np.ndarray:
    """x times the normal distribution function (Hendrycks and Gimpel 2016), not its approximation."""
    return x * ndtr(x)


def gelu_derivative(x: np.ndarray) -> np.ndarray:
    return ndtr(x) + x * np.exp(-x * x / 2) / x.dtype.type(np.sqrt(2 * np.pi))


def tanh_derivative(x: np.ndarray) -> np.ndarray:
    return 4 * sigmoid_derivative(2 * x)


class Function(NamedTuple):
    """An activation function of x alone."""

    value: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]


WITHOUT_ALPHA = {
    "sigmoid": Function(sigmoid, sigmoid_derivative),
    "softplus": Function(softplus, sigmoid),
    "relu": Function(relu, relu_derivative),
    "srelu": Function(srelu, srelu_derivative),
    "selu": Function(selu, selu_derivative),
    "gelu": Function(gelu, gelu_derivative),
    "tanh": Function(np.tanh, tanh_derivative),
}
WITH_ALPHA = {
    "leaky_relu": (leaky_relu, leaky_relu_derivative),
    "prelu": (leaky_relu, leaky_relu_derivative),
    "elu": (elu, elu_derivative),
}


def function(activation: Activation) -> Function:
    """The function of a validated activation; of PReLU, with the slope it begins with."""
    if activation.name in WITHOUT_ALPHA:
        return WITHOUT_ALPHA[activation.name]
    value, derivative = WITH_ALPHA[activation.name]
    alpha = cast(float, activation.alpha)  # checked to be there where it is used
    return Function(partial(value, alpha=alpha), partial(derivative, alpha=alpha))
