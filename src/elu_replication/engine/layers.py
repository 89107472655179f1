"""Activation layers and initializers by name."""

from typing import Any, cast

import keras
from keras import ops

from elu_replication.config.schema import Activation, Initializer


class SReLU(keras.layers.Layer):
    """The shifted ReLU, max(-1, x), that Clevert et al. 2015 (section 4) call SReLU."""

    def call(self, inputs: Any) -> Any:
        return ops.maximum(inputs, -1.0)


class GELU(keras.layers.Layer):
    """x times the normal distribution function, written with erf: Keras' own, with erfc, has other last
    bits on other processors."""

    def call(self, inputs: Any) -> Any:
        return inputs * (0.5 * (1.0 + ops.erf(inputs * 0.5**0.5)))


def activation_layer(activation: Activation, image: bool) -> keras.layers.Layer:
    """The layer for a validated activation; PReLU shares slopes over an image's pixels."""
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
            return SReLU()
        case "gelu":
            return GELU()
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
