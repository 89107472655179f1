"""Where runs are trained: this machine, Ray, Slurm."""
