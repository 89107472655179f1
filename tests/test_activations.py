"""Activation mathematics: Keras' values and gradients, numeric derivatives, and no overflow."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st

from elu_replication.claims.checks import sum_of_sigmoids, sum_of_sigmoids_derivative
from elu_replication.engine.activations import (
    ACTIVATIONS,
    SELU_ALPHA,
    SELU_SCALE,
    Function,
    Sigmoid,
    Softplus,
)

ALPHAS = {"elu": 1.25, "leaky_relu": 0.125, "prelu": 0.25}  # exact in float32, as Keras has them
KINKS = {
    "srelu": (-1.0,),
    "relu": (0.0,),
    "leaky_relu": (0.0,),
    "prelu": (0.0,),
    "elu": (0.0,),
    "selu": (0.0,),
}
FAR = (-5_000_000.0, -1000.0, -40.0, 0.0, 40.0, 1000.0, 5_000_000.0)
DTYPES = {"float32": 2e-6, "float64": 1e-12}


def chosen(name: str) -> Function:
    return ACTIVATIONS[name](ALPHAS.get(name))


def keras_values(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keras' values and TensorFlow's automatic gradients for x of shape (n,)."""
    keras.config.set_dtype_policy(str(x.dtype))
    try:
        layer = chosen(name).layer(image=False)
        inputs = tf.constant(x[:, None])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        return outputs.numpy()[:, 0], tape.gradient(outputs, inputs).numpy()[:, 0]
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_derivatives_are_keras_and_keep_the_dtype(name: str, dtype: str) -> None:
    function, kinks = chosen(name), KINKS.get(name, ())

    # Thousandths: TensorFlow flushes subnormal numbers to zero, which is of no interest here.
    @given(st.lists(st.integers(-30_000, 30_000).map(lambda n: n / 1000), min_size=1, max_size=20))
    def check(points: list[float]) -> None:
        x = np.array(points, dtype)
        values, gradients = keras_values(name, x)
        # TensorFlow's GELU has constants of its own, to ten digits.
        near = 1e-8 if (name, dtype) == ("gelu", "float64") else DTYPES[dtype]
        slopes, smooth = function.derivative(x), ~np.isin(x, kinks)
        np.testing.assert_allclose(function.value(x), values, rtol=near, atol=near)
        np.testing.assert_allclose(slopes[smooth], gradients[smooth], rtol=near, atol=near)
        assert function.value(x).dtype == slopes.dtype == x.dtype

    check()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_derivative_is_the_slope(name: str) -> None:
    function, step = chosen(name), 1e-5

    @given(st.floats(-20, 20))
    def check(point: float) -> None:
        assume(all(abs(point - kink) > 1e-4 for kink in KINKS.get(name, ())))
        x = np.array([point])
        slope = (function.value(x + step) - function.value(x - step)) / (2 * step)
        np.testing.assert_allclose(function.derivative(x), slope, rtol=1e-6, atol=1e-8)

    check()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nothing_overflows_far_from_zero(name: str, dtype: str) -> None:
    function = chosen(name)
    with np.errstate(over="raise", invalid="raise"):
        values, slopes = function.value(np.array(FAR, dtype)), function.derivative(np.array(FAR, dtype))
    assert np.isfinite([values, slopes]).all()
    bounded = {"sigmoid": (0, 1), "tanh": (-1, 1)}
    linear = {"leaky_relu": 0.125, "prelu": 0.25}
    limits = {"elu": -1.25, "srelu": -1.0, "selu": -SELU_SCALE * SELU_ALPHA}
    low, high = bounded.get(name, (linear.get(name, 0) * FAR[0] or limits.get(name, 0), FAR[-1]))
    if name == "selu":
        high = SELU_SCALE * FAR[-1]
    assert values[0] == pytest.approx(low, rel=1e-6, abs=1e-12)
    assert values[-1] == pytest.approx(high, rel=1e-6)
    assert slopes[0] == pytest.approx(linear.get(name, 0), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("sigmoid", 0.5, 0.25),
        ("softplus", np.log(2), 0.5),
        ("relu", 0, 0),
        ("leaky_relu", 0, 0.125),
        ("prelu", 0, 0.25),
        ("elu", 0, 1.25),
        ("srelu", 0, 1),
        ("selu", 0, SELU_SCALE * SELU_ALPHA),
        ("gelu", 0, 0.5),
        ("tanh", 0, 1),
    ],
)
def test_at_zero_a_kink_takes_the_slope_from_the_left(name: str, value: float, slope: float) -> None:
    function = chosen(name)
    assert function.value(np.zeros(1))[0] == pytest.approx(value)
    assert function.derivative(np.zeros(1))[0] == pytest.approx(slope)


def test_a_sum_of_many_close_sigmoids_is_softplus() -> None:
    x, apart = np.linspace(-20, 20, 101), 0.01
    offsets = np.arange(apart / 2, 60, apart)  # midpoints, so that the sum is an integral's
    np.testing.assert_allclose(sum_of_sigmoids(x, offsets, 1 / apart), Softplus().value(x), atol=1e-5)
    slopes = sum_of_sigmoids_derivative(x, offsets, 1 / apart)
    np.testing.assert_allclose(slopes, Sigmoid().value(x), atol=1e-5)


def test_mathematics_needs_no_keras() -> None:
    code = "import sys, elu_replication.engine.activations; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
