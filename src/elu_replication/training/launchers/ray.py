"""Jobs as tasks of a running Ray cluster, which restarts them elsewhere when a node dies."""

import logging
import socket
from collections.abc import Iterator, Sequence

import ray
from ray.exceptions import RayError
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from elu_replication.config.schema import Launcher
from elu_replication.engine import kernels
from elu_replication.errors import UserError, one_line
from elu_replication.training.job import Event, Job
from elu_replication.training.launchers import remote
from elu_replication.training.launchers.local import MOST_JOBS

TRIES = 10  # of a task whose node or process dies; each resumes from the last checkpoint


def launch(jobs: Sequence[Job], launcher: Launcher) -> Iterator[Event]:
    """Run jobs in the cluster at `launcher.address`, yielding their events as they come.

    Raises UserError if no cluster answers. Running tasks end when this generator does.
    """
    _connect(launcher.address or "auto")
    try:
        # The queue lives on the driver's node, since any other node may die.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        progress = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        resources = {"num_cpus": 1, "num_gpus": launcher.gpus_per_run}
        run = ray.remote(max_calls=MOST_JOBS)(_run).options(max_retries=TRIES - 1, **resources)
        folder = str(launcher.folder)
        running = {run.remote(remote.task(job, folder), n, progress): n for n, job in enumerate(jobs)}
        while running:
            done, _ = ray.wait(list(running), timeout=1.0)
            for index, epoch in progress.get_nowait_batch(progress.qsize()):
                yield Event(jobs[index], "epoch", epoch)
            for reference in done:
                job = jobs[running.pop(reference)]
                try:
                    yield remote.received(job, ray.get(reference))
                except RayError as error:
                    yield Event(job, "failed", detail=one_line(error))
    finally:
        ray.shutdown()  # ends this driver's tasks


def _connect(address: str) -> None:
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    # Ray imports NumPy before this package can fix its kernels.
    environment = {"env_vars": kernels.AVX2_OF_NUMPY}
    try:
        if colon:  # Ray itself would try for many minutes
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=environment)
    except (OSError, RayError, ValueError) as error:
        raise UserError(
            f"launcher.address = {address}: no Ray cluster there ({one_line(error)}); "
            "`ray start --head` starts one"
        ) from error


def _run(task: remote.Task, index: int, progress: Queue) -> remote.Result:
    return remote.run(task, lambda epoch: progress.put((index, epoch)))
