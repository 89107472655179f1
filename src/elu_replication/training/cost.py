"""How long training takes, estimated from stored runs."""

import json
import os
import statistics
from contextlib import suppress
from functools import cache
from itertools import chain

from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED, Protocol

START_SECONDS = 3.0  # per run: tracing, and a share of importing TensorFlow


@cache
def measured() -> dict[str, list[float]]:
    """Seconds per declared image and epoch of every stored run, by model."""
    rates: dict[str, list[float]] = {}
    for path in experiments.RESULTS.glob("published/runs/*/*/seed-*/record.json"):
        # store.require_whole reports broken records.
        with suppress(OSError, ValueError, LookupError, TypeError):
            record = json.loads(path.read_text())
            images = record["protocol"]["train_images"] * record["final"]["epoch"]
            model = record["protocol"]["model"]["name"]
            rates.setdefault(model, []).append(record["wall_seconds"] / images)
    return rates


@cache
def stated() -> dict[str, list[float]]:
    """The same by `minutes_per_run` of every experiment, by the model of its first arm."""
    rates: dict[str, list[float]] = {}
    for name in experiments.names():
        document = experiments.load(name)
        protocol = experiments.arm(f"{name}-{next(iter(document.arms))}", PUBLISHED).protocol
        images = protocol.epochs * protocol.train_images
        rates.setdefault(protocol.model.name, []).append(document.minutes_per_run * 60 / images)
    return rates


@cache
def seconds_per_image(model: str) -> float:
    """Seconds per declared image (validation included) and epoch of a model on one core: the median over
    stored runs or, if there are none, over the experiments with the model, or over all."""
    known = measured().get(model) or stated().get(model) or chain.from_iterable(stated().values())
    return statistics.median(known)


def epoch_seconds(protocol: Protocol) -> float:
    """Estimated seconds for one epoch of a protocol on one core."""
    return seconds_per_image(protocol.model.name) * protocol.train_images


def seconds(protocol: Protocol, epochs: int | None = None) -> float:
    """Estimated seconds for one run of a protocol, or for its first epochs, on one core."""
    return START_SECONDS + (epochs or protocol.epochs) * epoch_seconds(protocol)


def cores() -> int:
    """How many runs train at once here: one per core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
