"""`make audit`: retrain the first epochs of stored runs and compare them with what is stored."""

import argparse
import math
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

from elu_replication.config import experiments
from elu_replication.config.options import require_root
from elu_replication.config.schema import LOCAL, Arm
from elu_replication.console import say
from elu_replication.datasets import fetch
from elu_replication.engine import kernels
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.training import cost
from elu_replication.training.job import Job
from elu_replication.training.launchers import local

# The largest relative difference in the training loss, per epoch, that other kernels explain: about twice
# the difference between oneDNN on and off.
TOLERANCE = 0.03
SAMPLE_MINUTES = 2.0  # on all cores
Means = Literal["to the bit", "by tolerance", "out of reach"]
Outcome = Literal["identical", "different", "close", "apart", "out of reach", "failed"]


class Finding(NamedTuple):
    """The outcome of a run's audit; `detail` names the score that differs most, or what was in the way. A
    run is "close" or "apart" only if its sums may be made otherwise here: by other kernels, or by caches of
    another size."""

    job: Job
    outcome: Outcome
    detail: str = ""


def stored_jobs(arms: Sequence[Arm], epochs: int) -> list[Job]:
    """The stored runs of `arms` that are current, or not current only because of their code version."""
    return [
        Job(arm, seed, min(epochs, record.final.epoch))  # a diverged run has no more epochs
        for arm in arms
        for seed in arm.every_seed
        if store.why_not_current(arm, seed) in (None, store.OTHER_CODE)
        and (record := store.load(arm, seed))
    ]


def sample(jobs: Sequence[Job], minutes: float) -> list[Job]:
    """Random jobs that take `minutes` on all cores; at least one."""
    left = minutes * 60 * cost.cores()
    drawn: list[Job] = []
    for job in random.sample(jobs, len(jobs)):
        left -= cost.seconds(job.arm.protocol, job.audited_epochs)
        if left >= 0 or not drawn:
            drawn.append(job)
    return drawn


def kind_of(job: Job) -> str:
    """The kind of kernels of the job's stored run."""
    record = store.load(job.arm, job.seed)
    assert record is not None
    return record.environment.kind_of_kernels


def means(kind: str, features: frozenset[str]) -> Means:
    """How a processor with `features` can audit a run with kernels of `kind`."""
    if kind == kernels.WITHOUT_ONEDNN:  # its sums are cut by the sizes of the processor's caches
        return "by tolerance"
    if kind in kernels.KINDS and kernels.available(kind, features):
        return "to the bit"
    both_known = kind in kernels.KINDS and kernels.available(kernels.PORTABLE, features)
    return "out of reach" if both_known else "by tolerance"


def compare(job: Job, rows: Sequence[list[str]], to_the_bit: bool = True) -> Finding:
    """The finding on a run from its retrained history rows; other kernels are compared by TOLERANCE."""
    stored = store.stored_rows(job.arm, job.seed)[: len(rows)]
    if [row[:3] for row in stored] != [row[:3] for row in rows]:
        return Finding(job, "different", "other epochs or splits are stored")
    pairs = [(old, new) for old, new in zip(stored, rows, strict=True) if old != new]
    if not pairs:
        return Finding(job, "identical")
    trained = [pair for pair in pairs if pair[0][2] == "train"]
    old, new = max(trained or pairs, key=difference)  # the same training is evaluated the same
    score, column = ("loss", 3) if old[3] != new[3] else ("accuracy", 4)
    detail = f"epoch {old[1]}, {old[2]} {score}: stored {old[column]}, trained again {new[column]}"
    if to_the_bit:
        return Finding(job, "different", detail)
    return Finding(job, "close" if difference((old, new)) <= TOLERANCE else "apart", detail)


def difference(pair: tuple[list[str], list[str]]) -> float:
    """The difference of two history rows, divided by their epoch, because differences grow in training: the
    relative difference of the losses, infinite for a NaN; or the difference of the accuracies if the losses
    are the same text, such as two NaN of a diverged run."""
    epochs = int(pair[0][1])
    if pair[0][3] == pair[1][3]:
        return abs(float(pair[0][4]) - float(pair[1][4])) / epochs
    old, new = (float(row[3]) for row in pair)
    apart = abs(old - new) / abs(old) / epochs if old else math.inf
    return math.inf if math.isnan(apart) else apart


@contextmanager
def environment(**settings: str) -> Iterator[None]:
    """The environment with `settings`, for processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ |= settings
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def trained_again(jobs: Sequence[Job]) -> Iterator[Finding]:
    """The findings on the jobs, trained with the kernels of their stored runs if this machine has them."""
    kinds: dict[str, list[Job]] = {}
    for job in jobs:
        kinds.setdefault(kind_of(job), []).append(job)
    for kind, of_kind in kinds.items():
        by = means(kind, kernels.processor_features())
        if by == "out of reach":
            detail = f"made with {kind} kernels, which this processor lacks"
            yield from (Finding(job, by, detail) for job in of_kind)
            continue
        has_them = kind in kernels.KINDS and kernels.available(kind)
        settings = {kernels.VARIABLE: kind, "CUDA_VISIBLE_DEVICES": "-1"} if has_them else {}
        with environment(**settings):
            for event in local.launch(of_kind, LOCAL):
                if event.kind == "failed":
                    yield Finding(event.job, "failed", event.detail)
                else:
                    yield compare(event.job, event.rows, by == "to the bit")


def audit(jobs: Sequence[Job]) -> list[Finding]:
    """Retrain the first epochs of the jobs and print how they compare with what is stored. Raises
    UserError naming the runs that differ or could not be trained."""
    findings = []
    for finding in trained_again(jobs):
        findings.append(finding)
        if finding.outcome == "failed":  # the error at the end says why
            continue
        epochs = f"{finding.job.audited_epochs} epoch{'s' * (finding.job.audited_epochs > 1)}"
        detail = f" ({finding.detail})" if finding.detail else ""
        say(f"audit: {finding.job}, {epochs}: {finding.outcome}{detail}")
    if wrong := [f"{f.job}: {f.detail}" for f in findings if f.outcome in ("different", "failed")]:
        raise UserError(f"audit: {len(wrong)} of {len(jobs)} runs are not as stored: {'; '.join(wrong)}")
    counts = Counter(finding.outcome for finding in findings)
    explained: dict[Outcome, str] = {
        "close": f"within {TOLERANCE:.0%} of the training loss an epoch, with other kernels or caches",
        "apart": f"farther than {TOLERANCE:.0%} an epoch, with other kernels or caches: undecided",
        "out of reach": "made with kernels that this processor lacks",
    }
    rest = "".join(f"; {counts[name]} {name}: {text}" for name, text in explained.items() if counts[name])
    say(f"audit: {counts['identical']} of {len(jobs)} stored runs identical to the bit{rest}")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare stored runs with their retrained beginnings.")
    parser.add_argument("--arms", default="", help="these arms or experiments, or all; else a sample")
    parser.add_argument("--epochs", default="1", help="how many epochs of each run")
    options = parser.parse_args()
    require_root()
    if not options.epochs.isdecimal() or not int(options.epochs):
        raise UserError(f"EPOCHS={options.epochs}: must be a number, 1 or more")
    arms = experiments.named(options.arms)
    store.require_whole(arms)
    jobs = stored_jobs(arms, int(options.epochs))
    if not jobs:
        raise UserError(f"audit: no stored runs of {options.arms or 'any arm'}")
    chosen = jobs if options.arms else sample(jobs, SAMPLE_MINUTES)
    fetch.ensure_all(job.arm.protocol for job in chosen)
    audit(chosen)


if __name__ == "__main__":
    run_main(main)
