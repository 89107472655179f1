"""Random numbers belong to a run and a purpose."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elu_replication.engine.seeding import derived_seed, epoch_order

SEEDS = st.integers(0, 2**31 - 1)


@given(seed=SEEDS, epoch=st.integers(1, 1000), images=st.integers(1, 500))
def test_an_order_visits_every_image_once_and_is_the_same_each_time(
    seed: int, epoch: int, images: int
) -> None:
    order = epoch_order(seed, epoch, images)
    assert sorted(order) == list(range(images))
    np.testing.assert_array_equal(order, epoch_order(seed, epoch, images))


def test_seeds_purposes_and_indices_do_not_collide() -> None:
    drawn = [
        derived_seed(seed, purpose, index)
        for seed in range(40)
        for purpose in ("weights", "dropout", "order")
        for index in range(40)
    ]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 2**31 for seed in drawn)
