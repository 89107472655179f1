"""The prepared images, as the training code sees them."""

import hashlib
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Split:
    """Images as float32 in [0, 1], shape (n, 28, 28, 1), and labels as int32, shape (n,)."""

    images: np.ndarray
    labels: np.ndarray


def splits(arrays: dict[str, np.ndarray], train_images: int, validation_images: int) -> dict[str, Split]:
    """Splits "train", "validation" (where asked for) and "test".

    The first `train_images` of the 60,000 are used; the last `validation_images` of those are held
    out before any shuffling, as Keras' validation_split does.
    """

    def split(kind: str, start: int, stop: int) -> Split:
        images = arrays[f"{kind}_images"][start:stop, ..., None].astype(np.float32) / 255
        return Split(images, arrays[f"{kind}_labels"][start:stop].astype(np.int32))

    fitted = train_images - validation_images
    parts = {"train": split("train", 0, fitted)}
    if validation_images:
        parts["validation"] = split("train", fitted, train_images)
    return {**parts, "test": split("test", 0, 10_000)}
