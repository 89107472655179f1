"""Layers that Keras lacks. A saved model that has one loads once this module is imported."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("elu_replication")
class ShiftedReLU(keras.layers.Layer):
    """max(-1, x), which Clevert et al. 2015 (section 4) call SReLU."""

    def call(self, inputs: Any) -> Any:
        return ops.maximum(inputs, -1.0)


@keras.saving.register_keras_serializable("elu_replication")
class ExactGELU(keras.layers.Layer):
    """x times the normal distribution function, by erf: Keras' own, by erfc, has other last bits on other
    processors."""

    def call(self, inputs: Any) -> Any:
        return inputs * (0.5 * (1.0 + ops.erf(inputs * 0.5**0.5)))
