"""A run on another machine: what it is given, where it works, what it gives back.

An engine (Ray, Slurm) carries a Task there and its Result back. A worker's folder is laid out as the
repository is: the data set's option, data, checkpoints, results.
"""

import os
import platform
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from elu_replication import atomic
from elu_replication.config.options import CONF
from elu_replication.config.schema import DatasetFacts, dataset_facts
from elu_replication.errors import UserError, brief
from elu_replication.runs import probe_rows, store
from elu_replication.runs.code_version import code_version
from elu_replication.training.job import Event, Job

if TYPE_CHECKING:
    from elu_replication.training.worker import Worker

EPOCH_SECONDS = 2.0  # a worker tells of its progress at most so often


class Task(NamedTuple):
    """A job with all that a machine needs that has this package and no more."""

    job: Job
    dataset: DatasetFacts  # its option of conf/dataset
    versions: dict[str, str]  # those of the driver
    folder: str
    again: bool  # train it even where the worker's folder holds it


class Result(NamedTuple):
    """What became of a task: an Event's fields, and the contents of the run's files by name."""

    kind: str
    epoch: int = 0
    detail: str = ""
    files: dict[str, bytes] = {}  # noqa: RUF012 - nothing is put into it


@cache  # a campaign may have thousands of tasks
def versions(model: str) -> dict[str, str]:
    """What must be the same for a model's numbers to be, in this environment."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "training code": code_version(model)}
    for name in ("keras", "numpy", "tensorflow", "tensorflow-cpu"):
        with suppress(metadata.PackageNotFoundError):
            found[name.removesuffix("-cpu")] = metadata.version(name)
    return found | {"probes": str(probe_rows.VERSION)}


def task(job: Job, folder: str) -> Task:
    """A job of this repository for a worker that works in `folder`."""
    protocol = job.arm.protocol
    facts = dataset_facts(protocol.dataset.name)
    again = store.why_not_current(job.arm, job.seed) is None  # stored here, and asked for all the same
    return Task(job, facts, versions(protocol.model.name), folder, again)


def run(task: Task, on_epoch: Callable[[int], None]) -> Result:
    """Do a task on this machine; what goes wrong is a Result too. `on_epoch` hears of some epochs."""
    try:
        return _run(task, on_epoch)
    except (UserError, OSError) as error:
        return Result("failed", detail=f"on {socket.gethostname()}: {brief(error)}")


def _run(task: Task, on_epoch: Callable[[int], None]) -> Result:
    from elu_replication.datasets import fetch

    arm, seed, _ = task.job
    here = versions(arm.protocol.model.name)
    if unlike := [f"{k} {here.get(k)}, not {v}" for k, v in task.versions.items() if here.get(k) != v]:
        raise UserError(f"{'; '.join(unlike)}: install there what the driver has")
    folder = Path(task.folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    option = yaml.safe_dump(task.dataset.model_dump(mode="json"))
    atomic.write_text(CONF / "dataset" / f"{task.dataset.name}.yaml", option)
    told = time.monotonic()

    def tell(epoch: int) -> None:
        nonlocal told
        if time.monotonic() - told >= EPOCH_SECONDS:
            on_epoch(epoch)
            told = time.monotonic()

    if task.again or store.why_not_current(arm, seed):  # else a driver went away before it had the result
        fetch.ensure(task.dataset)
        _worker().train(task.job, lambda progress: tell(progress.epoch))
    record = store.load(arm, seed)
    assert record is not None
    files = {path.name: path.read_bytes() for path in store.run_folder(arm, seed).iterdir()}
    return Result(record.status, record.final.epoch, files=files)


@cache
def _worker() -> "Worker":
    """This process's worker, which keeps what the seeds of an arm share."""
    from elu_replication.training.worker import Worker  # imports TensorFlow: where runs are trained only

    return Worker()


def received(job: Job, result: Result) -> Event:
    """A task's result stored in this repository, as the event that it is."""
    if result.files:
        atomic.write_folder(store.run_folder(job.arm, job.seed), result.files)
    return Event(job, result.kind, result.epoch, result.detail)
