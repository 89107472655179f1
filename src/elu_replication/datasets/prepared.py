"""The four arrays of a data set as stored in data/."""

import hashlib
from pathlib import Path

import numpy as np

from elu_replication.config.schema import DatasetFacts, dataset_facts, joined
from elu_replication.errors import UserError

PREPARED = Path("data")
Arrays = dict[str, np.ndarray]


def shapes(facts: DatasetFacts) -> dict[str, tuple[int, ...]]:
    """The shape of each of the four uint8 arrays by name; images of one channel have no channel axis."""
    height, width, channels = facts.image
    image = (height, width) if channels == 1 else facts.image
    numbers = {"train": facts.images.train, "test": facts.images.test}
    return {
        f"{split}_{kind}": (number, *image) if kind == "images" else (number,)
        for split, number in numbers.items()
        for kind in ("images", "labels")
    }


def array_digest(array: np.ndarray) -> str:
    """SHA-256 of the values of a uint8 array, whatever the file format."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def load(dataset: str) -> tuple[Arrays, str]:
    """The four uint8 arrays of `dataset`, by name, and their data digest; raises UserError if a file is
    missing or is not an array of the right shape."""
    arrays = {}
    for name, shape in shapes(dataset_facts(dataset)).items():
        path = PREPARED / dataset / f"{name}.npy"
        try:
            arrays[name] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{path}: {error}; `dvc repro fetch` prepares it again") from error
        if arrays[name].shape != shape or arrays[name].dtype != np.uint8:
            raise UserError(f"{path}: not uint8 {shape}; `dvc repro fetch` prepares it again")
    return arrays, joined({name: array_digest(array) for name, array in arrays.items()})
