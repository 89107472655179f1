"""Re-run the published experiments on the Exponential Linear Unit and compare."""

import sys
from pathlib import Path

# The code that runs is the code beside the dvc.yaml that is run. In a second clone, in a worktree, or where
# DVC runs an experiment apart, the environment may hold the package of another folder.
if Path("src", __name__).is_dir():
    sys.path.insert(0, str(Path("src").resolve()))
    __path__ = [str(Path("src", __name__).resolve())]

from elu_replication.engine import kernels

kernels.pin()  # before anything imports NumPy or TensorFlow, which read their settings then
