"""Every random number of a run comes from its own seed and its purpose, never from global state.

Two arms that differ only in activation therefore share, at seed k, initial weights, batch order
and dropout masks: their difference is a paired one.
"""

import zlib

import numpy as np


def derived_seed(seed: int, purpose: str, index: int = 0) -> int:
    """A 31-bit seed for one use, e.g. ("weights", layer 3) of run seed 0."""
    words = [seed, zlib.crc32(purpose.encode()), index]
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)


def epoch_order(seed: int, epoch: int, images: int) -> np.ndarray:
    """The order in which an epoch (from 1) visits the training images, int32 of shape (images,).

    A function of its arguments alone, so that a resumed run sees the order of an uninterrupted one.
    """
    generator = np.random.default_rng(derived_seed(seed, "order", epoch))
    return generator.permutation(images).astype(np.int32)
