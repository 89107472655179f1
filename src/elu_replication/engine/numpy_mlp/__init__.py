"""A multilayer perceptron in NumPy alone, with backpropagation written out."""
