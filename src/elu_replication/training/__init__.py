"""Runs in the making: one run, worker processes, campaigns."""
