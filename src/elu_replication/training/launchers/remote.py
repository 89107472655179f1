"""A run on another machine: the task that it receives, and the result that it returns.

A cluster's launcher (ray, slurm) carries a Task there and its Result back. The folder of a worker is laid
out as the repository: conf/dataset, data, .checkpoints, results.
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
from typing import TYPE_CHECKING, Literal, NamedTuple

from elu_replication import atomic
from elu_replication.config.options import CONF
from elu_replication.config.schema import dataset_facts
from elu_replication.errors import UserError, brief
from elu_replication.runs import probe_rows, store
from elu_replication.runs.code_version import code_version
from elu_replication.training.job import Event, Job

if TYPE_CHECKING:
    from elu_replication.training.worker import Worker

EPOCH_SECONDS = 2.0  # between two reports of a worker: thousands of short epochs would crowd the network


class Task(NamedTuple):
    """A job with all that a machine needs that has this package and no more."""

    job: Job
    conf: dict[str, str]  # by path: conf/, which says what a protocol and a data set may be, and the plan
    versions: dict[str, str]  # as versions() gives them on the driver
    folder: str  # in which the worker works
    again: bool  # train it even where the worker's folder has it stored


class Result(NamedTuple):
    """The fields of an Event, and the contents of the run's files by name."""

    kind: Literal["finished", "diverged", "failed"]
    epoch: int = 0
    detail: str = ""
    files: dict[str, bytes] = {}  # noqa: RUF012 - nothing is put into it


@cache  # a campaign may have thousands of tasks
def versions(training_code: str) -> dict[str, str]:
    """The versions on which a run's numbers depend, in this environment, with its code version."""
    here = {"Python": ".".join(platform.python_version_tuple()[:2]), "training code": training_code}
    for name in ("keras", "numpy", "tensorflow", "tensorflow-cpu"):
        with suppress(metadata.PackageNotFoundError):
            here[name.removesuffix("-cpu")] = metadata.version(name)
    return here | {"probes": str(probe_rows.VERSION)}


def task(job: Job, folder: str) -> Task:
    """A job of this repository for a worker that works in `folder`."""
    again = store.why_not_current(job.arm, job.seed) is None  # stored here, so it is to be trained again
    return Task(job, configuration(), versions(code_version(job.arm.protocol)), folder, again)


@cache
def configuration() -> dict[str, str]:
    """The files of conf/ and the plan, by path."""
    plan = [store.PLAN] if store.PLAN.is_file() else []
    return {str(path): path.read_text() for path in [*CONF.rglob("*.yaml"), *plan]}


def run(task: Task, on_epoch: Callable[[int], None]) -> Result:
    """Do a task on this machine. An error of it is a Result too: a launcher carries no exceptions.
    `on_epoch` is called with an epoch at most once in EPOCH_SECONDS."""
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
    for path, text in task.conf.items():
        atomic.write_text(Path(path), text)
    last_report = time.monotonic()

    def report(epoch: int) -> None:
        nonlocal last_report
        if time.monotonic() - last_report >= EPOCH_SECONDS:
            on_epoch(epoch)
            last_report = time.monotonic()

    # A run that is stored already was finished for a driver that stopped before it had the result.
    if task.again or store.why_not_current(arm, seed):
        fetch.ensure(dataset_facts(arm.protocol.dataset.name))
        _worker().train(task.job, lambda progress: report(progress.epoch))
    record = store.load(arm, seed)
    assert record is not None
    files = {path.name: path.read_bytes() for path in store.run_folder(arm, seed).iterdir()}
    return Result(record.status, record.final.epoch, files=files)


@cache
def _worker() -> "Worker":
    """This process's worker: the seeds of an arm share its trainer."""
    from elu_replication.training.worker import Worker  # imports TensorFlow: where runs are trained only

    return Worker()


def received(job: Job, result: Result) -> Event:
    """Store a task's result in this repository; the event that ends its job."""
    if result.files:
        atomic.write_folder(store.run_folder(job.arm, job.seed), result.files)
    return Event(job, result.kind, result.epoch, result.detail)
