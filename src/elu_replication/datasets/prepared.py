"""The prepared images, as the training code sees them."""

import hashlib
from pathlib import Path

import numpy as np

from elu_replication.errors import UserError

ARRAYS = {
    "train_images": (60_000, 28, 28),
    "train_labels": (60_000,),
    "test_images": (10_000, 28, 28),
    "test_labels": (10_000,),
}
PREPARED = Path("data")


def array_digest(array: np.ndarray) -> str:
    """SHA-256 of the values of a uint8 array, whatever file they came from."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def data_digest(digests: dict[str, str]) -> str:
    """One SHA-256 for the four arrays' digests: what a run's record says it was trained on."""
    return hashlib.sha256("".join(digests[name] for name in ARRAYS).encode()).hexdigest()


def load(dataset: str) -> tuple[dict[str, np.ndarray], str]:
    """The four uint8 arrays of `dataset`, by name, and their data digest.

    Raises UserError when a file is missing or is not the array that was prepared.
    """
    arrays = {}
    for name, shape in ARRAYS.items():
        path = PREPARED / dataset / f"{name}.npy"
        try:
            arrays[name] = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: {error}; `dvc repro data` prepares it again") from error
        if arrays[name].shape != shape or arrays[name].dtype != np.uint8:
            raise UserError(f"{path}: not uint8 {shape}; `dvc repro data` prepares it again")
    return arrays, data_digest({name: array_digest(array) for name, array in arrays.items()})
