"""`make stamp FROM=<commit>`: stored runs outlive a refactoring that is proved to change no number.

The engine of that commit and the present one train the first epoch of one seed of every arm, on this
machine and with the same kernels. All weights, optimizer state, histories and probes are compared to the
bit. Only where everything is equal do stored runs get the present code version, with a note of the proof.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np

from elu_replication.commands.audit import stored_jobs
from elu_replication.config import experiments
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED, Arm, Campaign
from elu_replication.console import say
from elu_replication.errors import UserError, one_line, run_main
from elu_replication.runs import store
from elu_replication.runs.code_version import code_version
from elu_replication.training import campaign
from elu_replication.training.job import Job
from elu_replication.training.launchers.local import MOST_JOBS

Trace = dict[str, str]


def digest(values: object) -> str:
    """SHA-256 of an array's dtype, shape and bytes, or of the text of anything else."""
    if isinstance(values, np.ndarray):
        content = f"{values.dtype} {values.shape} ".encode() + np.ascontiguousarray(values).tobytes()
    else:
        content = repr(values).encode()
    return hashlib.sha256(content).hexdigest()


def trace(job: Job) -> Trace:
    """A digest of everything that the first epoch of a run leaves behind, by what it is."""
    from elu_replication.training.worker import Worker  # imports TensorFlow

    worker = Worker()
    trainer = worker._trainer_for(job.arm.protocol)
    inside = worker._probes
    trainer.begin(job.seed)
    found = {f"initial variable {n}": digest(value) for n, value in enumerate(trainer.state)}
    activity = [tuple(row) for row in inside.activity(0, 1)] if inside else []
    found["history"] = digest([tuple(seen) for seen in trainer.epoch(job.seed, 1)])
    found |= {f"variable {n}": digest(value) for n, value in enumerate(trainer.state)}
    activity += [tuple(row) for row in inside.activity(1, 1)] if inside else []
    found["activity probes"] = digest(activity)
    found["perturbation probes"] = digest(
        [tuple(r) for r in inside.perturbations(job.seed)] if inside else []
    )
    found["protocol"] = digest(sorted(job.arm.protocol.flat().items()))
    return found


def write_traces(names: Sequence[str]) -> None:
    """One line of JSON for each of the runs named "arm:seed", as they are done."""
    for name in names:
        arm, _, seed = name.partition(":")
        print(json.dumps({name: trace(Job(experiments.arm(arm, PUBLISHED), int(seed)))}), flush=True)


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The repository at a commit in a folder of its own, with the data at hand."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "checkout"
        command = ["git", "worktree", "add", "--quiet", "--detach", str(folder), commit]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"FROM={commit}: no such commit here ({one_line(done.stderr)})")
        try:
            (folder / "data").symlink_to(Path("data").resolve())
            yield folder
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(folder)], check=True)


def start(folder: Path, names: Sequence[str]) -> "subprocess.Popen[str]":
    """The engine of a checkout at work on the runs' traces."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-m", "elu_replication.commands.stamp", "--trace", *names]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=quiet, text=True
    )


def differences(old: Trace, new: Trace) -> list[str]:
    """What two traces of a run do not have in common."""
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def prove(commit: str, jobs: Sequence[Job]) -> None:
    """Raise UserError naming every run, and what of it, that the engines of `commit` and of the working
    tree do not give alike."""
    names = [f"{job.arm.name}:{job.seed}" for job in jobs]
    unlike = []
    with checkout(commit) as folder:
        for number, name in enumerate(names):
            if number % MOST_JOBS == 0:  # TensorFlow keeps some memory of every network
                engines = [start(each, names[number : number + MOST_JOBS]) for each in (folder, Path.cwd())]
            lines = [engine.stdout.readline() for engine in engines if engine.stdout]
            if not all(lines):
                raise UserError(f"stamp: an engine failed at {name}")
            old, new = (json.loads(line)[name] for line in lines)
            wrong = differences(old, new)
            say(f"stamp [{number + 1}/{len(names)}] {name}: {', '.join(wrong) or 'identical'}")
            if wrong:
                unlike.append(f"{name} ({', '.join(wrong[:3])})")
    if unlike:
        raise UserError(f"stamp: not identical to the bit, so nothing is stamped: {'; '.join(unlike)}")


def stamp(commit: str, arms: Sequence[Arm]) -> None:
    """Give the stored runs of `arms` that the engine of `commit` made the present code version, once the
    engines are proved to be alike.

    Raises UserError, changing nothing, where they are not.
    """
    stale = [job for job in stored_jobs(arms, 1) if store.why_not_current(job.arm, job.seed)]
    first = list({job.arm.name: job for job in reversed(stale)}.values())
    if not stale:
        say("stamp: every stored run has the present code version")
        return
    say(f"stamp: {len(first)} arms, about {2 * campaign.minutes(first) / 25:.0f} min")
    prove(commit, first)
    for job in stale:
        record, version = store.load(job.arm, job.seed), code_version(job.arm.protocol.model.name)
        assert record is not None
        mark = store.Stamp(
            old_code_version=record.code_version,
            new_code_version=version,
            audited=(f"first epoch of every arm, against commit {commit}",),
            date=date.today().isoformat(),
        )
        changes = {"code_version": version, "stamps": (*record.stamps, mark)}
        texts = [path.read_text() for path in store.file_paths(job.arm, job.seed)]
        store.write_record(job.arm, record.model_copy(update=changes).with_checksum(*texts))
    say(f"stamp: {len(stale)} runs have the present code version")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prove that a refactoring changes no number.")
    parser.add_argument("--from", dest="commit", default="", help="the commit whose engine made the runs")
    parser.add_argument("--trace", nargs="+", help="print the traces of these runs, arm:seed")
    options = parser.parse_args()
    require_root()
    if options.trace:
        write_traces(options.trace)
        return
    if not options.commit:
        raise UserError(
            "FROM is empty: `make stamp FROM=<commit>` names the commit whose engine made the runs"
        )
    stamp(options.commit, list(experiments.selected(PUBLISHED, Campaign("stamp", ("all",))).values()))


if __name__ == "__main__":
    run_main(main)
