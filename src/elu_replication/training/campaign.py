"""Campaigns: which runs are missing, how long they take, and their training on all cores."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module

import rich.progress
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from elu_replication import atomic
from elu_replication.config import experiments
from elu_replication.config.schema import LOCAL, PUBLISHED, Arm, Launcher
from elu_replication.console import console, say
from elu_replication.errors import UserError
from elu_replication.runs import evidence, store
from elu_replication.training import checkpoints, cost
from elu_replication.training.job import Event, Job

REPORT_SECONDS = 60.0  # between two lines of progress in a log, which shows no bar


def pending(arms: Iterable[Arm], again: bool = False) -> list[Job]:
    """The runs that are not stored as declared. With `again`, all runs, and those that do not count today
    but are not as they were stored, which `store.require_whole` refuses.

    The costliest arms come first: a long run that begins last would keep one core busy alone. Of arms that
    cost the same, a seed of each comes before the next seed, so that arms can be compared early. Fresh
    seeds keep the order of their batches. Where they count, exploration's are asked for no more.
    """
    arms = list(arms)
    jobs = [
        Job(arm, seed)
        for arm, counting in zip(arms, counted(arms), strict=True)
        for seed in arm.every_seed
        for reason in [store.why_not_current(arm, seed)]
        if (seed in counting.seeds and (again or reason)) or (again and reason == store.ALTERED)
    ]
    order = [*dict.fromkeys(batch(job.arm) for job in jobs)]

    def turn(job: Job) -> tuple[float, int]:
        is_fresh = job.seed in job.arm.fresh_seeds
        return order.index(batch(job.arm)) if is_fresh else -cost.seconds(job.arm.protocol), job.seed

    return sorted(jobs, key=turn)


def counted(arms: Iterable[Arm]) -> list[Arm]:
    """Arms, each with the seeds that count of it: its fresh ones once its experiment has all of these."""
    return [arm for declared in arms for arm in evidence.counting([declared])]


def batch(arm: Arm) -> tuple[str, int]:
    """Arms whose fresh seeds are trained side by side: those of an experiment with as many of them."""
    return arm.folder.parent.name, len(arm.fresh_seeds)


def take_published(arms: Iterable[Arm]) -> None:
    """Copy to custom arms what they lack and a published arm of the same protocol has, and say so; where
    other seeds are left to train, say which ones it has."""
    published = experiments.every_arm(PUBLISHED)
    for arm in (arm for arm in arms if arm.folder.parent == experiments.CUSTOM):
        for same in (other for other in published if other.protocol == arm.protocol):
            source = replace(same, save_model=arm.save_model)
            missing = [seed for seed in arm.seeds if store.why_not_current(arm, seed)]
            taken = [seed for seed in missing if store.why_not_current(source, seed) is None]
            for seed in taken:
                files = {path.name: path.read_bytes() for path in store.run_folder(source, seed).iterdir()}
                atomic.write_folder(store.run_folder(arm, seed), files)
            if taken:
                seeds = ", ".join(map(str, taken))
                say(f"{arm.name}: trained already as the published {same.name}, with seeds {seeds}")
            stored = [str(seed) for seed in same.every_seed if store.why_not_current(source, seed) is None]
            if stored and taken != missing:
                seeds = f"seeds=[{','.join(stored)}]"
                say(f"{arm.name}: the published {same.name} is the same; {seeds} takes its runs")


def minutes(jobs: Sequence[Job], launcher: Launcher) -> float:
    """Estimated minutes to train `jobs` on this machine, in the launcher's number of processes or on all
    cores, at least those of the longest job."""
    seconds = [cost.seconds(job.arm.protocol) for job in jobs]
    return max(sum(seconds) / (launcher.processes or cost.cores()), *seconds, 0.0) / 60


def launch(jobs: Sequence[Job], launcher: Launcher) -> Iterator[Event]:
    """Run `jobs` by the launcher's module in launchers/, yielding their events as they come.

    Raises UserError if no cluster answers or the workers' folder depends on the working directory.
    """
    if launcher.folder is not None and not launcher.folder.startswith(("/", "~")):
        raise UserError(f"launcher.folder = {launcher.folder}: must begin with / or ~")
    if launcher.folder is None and launcher.name != "local":
        raise UserError(f"launcher.folder is empty: {launcher.name} needs one on the workers' machines")
    module = import_module(f"{__package__}.launchers.{launcher.name}")  # Ray and submitit take seconds
    return module.launch(jobs, launcher)


class Progress:
    """A campaign's progress in estimated seconds of training: a bar in a terminal, lines in a log."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.bar = rich.progress.Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f}%"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=600,
        )
        total = sum(job.arm.protocol.epochs * cost.epoch_seconds(job.arm.protocol) for job in jobs)
        self.bar.add_task("training", total=total)
        (self.task,) = self.bar.tasks
        self.epochs: dict[str, int] = {}  # done, by run
        self.last_line = time.monotonic()

    def show(self, event: Event) -> None:
        """Count an event; print it in a log if the last line is REPORT_SECONDS old."""
        protocol, name = event.job.arm.protocol, str(event.job)
        epoch_seconds = cost.epoch_seconds(protocol)
        running = event.kind == "epoch"
        epoch = event.epoch if running else protocol.epochs  # a run that ends early has no epochs left
        if running and name not in self.epochs:
            # Epochs before a checkpoint took no time now: they would falsify the speed.
            self.epochs[name] = epoch - 1
            self.task.completed += (epoch - 1) * epoch_seconds
        step = (epoch - self.epochs.get(name, 0)) * epoch_seconds
        self.epochs[name] = epoch
        description = f"{name} epoch {event.epoch}/{protocol.epochs}"
        self.bar.update(self.task.id, advance=step, description=description)
        if running and not console.is_terminal and time.monotonic() - self.last_line >= REPORT_SECONDS:
            left = self.task.time_remaining
            about = "" if left is None else f", about {left / 60:.0f} min left"
            say(f"{self.task.percentage / 100:.0%} trained{about}: {description}")
            self.last_line = time.monotonic()


def train(jobs: Sequence[Job], launcher: Launcher = LOCAL) -> None:
    """Train and store `jobs`, showing progress and the time left. The other runs go on after a failure.
    Raises UserError at the end with a list of all failures."""
    atomic.sweep(checkpoints.FOLDER.glob(".*"))
    if not jobs:
        return
    failures, ended = [], 0
    progress = Progress(jobs)
    with progress.bar:
        for event in launch(jobs, launcher):
            progress.show(event)
            if event.kind == "epoch":
                continue
            ended += 1
            say(f"[{ended}/{len(jobs)}] {event.job}: {outcome(event)}")
            if event.kind == "failed":
                failures.append(f"{event.job}: {event.detail}")
    if failures:
        raise UserError(f"{len(failures)} of {len(jobs)} runs failed: {'; '.join(failures)}")


def outcome(event: Event) -> str:
    """How a run ended, in a few words."""
    if event.kind == "finished":
        record = store.load(event.job.arm, event.job.seed)
        assert record is not None
        scores = record.final
        accuracy = "" if math.isnan(scores.test_accuracy) else f"accuracy {scores.test_accuracy:.4f}, "
        return f"test {accuracy}loss {scores.test_loss:.4f} ({record.wall_seconds:.0f} s)"
    if event.kind == "diverged":
        # With patience, what is stored of a run is its best epoch.
        where = "" if event.job.arm.protocol.patience else f" after epoch {event.epoch}"
        return f"diverged: loss not finite{where}; lower optimizer.learning_rate"
    return f"failed: {event.detail}"
