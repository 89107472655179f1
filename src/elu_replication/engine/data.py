"""The prepared images, as the training code sees them."""

from dataclasses import dataclass

import numpy as np


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
