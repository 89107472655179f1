"""The prepared images, as the training code sees them."""

from dataclasses import dataclass

import numpy as np

from elu_replication.config.schema import Protocol, dataset_facts
from elu_replication.datasets import prepared
from elu_replication.errors import UserError


@dataclass(frozen=True)
class Split:
    """Images as float32 in [0, 1], shape (n, height, width, channels), and labels as int32 from 0 to
    `classes` - 1, shape (n,)."""

    images: np.ndarray
    labels: np.ndarray
    classes: int

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width, channels."""
        return self.images.shape[1:]


def splits(
    arrays: dict[str, np.ndarray], train_images: int, validation_images: int, classes: int
) -> dict[str, Split]:
    """Splits "train", "validation" (where asked for) and "test", from a data set's uint8 arrays.

    The first `train_images` training images are used. The last `validation_images` of those are held out
    before any shuffling, as Keras' validation_split does. The test split has all test images.
    """

    def split(kind: str, start: int, stop: int | None) -> Split:
        pixels = arrays[f"{kind}_images"][start:stop]
        images = pixels.reshape(*pixels.shape[:3], -1).astype(np.float32) / 255
        return Split(images, arrays[f"{kind}_labels"][start:stop].astype(np.int32), classes)

    fitted = train_images - validation_images
    parts = {"train": split("train", 0, fitted)}
    if validation_images:
        parts["validation"] = split("train", fitted, train_images)
    return {**parts, "test": split("test", 0, None)}


def load_splits(protocol: Protocol) -> tuple[dict[str, Split], str]:
    """The splits that a protocol trains on and is scored on, from data/, and their data digest.

    Raises UserError where the data set is not there, or is not the one that conf/dataset describes.
    """
    facts = dataset_facts(protocol.dataset.name)
    arrays, digest = prepared.load(facts.name)
    if digest != facts.digest:
        raise UserError(
            f"data/{facts.name} is not what conf/dataset says: `dvc repro -f fetch@{facts.name}`"
        )
    return splits(arrays, protocol.train_images, protocol.validation_images, facts.classes), digest
