"""`make audit`: train the beginning of stored runs again and compare it with what is stored."""

import argparse
import math
import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED, Arm, Campaign, Protocol
from elu_replication.console import say
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.training import campaign, cost
from elu_replication.training.job import Job
from elu_replication.training.launchers import local

# The largest difference in the training loss, as a share of it and for each epoch so far, that another
# machine explains; losses on held-out images jump more. Measure it with
# TF_ENABLE_ONEDNN_OPTS=0 make audit ARMS=all EPOCHS=5: other kernels alone come to about half of this.
TOLERANCE = 0.03
# From this learning rate on, by a mean over the outputs, whether a network learns at all hangs on the last
# bits: a ReLU network that dies with the kernels of one processor diverges with another's, and an ELU
# autoencoder with summed error stops learning at another moment.
UNSTABLE_RATE = 0.5
SAMPLE_MINUTES = 2.0  # on all cores


class Finding(NamedTuple):
    """What the audit of a run found; `detail` names the score that differs most."""

    job: Job
    outcome: Literal["identical", "within tolerance", "different"]
    detail: str = ""


def stored_jobs(arms: Sequence[Arm], epochs: int) -> list[Job]:
    """The stored runs of `arms` that count, or would but for their code version."""
    return [
        Job(arm, seed, min(epochs, record.final.epoch))  # a run that diverged has no more epochs
        for arm in arms
        for seed in arm.seeds
        if store.why_not_current(arm, seed) in (None, store.OTHER_CODE)
        and (record := store.load(arm, seed))
    ]


def rate(protocol: Protocol) -> float:
    """The learning rate by a mean over the outputs: a sum's gradients are as many times larger."""
    summed = protocol.loss == "summed_squared_error"  # of an autoencoder's 784 pixels
    return protocol.optimizer.learning_rate * (784 if summed else 1)


def sample(jobs: Sequence[Job], minutes: float) -> list[Job]:
    """Jobs at random until they fill `minutes` on all cores; at least one. None at UNSTABLE_RATE or
    above, which another machine might fail for nothing."""
    left = minutes * 60 * campaign.processes()
    drawn: list[Job] = []
    stable = [job for job in jobs if rate(job.arm.protocol) < UNSTABLE_RATE]
    for job in random.sample(stable, len(stable)):
        left -= cost.START_SECONDS + job.audited_epochs * cost.epoch_seconds(job.arm.protocol)
        if left >= 0 or not drawn:
            drawn.append(job)
    return drawn


def compare(job: Job, rows: Sequence[list[str]]) -> Finding:
    """A run's retrained history rows against its stored ones."""
    stored = store.stored_rows(job.arm, job.seed)[: len(rows)]
    if [row[:3] for row in stored] != [row[:3] for row in rows]:
        return Finding(job, "different", "other epochs or splits are stored")
    pairs = [(old, new) for old, new in zip(stored, rows, strict=True) if old != new]
    if not pairs:
        return Finding(job, "identical")
    trained = [pair for pair in pairs if pair[0][2] == "train"]
    old, new = max(trained or pairs, key=difference)  # where training is the same, evaluation must be
    score, column = ("loss", 3) if old[3] != new[3] else ("accuracy", 4)
    detail = f"epoch {old[1]}, {old[2]} {score}: stored {old[column]}, trained again {new[column]}"
    near = difference((old, new)) <= TOLERANCE
    return Finding(job, "within tolerance" if near else "different", detail)


def difference(pair: tuple[list[str], list[str]]) -> float:
    """By how much of the first the losses of two history rows differ, for each epoch so far, in which
    training spreads differences; a NaN differs without bound. Where the losses are the same (two NaN, of
    a run that diverged), by how much the accuracies do."""
    epochs = int(pair[0][1])
    if pair[0][3] == pair[1][3]:
        return abs(float(pair[0][4]) - float(pair[1][4])) / epochs
    old, new = (float(row[3]) for row in pair)
    apart = abs(old - new) / abs(old) / epochs if old else math.inf
    return math.inf if math.isnan(apart) else apart


def audit(jobs: Sequence[Job]) -> list[Finding]:
    """Train the jobs' beginnings again and say of each how it compares with what is stored.

    Raises UserError naming those that differ by more than TOLERANCE or could not be trained.
    """
    findings, wrong = [], []
    for event in local.launch(jobs, campaign.processes()):
        if event.kind == "failed":
            wrong.append(f"{event.job}: {event.detail}")
            continue
        finding = compare(event.job, event.rows)
        findings.append(finding)
        epochs = f"{finding.job.audited_epochs} epoch{'s' * (finding.job.audited_epochs > 1)}"
        told = f" ({finding.detail})" if finding.detail else ""
        say(f"audit: {finding.job}, {epochs}: {finding.outcome}{told}")
        if finding.outcome == "different":
            wrong.append(f"{finding.job}: {finding.detail}")
    if wrong:
        raise UserError(f"audit: {len(wrong)} of {len(jobs)} runs are not as stored: {'; '.join(wrong)}")
    identical = sum(finding.outcome == "identical" for finding in findings)
    rest = (
        f", the rest within {TOLERANCE:.0%} of the training loss an epoch" if identical < len(jobs) else ""
    )
    say(f"audit: {identical} of {len(jobs)} stored runs identical to the bit{rest}")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare stored runs with their retrained beginnings.")
    parser.add_argument("--arms", default="", help="these arms or experiments, or all; else a sample")
    parser.add_argument("--epochs", type=int, default=1, help="how many epochs of each run")
    options = parser.parse_args()
    if options.epochs < 1:
        raise UserError(f"epochs = {options.epochs}: must be 1 or more")
    named = options.arms.replace(",", " ").split() or ["all"]
    arms = list(experiments.selected(PUBLISHED, Campaign("audit", tuple(named))).values())
    jobs = stored_jobs(arms, options.epochs)
    if not jobs:
        raise UserError(f"audit: no stored runs of {', '.join(named)}")
    audit(jobs if options.arms else sample(jobs, SAMPLE_MINUTES))


if __name__ == "__main__":
    run_main(main)
