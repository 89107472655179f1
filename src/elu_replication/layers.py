"""Activation layers and initializers by name."""

from typing import Any, cast

import keras
from keras import ops

from elu_replication.config import Activation, Initializer


class SReLU(keras.layers.Layer):
    """S-shaped rectifier (Jin et al. 2015, eq. 1) with four learned parameters a unit or channel.

    f(x) = t_r + a_r (x - t_r) for x >= t_r;  x between;  t_l + a_l (x - t_l) for x <= t_l.
    Begins as a leaky ReLU: t_l = 0, a_l = alpha, t_r = 1, a_r = 1.
    """

    def __init__(self, alpha: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        def weight(name: str, value: float) -> Any:
            constant = keras.initializers.Constant(value)
            return self.add_weight(shape=input_shape[-1:], initializer=constant, name=name)

        self.left_threshold, self.left_slope = weight("t_l", 0.0), weight("a_l", self.alpha)
        self.right_threshold, self.right_slope = weight("t_r", 1.0), weight("a_r", 1.0)

    def call(self, inputs: Any) -> Any:
        left = self.left_slope * ops.minimum(inputs - self.left_threshold, 0.0)
        right = self.right_slope * ops.maximum(inputs - self.right_threshold, 0.0)
        return left + ops.clip(inputs, self.left_threshold, self.right_threshold) + right

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


def activation_layer(activation: Activation, image: bool) -> keras.layers.Layer:
    """The layer for a validated activation; PReLU and SReLU share slopes over an image's pixels."""
    alpha = cast(float, activation.alpha)  # checked to be there where it is used
    match activation.name:
        case "elu":
            return keras.layers.ELU(alpha=alpha)
        case "leaky_relu":
            return keras.layers.LeakyReLU(negative_slope=alpha)
        case "prelu":
            start = keras.initializers.Constant(alpha)
            shared = (1, 2) if image else None
            return keras.layers.PReLU(alpha_initializer=start, shared_axes=shared)
        case "srelu":
            return SReLU(alpha)
        case name:
            return keras.layers.Activation(name)


def weight_initializer(initializer: Initializer, seed: int) -> keras.initializers.Initializer:
    """The Keras initializer for a validated name, drawing from `seed` alone."""
    match initializer.name:
        case "he_normal":
            return keras.initializers.HeNormal(seed=seed)
        case "he_uniform":
            return keras.initializers.HeUniform(seed=seed)
        case "glorot_normal":
            return keras.initializers.GlorotNormal(seed=seed)
        case "glorot_uniform":
            return keras.initializers.GlorotUniform(seed=seed)
        case "random_normal":
            return keras.initializers.RandomNormal(0.0, initializer.stddev, seed=seed)
        case name:
            raise ValueError(name)
