"""Training: campaigns, the jobs in them, and the launchers that run jobs."""
