"""The networks as the sources describe them."""

from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import tiny
from hypothesis import given
from hypothesis import strategies as st

from elu_replication.config import experiments
from elu_replication.config.options import options
from elu_replication.config.schema import PUBLISHED
from elu_replication.engine.activations import ELU, LeakyReLU
from elu_replication.engine.models import MODELS, build

MNIST = (28, 28, 1)


def arm_model(name: str, seed: int = 0) -> keras.Sequential:
    return build(experiments.arm(name, PUBLISHED).protocol, seed, MNIST, 10)


@pytest.mark.parametrize(
    ("arm", "parameters"),
    [
        ("machinecurve_25-he_elu1", 431_242),
        ("machinecurve_25-glorot_relu", 431_242),
        ("asu_mlp-sgd_elu", 217_354),
        ("asu_mlp-sgd_sigmoid_6", 184_330),
    ],
)
def test_parameter_counts(arm: str, parameters: int) -> None:
    assert arm_model(arm).count_params() == parameters


def test_the_cnn_s_layers_stand_in_the_published_order() -> None:
    layers = [type(layer).__name__ for layer in arm_model("machinecurve_25-he_elu1").layers]
    block = ["Conv2D", "ELU", "MaxPooling2D", "Dropout"]
    assert layers == [*block, *block, "Flatten", "Dense", "ELU", "Dense"]


def test_arms_that_differ_in_activation_begin_with_the_same_weights() -> None:
    relu, elu = (arm_model(f"machinecurve_25-he_{name}", seed=5) for name in ("relu", "elu1"))
    for one, other in zip(relu.trainable_variables, elu.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)
    another = arm_model("machinecurve_25-he_elu1", seed=6)
    assert not np.array_equal(elu.trainable_variables[0], another.trainable_variables[0])


@pytest.mark.parametrize("name", options("initializer"))
def test_weights_spread_as_the_initializer_says(name: str) -> None:
    kernels = [
        v.numpy() for v in build(tiny(initializer=name), 0, MNIST, 10).trainable_variables if v.ndim == 2
    ]
    fan = {"he": lambda k: 2 / k.shape[0], "glorot": lambda k: 2 / sum(k.shape), "random": lambda _: 1.0}
    for kernel in kernels:
        assert kernel.var() == pytest.approx(fan[name.partition("_")[0]](kernel), rel=0.12)


@pytest.mark.parametrize("name", options("activation"))
@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_every_activation_builds_in_both_networks(name: str, model: str) -> None:
    network = build(tiny(activation=name, model=model), 0, MNIST, 10)
    assert network(np.zeros((2, *MNIST), np.float32)).shape == (2, 10)


@pytest.mark.parametrize("model", MODELS)
def test_image_shape_and_classes_are_those_of_the_data(model: str) -> None:
    loss = "squared_error" if model == "autoencoder" else "cross_entropy"
    network = build(tiny(model=model, loss=loss), 0, (32, 32, 3), 7)
    outputs = 32 * 32 * 3 if model == "autoencoder" else 7
    assert network(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, outputs)


def test_every_model_is_registered() -> None:
    assert set(MODELS) == set(options("model"))


def test_a_saved_model_with_a_layer_of_our_own_loads(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(5, *MNIST)).astype(np.float32)
    network = build(tiny(activation="srelu"), 0, MNIST, 10)
    network.save(tmp_path / "saved.keras")
    loaded = keras.saving.load_model(tmp_path / "saved.keras")
    np.testing.assert_array_equal(loaded(images), network(images))


@given(alpha=st.floats(0.01, 10), inputs=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=20))
def test_elu_and_leaky_relu_use_their_alpha(alpha: float, inputs: list[float]) -> None:
    z = np.array(inputs, np.float32)
    elu = ELU(alpha).layer(image=False)(z).numpy()
    np.testing.assert_allclose(elu, np.where(z > 0, z, alpha * np.expm1(z)), rtol=1e-5, atol=1e-6)
    leaky = LeakyReLU(alpha).layer(image=False)(z).numpy()
    np.testing.assert_allclose(leaky, np.where(z > 0, z, alpha * z), rtol=1e-5, atol=1e-6)
