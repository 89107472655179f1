"""Finished runs: stored, read back, and valid while protocol, data and code are today's."""
