"""Splits as Keras makes them."""

from pathlib import Path

import numpy as np

from elu_replication.datasets import prepared
from elu_replication.engine import data


def test_the_last_images_are_held_out(mnist: Path) -> None:
    arrays, _ = prepared.load("mnist")
    parts = data.splits(arrays, 60_000, 12_000, 10)
    assert {name: len(part.labels) for name, part in parts.items()} == {
        "train": 48_000,
        "validation": 12_000,
        "test": 10_000,
    }
    np.testing.assert_array_equal(parts["validation"].labels, arrays["train_labels"][48_000:])
    images = parts["train"].images
    assert (images.dtype, images.shape[1:]) == (np.float32, (28, 28, 1))
    assert (images.min(), images.max()) == (0.0, 1.0)


def test_no_validation_split_where_none_is_asked_for(mnist: Path) -> None:
    arrays, _ = prepared.load("mnist")
    assert list(data.splits(arrays, 500, 0, 10)) == ["train", "test"]
