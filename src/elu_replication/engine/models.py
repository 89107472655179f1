"""The networks that the sources train."""

from typing import cast

import keras

from elu_replication.config.schema import Protocol
from elu_replication.engine.layers import activation_layer, weight_initializer
from elu_replication.engine.seeding import derived_seed

CLASSES = 10
PIXELS = 28 * 28
ENCODER = (1000, 500, 250, 30)


def build(protocol: Protocol, seed: int) -> keras.Sequential:
    """The protocol's network for float32 images (n, 28, 28, 1), with the weights of `seed`.

    Its output is (n, 10) class probabilities, or an autoencoder's (n, 784) pixels. The initializer
    serves every layer with weights, the output layer included; biases begin at zero.
    """
    return {"cnn": cnn, "mlp": mlp, "autoencoder": autoencoder}[protocol.model.name](protocol, seed)


def cnn(protocol: Protocol, seed: int) -> keras.Sequential:
    """The article's network; 431,242 parameters where the activation has none of its own.

    Twice: 3x3 convolution (32, then 64 filters), activation, 2x2 max-pooling, dropout; then a
    dense layer of 256 units with its activation.
    """
    dropout = protocol.dropout

    def block(filters: int, index: int) -> list[keras.layers.Layer]:
        kernel = weight_initializer(protocol.initializer, derived_seed(seed, "weights", index))
        return [
            keras.layers.Conv2D(filters, 3, kernel_initializer=kernel),
            activation_layer(protocol.activation, image=True),
            keras.layers.MaxPooling2D(2),
            keras.layers.Dropout(dropout, seed=derived_seed(seed, "dropout", index)),
        ]

    return keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            *block(32, 0),
            *block(64, 1),
            keras.layers.Flatten(),
            *_dense(protocol, seed, 256, 2),
            _output(protocol, seed, CLASSES, "softmax", 3),
        ]
    )


def mlp(protocol: Protocol, seed: int) -> keras.Sequential:
    """The report's and the paper's network: hidden layers of 128 units, each with its activation.

    217,354 parameters at 8 hidden layers, 184,330 at 6. Neither source uses dropout here; where a
    rate is given, it follows each hidden activation.
    """
    depth = cast(int, protocol.model.hidden_layers)  # checked to be there for an MLP
    return _dense_network(protocol, seed, (128,) * depth, CLASSES, "softmax")


def autoencoder(protocol: Protocol, seed: int) -> keras.Sequential:
    """The network of the paper's figure 3: 1000, 500, 250 and 30 units and their mirror image, each
    with its activation, and a sigmoid for each pixel; 2,837,314 parameters."""
    return _dense_network(protocol, seed, (*ENCODER, *ENCODER[-2::-1]), PIXELS, "sigmoid")


def _dense_network(
    protocol: Protocol, seed: int, sizes: tuple[int, ...], outputs: int, output_activation: str
) -> keras.Sequential:
    hidden: list[keras.layers.Layer] = []
    for index, size in enumerate(sizes):
        hidden += _dense(protocol, seed, size, index)
        if protocol.dropout:
            rng = derived_seed(seed, "dropout", index)
            hidden.append(keras.layers.Dropout(protocol.dropout, seed=rng))
    output = _output(protocol, seed, outputs, output_activation, len(sizes))
    return keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), *hidden, output])


def _dense(protocol: Protocol, seed: int, units: int, index: int) -> list[keras.layers.Layer]:
    kernel = weight_initializer(protocol.initializer, derived_seed(seed, "weights", index))
    return [
        keras.layers.Dense(units, kernel_initializer=kernel),
        activation_layer(protocol.activation, image=False),
    ]


def _output(protocol: Protocol, seed: int, units: int, activation: str, index: int) -> keras.layers.Layer:
    kernel = weight_initializer(protocol.initializer, derived_seed(seed, "weights", index))
    return keras.layers.Dense(units, activation=activation, kernel_initializer=kernel)
