"""A worker's memory does not grow with the arms that it has trained."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
from conftest import tiny

from elu_replication.config.schema import Arm
from elu_replication.training.job import Job

ARMS = 7
IMAGES = 20_000
PIXELS = 28 * 28


def resident_after_each(folder: Path) -> list[int]:
    """Train arms one after another in a worker; the resident bytes of this process after each."""
    from elu_replication.training.worker import Worker

    worker, resident = Worker(), []
    for index in range(ARMS):
        protocol = tiny(
            activation__alpha=1 + index,
            model__hidden_layers=1,
            epochs=1,
            train_images=IMAGES,
            batch_size=500,
        )
        worker.train(
            Job(Arm(f"alpha_{index}", protocol, (0,), folder / str(index)), 0), lambda progress: None
        )
        resident.append(psutil.Process().memory_info().rss)
    return resident


@pytest.mark.long
def test_a_worker_does_not_keep_the_images_of_arms_that_it_has_trained(mnist: Path, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        resident = pool.submit(resident_after_each, tmp_path).result()
    _, early, *_, late = resident  # after the first arm, a second one is built while the first is there
    images_of_an_arm = 4 * PIXELS * IMAGES  # bytes of float32
    assert late - early < 2 * images_of_an_arm, [bytes_ >> 20 for bytes_ in resident]
