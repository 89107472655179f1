"""`make stamp FROM=<commit>`: stored runs outlive a refactoring that is proved to change no number.

The engine of that commit and the present one train the first epoch of one seed of every arm that has runs
to stamp, on this machine and with the same kernels. All weights, optimizer state, histories and probes are
compared to the bit. Only where everything is equal do stored runs get the present code version, with a note
of the proof.
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
from elu_replication.config.documents import unlike
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.console import say
from elu_replication.datasets import fetch
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.runs.code_version import code_version
from elu_replication.training import cost
from elu_replication.training.job import Job
from elu_replication.training.launchers.local import MOST_JOBS

Trace = dict[str, str]
VERSIONS = """
import json, sys
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED
from elu_replication.runs.code_version import code_version
print(json.dumps({name: code_version(experiments.arm(name, PUBLISHED).protocol) for name in sys.argv[1:]}))
"""


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
    probes = worker._probes
    trainer.begin(job.seed)
    digests = {f"initial variable {index}": digest(value) for index, value in enumerate(trainer.state)}
    activity = [tuple(row) for row in probes.activity(0, 1)] if probes else []
    digests["history"] = digest([tuple(observation) for observation in trainer.epoch(job.seed, 1)])
    digests |= {f"variable {index}": digest(value) for index, value in enumerate(trainer.state)}
    activity += [tuple(row) for row in probes.activity(1, 1)] if probes else []
    perturbations = [tuple(row) for row in probes.perturbations(job.seed)] if probes else []
    digests["activity probes"] = digest(activity)
    digests["perturbation probes"] = digest(perturbations)
    digests["protocol"] = digest(sorted(job.arm.protocol.flat().items()))
    return digests


def write_traces(names: Sequence[str]) -> None:
    """One line of JSON for each of the runs named "arm:seed", as they are done."""
    for name in names:
        arm, _, seed = name.partition(":")
        print(json.dumps({name: trace(Job(experiments.arm(arm, PUBLISHED), int(seed)))}), flush=True)


def full_hash(commit: str) -> str:
    """The hash of a commit, which a record can name for good; raises UserError where there is none."""
    command = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"FROM={commit}: no such commit in this repository")
    return result.stdout.strip()


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The repository at a commit in a folder of its own, with the data at hand."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "checkout"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            (folder / "data").symlink_to(Path("data").resolve())
            yield folder
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", folder], check=True)


def python(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A Python process with the package of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def start(folder: Path, names: Sequence[str]) -> "subprocess.Popen[str]":
    """A process in which the engine of a checkout writes the traces of runs."""
    return python(folder, "-m", "elu_replication.commands.stamp", "--trace", *names)


def made_by(folder: Path, jobs: Sequence[Job]) -> list[Job]:
    """The jobs whose stored run has the code version that a checkout gives it; raises UserError where the
    checkout does not declare their arms."""
    names = sorted({job.arm.name for job in jobs})
    output, _ = python(folder, "-c", VERSIONS, *names).communicate()
    if not output:
        raise UserError(
            f"stamp: that commit does not declare all of {', '.join(names)}; name others by ARMS="
        )
    versions = json.loads(output)
    records = [(job, store.load(job.arm, job.seed)) for job in jobs]
    return [job for job, record in records if record and record.code_version == versions[job.arm.name]]


def compare(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each run and the parts of it that the engines of another checkout and of this one, side by side,
    do not give alike; raises UserError where an engine fails."""
    engines = {checkout: start(checkout, names) for checkout in (folder, Path.cwd())}
    try:
        for name in names:
            traces = []
            for checkout, engine in engines.items():
                assert engine.stdout is not None
                if not (line := engine.stdout.readline()):
                    which = "of that commit" if checkout == folder else "of the working tree"
                    again = f"python -m elu_replication.commands.stamp --trace {name}"
                    raise UserError(f"stamp: the engine {which} failed; there, `{again}` says why")
                traces.append(json.loads(line)[name])
            yield name, unlike(*traces)
    finally:
        for engine in engines.values():
            engine.kill()
            engine.communicate()


def prove(folder: Path, jobs: Sequence[Job]) -> None:
    """Raise UserError naming every run, and its first parts, that the engines of another checkout and of
    the working tree do not give alike."""
    names = [f"{job.arm.name}:{job.seed}" for job in jobs]
    unlike, done = [], 0
    for first in range(0, len(names), MOST_JOBS):  # TensorFlow keeps some memory of every network
        for name, parts in compare(folder, names[first : first + MOST_JOBS]):
            done += 1
            say(f"stamp [{done}/{len(names)}] {name}: {', '.join(parts) or 'identical'}")
            if parts:
                unlike.append(f"{name} ({', '.join(parts[:3])})")
    if unlike:
        raise UserError(f"stamp: not identical to the bit, so nothing is stamped: {'; '.join(unlike)}")


def stamp(commit: str, arms: Sequence[Arm]) -> None:
    """Give the stored runs of `arms` that the engine of `commit` made the present code version, once that
    engine and the one of the working tree are proved to be alike. Runs of other engines stay stale.

    Raises UserError, changing nothing, where they are not, where there is no such commit, or where its
    engine made no stale run.
    """
    commit = full_hash(commit)
    stale = [job for job in stored_jobs(arms, 1) if store.why_not_current(job.arm, job.seed)]
    if not stale:
        say("stamp: every stored run has the present code version")
        return
    fetch.ensure_all(job.arm.protocol for job in stale)
    with checkout(commit) as folder:
        if not (proved := made_by(folder, stale)):
            raise UserError(f"FROM={commit}: its engine made none of the {len(stale)} stale runs")
        first = list({job.arm.name: job for job in reversed(proved)}.values())
        seconds = sum(cost.seconds(job.arm.protocol, 1) for job in first)
        say(f"stamp: {len(first)} arms, about {seconds / 60:.0f} min")
        prove(folder, first)
    renew(commit, proved)
    say(f"stamp: {len(proved)} runs have the present code version")
    if left := len(stale) - len(proved):
        say(f"stamp: {left} runs stay stale, since another engine than that of {commit} made them")


def renew(commit: str, jobs: Sequence[Job]) -> None:
    """Give stored runs the present code version, with a note of the proof against a commit."""
    for job in jobs:
        record, version = store.load(job.arm, job.seed), code_version(job.arm.protocol)
        assert record is not None
        note = store.Stamp(
            old_code_version=record.code_version,
            new_code_version=version,
            audited=(f"first epoch of every arm stamped, against commit {commit}",),
            date=date.today().isoformat(),
        )
        changes = {"code_version": version, "stamps": (*record.stamps, note)}
        texts = [path.read_text() for path in store.file_paths(job.arm, job.seed)]
        store.write_record(job.arm, record.model_copy(update=changes).with_checksum(*texts))


def main() -> None:
    parser = argparse.ArgumentParser(description="Prove that a refactoring changes no number.")
    parser.add_argument("--from", dest="commit", default="", help="the commit whose engine made the runs")
    parser.add_argument("--arms", default="", help="arms or experiments; all unless given")
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
    stamp(options.commit, experiments.named(options.arms))


if __name__ == "__main__":
    run_main(main)
