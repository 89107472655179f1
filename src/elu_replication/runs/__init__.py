"""Finished runs: stored whole, read back, and counted while they are what is declared today."""
