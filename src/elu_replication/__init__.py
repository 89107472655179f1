"""Re-run the published experiments on the Exponential Linear Unit and compare."""
