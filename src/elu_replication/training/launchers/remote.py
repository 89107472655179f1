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
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from elu_replication import atomic
from elu_replication.config.compose import CONF, group_option
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
    dataset: dict[str, Any]  # its option of conf/dataset: routes and digests
    versions: dict[str, str]  # those of the driver
    folder: str
    again: bool  # train it even where the worker's folder holds it


class Result(NamedTuple):
    """What became of a task: an Event's fields, and the run's files by path, its record last."""

    kind: str
    epoch: int = 0
    detail: str = ""
    files: tuple[tuple[Path, bytes], ...] = ()


@cache  # a campaign may have thousands of tasks
def versions(training_code: str) -> dict[str, str]:
    """What must be the same for a run's numbers to be, in this environment, with its code version."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "training code": training_code}
    for name in ("keras", "numpy", "tensorflow", "tensorflow-cpu"):
        with suppress(metadata.PackageNotFoundError):
            found[name.removesuffix("-cpu")] = metadata.version(name)
    return found | {"probes": str(probe_rows.VERSION)}


def task(job: Job, folder: str) -> Task:
    """A job of this repository for a worker that works in `folder`."""
    protocol = job.arm.protocol
    option = group_option("dataset", protocol.dataset.name)
    again = store.why_not_current(job.arm, job.seed) is None  # stored here, and asked for all the same
    return Task(job, option, versions(code_version(protocol)), folder, again)


def run(task: Task, on_epoch: Callable[[int], None]) -> Result:
    """Do a task on this machine; what goes wrong is a Result too. `on_epoch` hears of some epochs."""
    try:
        return _run(task, on_epoch)
    except (UserError, OSError) as error:
        return Result("failed", detail=f"on {socket.gethostname()}: {brief(error)}")


def _run(task: Task, on_epoch: Callable[[int], None]) -> Result:
    from elu_replication.datasets import fetch

    arm, seed, _ = task.job
    here = versions(code_version(arm.protocol))
    if unlike := [f"{k} {here.get(k)}, not {v}" for k, v in task.versions.items() if here.get(k) != v]:
        raise UserError(f"{'; '.join(unlike)}: install there what the driver has")
    folder = Path(task.folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    atomic.write_text(CONF / "dataset" / f"{task.dataset['name']}.yaml", yaml.safe_dump(task.dataset))
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
    files = tuple((path, path.read_bytes()) for path in store.paths(arm, seed))
    return Result(record.status, record.final.epoch, files=files)


@cache
def _worker() -> "Worker":
    """This process's worker, which keeps what the seeds of an arm share."""
    from elu_replication.training.worker import Worker  # imports TensorFlow: where runs are trained only

    return Worker()


def received(job: Job, result: Result) -> Event:
    """A task's result stored in this repository, as the event that it is."""
    for path, content in result.files:
        atomic.write_bytes(path, content)
    return Event(job, result.kind, result.epoch, result.detail)
