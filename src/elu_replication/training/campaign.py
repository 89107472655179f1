"""Bring arms up to date: find the runs that are missing, say so, train them on all cores.

As a command, the DVC stage `train`: the arms of an experiment of params.yaml, or the user's own.
"""

import argparse
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from elu_replication.config import params
from elu_replication.config.options import options
from elu_replication.config.schema import LOCAL, Arm, Launcher
from elu_replication.console import console, say
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.training import cost
from elu_replication.training.job import Event, Job
from elu_replication.training.launchers import local

REPORT_SECONDS = 60.0


def pending(arms: Iterable[Arm], again: bool = False) -> list[Job]:
    """The runs that are not stored as declared (all of them with `again`): costliest arms first, and
    of arms that cost the same, a seed of each before the next, so that early pairs are whole."""
    jobs = [Job(a, s) for a in arms for s in a.seeds if again or store.why_not_current(a, s)]
    return sorted(jobs, key=lambda job: (-cost.seconds(job.arm.protocol), job.seed))


def processes() -> int:
    """How many runs train at once: one for each core this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def minutes(jobs: Sequence[Job]) -> float:
    """Estimated minutes to train `jobs` here, on all cores."""
    each = [cost.seconds(job.arm.protocol) for job in jobs]
    side_by_side = min(processes(), len(jobs)) or 1
    return max(sum(each) / side_by_side, max(each, default=0.0)) / 60


def launch(jobs: Sequence[Job], launcher: Launcher) -> Iterator[Event]:
    """The events of `jobs` as `launcher` runs them; raises UserError where its engine is not there, or
    it has no folder that is the same one for every worker process."""
    if launcher.name in ("ray", "slurm") and not str(launcher.folder).startswith(("/", "~")):
        raise UserError(f"launcher.folder = {launcher.folder}: must begin with / or ~")
    match launcher.name:  # an engine is imported where it is wanted only
        case "ray":
            from elu_replication.training.launchers import ray

            return ray.launch(jobs, launcher)
        case "slurm":
            from elu_replication.training.launchers import slurm

            return slurm.launch(jobs, launcher)
        case "local":
            return local.launch(jobs, processes())
    raise UserError(f"launcher.name = {launcher.name}: must be one of {', '.join(options('launcher'))}")


def train(jobs: Sequence[Job], launcher: Launcher = LOCAL) -> None:
    """Train and store `jobs`, showing progress and the time left.

    A failing run leaves the others going; at the end, UserError lists all that failed.
    """
    if not jobs:
        return
    total = sum(job.arm.protocol.epochs * cost.epoch_seconds(job.arm.protocol) for job in jobs)
    failures, last_line = [], time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        speed_estimate_period=600,
    )
    with bar:
        task = bar.add_task("training", total=total)
        reached: dict[str, int] = {}
        ended = 0
        for event in launch(jobs, launcher):
            epochs = event.job.arm.protocol.epochs
            epoch = event.epoch if event.kind == "epoch" else epochs
            each, name = cost.epoch_seconds(event.job.arm.protocol), str(event.job)
            if event.kind == "epoch" and name not in reached:
                reached[name] = epoch - 1  # from a checkpoint: done, but no measure of speed
                bar.tasks[0].completed += (epoch - 1) * each
            step = (epoch - reached.get(name, 0)) * each
            reached[name] = epoch
            bar.update(task, advance=step, description=f"{name} epoch {event.epoch}/{epochs}")
            done = bar.tasks[0].completed / total
            if event.kind == "epoch":
                if not console.is_terminal and time.monotonic() - last_line >= REPORT_SECONDS:
                    left = bar.tasks[0].time_remaining
                    about = f", about {left / 60:.0f} min left" if left is not None else ""
                    say(f"{done:.0%} trained{about}: {event.job} epoch {epoch}/{epochs}")
                    last_line = time.monotonic()
                continue
            ended += 1
            say(f"[{ended}/{len(jobs)}] {event.job}: {outcome(event)}")
            if event.kind == "failed":
                failures.append(f"{event.job}: {event.detail}")
    if failures:
        raise UserError(f"{len(failures)} of {len(jobs)} runs failed: {'; '.join(failures)}")


def outcome(event: Event) -> str:
    """What a person is told when a run ends."""
    if event.kind == "finished":
        record = store.load(event.job.arm, event.job.seed)
        assert record is not None
        scores = record.final
        accuracy = "" if math.isnan(scores.test_accuracy) else f"accuracy {scores.test_accuracy:.4f}, "
        return f"test {accuracy}loss {scores.test_loss:.4f} ({record.wall_seconds:.0f} s)"
    if event.kind == "diverged":
        return f"diverged: loss not finite after epoch {event.epoch}; lower optimizer.learning_rate"
    return f"failed: {event.detail}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Bring an experiment of params.yaml up to date.")
    parser.add_argument("experiment", help="its name there, or arm: the user's own arm")
    experiment = parser.parse_args().experiment
    values = params.read()
    known = [*values.experiments, *values.custom]
    if experiment not in known:
        raise UserError(f"{experiment}: not in params.yaml; it has {', '.join(known)}")
    arms = params.stated_arms(values).values()
    jobs = pending(arm for arm in arms if experiment in (arm.name, params.experiment_of(arm)))
    train(jobs, values.launcher)


if __name__ == "__main__":
    run_main(main)
