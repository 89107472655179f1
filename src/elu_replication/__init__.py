"""Re-run the published experiments on the Exponential Linear Unit and compare."""

from elu_replication.engine import kernels

kernels.pin()  # before anything imports NumPy or TensorFlow, which read their settings then
