"""The networks that the sources train, each a list of layers under its name in protocols."""

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import keras

from elu_replication.config.schema import Initializer, Protocol
from elu_replication.engine.activations import function
from elu_replication.engine.seeding import derived_seed

ENCODER = (1000, 500, 250, 30)
Layers = list[keras.layers.Layer]


class Plan(NamedTuple):
    """What a network is built from."""

    protocol: Protocol
    seed: int
    image_shape: tuple[int, ...]  # height, width, channels
    classes: int


MODELS: dict[str, Callable[[Plan], Layers]] = {}


def model(*names: str) -> Callable[[Callable[[Plan], Layers]], Callable[[Plan], Layers]]:
    """Register a builder under the names that it has in protocols."""

    def register(builder: Callable[[Plan], Layers]) -> Callable[[Plan], Layers]:
        MODELS.update(dict.fromkeys(names, builder))
        return builder

    return register


def build(protocol: Protocol, seed: int, image_shape: tuple[int, ...], classes: int) -> keras.Sequential:
    """The protocol's network for float32 images (n, *image_shape), with the weights of `seed`.

    Its output is (n, classes) class probabilities, or an autoencoder's (n, pixels). The initializer serves
    every layer with weights, the output layer included; biases begin at zero.
    """
    layers = MODELS[protocol.model.name](Plan(protocol, seed, image_shape, classes))
    return keras.Sequential([keras.layers.Input(image_shape), *layers])


@model("cnn")
def cnn(plan: Plan) -> Layers:
    """The article's network; on MNIST, 431,242 parameters where the activation has none of its own.

    Twice: 3x3 convolution (32, then 64 filters), activation, 2x2 max-pooling, dropout; then a dense layer
    of 256 units with its activation.
    """
    dropout = plan.protocol.dropout

    def block(filters: int, index: int) -> Layers:
        return [
            keras.layers.Conv2D(filters, 3, kernel_initializer=_initializer(plan, index)),
            function(plan.protocol.activation).layer(image=True),
            keras.layers.MaxPooling2D(2),
            keras.layers.Dropout(dropout, seed=derived_seed(plan.seed, "dropout", index)),
        ]

    return [
        *block(32, 0),
        *block(64, 1),
        keras.layers.Flatten(),
        *_dense(plan, 256, 2),
        _output(plan, plan.classes, "softmax", 3),
    ]


@model("mlp", "from_scratch")  # the network in NumPy has the same weights
def mlp(plan: Plan) -> Layers:
    """The report's and the paper's network: hidden layers of 128 units, each with its activation.

    On MNIST, 217,354 parameters at 8 hidden layers, 184,330 at 6. Neither source uses dropout here; where
    a rate is given, it follows each hidden activation.
    """
    depth = cast(int, plan.protocol.model.hidden_layers)  # checked to be there for an MLP
    return _dense_network(plan, (128,) * depth, plan.classes, "softmax")


@model("autoencoder")
def autoencoder(plan: Plan) -> Layers:
    """The network of the paper's figure 3: 1000, 500, 250 and 30 units and their mirror image, each with
    its activation, and a sigmoid for each pixel; on MNIST, 2,837,314 parameters."""
    return _dense_network(plan, (*ENCODER, *ENCODER[-2::-1]), math.prod(plan.image_shape), "sigmoid")


def _dense_network(plan: Plan, sizes: tuple[int, ...], outputs: int, output_activation: str) -> Layers:
    hidden: Layers = []
    for index, size in enumerate(sizes):
        hidden += _dense(plan, size, index)
        if rate := plan.protocol.dropout:
            hidden.append(keras.layers.Dropout(rate, seed=derived_seed(plan.seed, "dropout", index)))
    return [keras.layers.Flatten(), *hidden, _output(plan, outputs, output_activation, len(sizes))]


def _dense(plan: Plan, units: int, index: int) -> Layers:
    return [
        keras.layers.Dense(units, kernel_initializer=_initializer(plan, index)),
        function(plan.protocol.activation).layer(image=False),
    ]


def _output(plan: Plan, units: int, activation: str, index: int) -> keras.layers.Layer:
    return keras.layers.Dense(units, activation=activation, kernel_initializer=_initializer(plan, index))


def _initializer(plan: Plan, index: int) -> keras.initializers.Initializer:
    """The initializer of the layer with weights that stands at `index`, which has a seed of its own."""
    initializer: Initializer = plan.protocol.initializer
    seed = derived_seed(plan.seed, "weights", index)
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
