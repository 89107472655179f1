"""All that determines the numbers of a run, and nothing else."""
