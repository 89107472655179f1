"""A multilayer perceptron in NumPy alone: forward pass, backpropagation, gradient descent.

It follows the report's section 4.1, in the notation of its four equations: layer l computes
z^l = a^(l-1) w^l + b^l and a^l = sigma(z^l), and delta^l is the derivative of the cost by z^l.
Images are rows here, so that products with w stand the other way round than in the report.
"""

from typing import Literal

import numpy as np
from scipy.special import expit, log_softmax, softmax

from elu_replication.engine.activations import Function

Cost = Literal["cross_entropy", "squared_error"]


class Network:
    """Weights w^l of shape (units of layer l-1, units of layer l) and biases b^l of shape (units of
    layer l,), all of one dtype, in which everything is computed.

    The last layer is softmax with cross-entropy, or, with "squared_error", sigmoid with half the
    squared distance to the one-hot label, which the report's section 4.1 describes.
    """

    def __init__(
        self,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        hidden: Function,
        cost: Cost = "cross_entropy",
    ) -> None:
        self.weights, self.biases, self.hidden, self.cost = weights, biases, hidden, cost

    def forward(self, images: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """All z^l and a^l for images of shape (n, pixels); a^0 are the images, the last a is z: how
        the output layer goes on from there is part of the cost."""
        before, after = [], [images]
        for layer, (w, b) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            z = after[-1] @ w + b
            before.append(z)
            after.append(z if layer == len(self.weights) else self.hidden.value(z))
        return before, after

    def costs(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The cost C of each image, shape (n,), for the last z and one-hot targets."""
        if self.cost == "cross_entropy":
            return -(targets * log_softmax(outputs, axis=1)).sum(axis=1)
        return np.square(expit(outputs) - targets).sum(axis=1) / 2

    def output_error(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """delta^L for each image: dC/da * sigma'(z^L), the report's first equation; of softmax, whose
        outputs each depend on all of z^L, the derivative of the cost is a - y."""
        if self.cost == "cross_entropy":
            return softmax(outputs, axis=1) - targets
        a = expit(outputs)
        return (a - targets) * a * (1 - a)

    def gradients(
        self, images: np.ndarray, targets: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        """The gradients of the mean cost by every w^l and b^l, and the outputs (the last z).

        Backpropagation goes from the last layer to the first, so that each delta^l comes from
        delta^(l+1) alone and no derivative is computed twice.
        """
        before, after = self.forward(images)
        delta = self.output_error(before[-1], targets) / len(images)
        by_weights, by_biases = [], []
        for layer in reversed(range(len(self.weights))):
            by_biases.append(delta.sum(axis=0))  # dC/db^l = delta^l
            by_weights.append(after[layer].T @ delta)  # dC/dw^l = a^(l-1) delta^l
            if layer:  # delta^l = (delta^(l+1) w^(l+1)) * sigma'(z^l)
                delta = delta @ self.weights[layer].T * self.hidden.derivative(before[layer - 1])
        return by_weights[::-1], by_biases[::-1], before[-1]

    def descend(self, images: np.ndarray, targets: np.ndarray, learning_rate: float) -> np.ndarray:
        """One step of gradient descent on a batch; the outputs before it."""
        by_weights, by_biases, outputs = self.gradients(images, targets)
        for values, gradients in ((self.weights, by_weights), (self.biases, by_biases)):
            for value, gradient in zip(values, gradients, strict=True):
                value -= learning_rate * gradient
        return outputs
