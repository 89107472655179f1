"""Layers that Keras lacks. A saved model that has one loads once this module is imported."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("elu_replication")
class ShiftedReLU(keras.layers.Layer):
    """max(-1, x), which Clevert et al. 2015 (section 4) call SReLU."""

    def call(self, inputs: Any) -> Any:
        return ops.maximum(inputs, -1.0)
