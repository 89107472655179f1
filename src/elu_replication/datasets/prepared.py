"""The four arrays of a data set as stored in data/."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from elu_replication.config.schema import DatasetFacts, dataset_facts
from elu_replication.errors import UserError, one_line

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


def require(name: str, array: Any, facts: DatasetFacts) -> None:
    """Raise ValueError, saying how it differs, unless an array is the one that conf/dataset describes."""
    shape = shapes(facts)[name]
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.shape != shape:
        kind = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "no array"
        raise ValueError(f"{name} is {kind}, not uint8 {shape}")
    if name.endswith("labels") and array.max() >= facts.classes:
        raise ValueError(f"{name} has label {array.max()}, but there are {facts.classes} classes")
    if (digest := array_digest(array)) != facts.digests[name]:
        raise ValueError(f"{name} has SHA-256 {digest[:16]}…, not {facts.digests[name][:16]}…")


def load(dataset: str) -> tuple[Arrays, str]:
    """The four uint8 arrays of `dataset`, by name, and their data digest; raises UserError if a file is
    missing or does not hold the array that conf/dataset describes."""
    facts, arrays = dataset_facts(dataset), {}
    for name in shapes(facts):
        path = PREPARED / dataset / f"{name}.npy"
        try:
            with path.open("rb") as file:
                arrays[name] = np.load(file, allow_pickle=False)
            require(name, arrays[name], facts)
        except Exception as error:  # NumPy raises a dozen kinds on damaged files
            text = getattr(error, "strerror", None) or one_line(error)  # of an OSError, without the path
            raise UserError(f"{path}: {text}; `dvc repro -f fetch@{dataset}` brings it again") from error
    return arrays, facts.digest
