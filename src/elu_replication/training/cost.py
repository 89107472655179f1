"""How long training takes, estimated from stored runs."""

import json
import os
import statistics
from contextlib import suppress
from functools import cache

from elu_replication.config import experiments
from elu_replication.config.schema import Protocol, dataset_facts

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
def seconds_per_image(model: str) -> float:
    """Seconds per declared image (validation included) and epoch of a model on one core: the median over
    stored runs or, if there are none, over the experiments' documents."""
    return statistics.median(measured().get(model) or stated(model))


def stated(model: str) -> list[float]:
    """Seconds per image and epoch by the `minutes_per_run` of every experiment with the model."""
    rates = []
    for name in experiments.names():
        document = experiments.load(name)
        if document.protocol["model"] == model:
            epochs = float(document.protocol["epochs"])
            images = dataset_facts(str(document.protocol["dataset"])).images.train
            rates.append(document.minutes_per_run * 60 / (epochs * images))
    return rates


def epoch_seconds(protocol: Protocol) -> float:
    """Estimated seconds for one epoch of a protocol on one core."""
    return seconds_per_image(protocol.model.name) * protocol.train_images


def seconds(protocol: Protocol) -> float:
    """Estimated seconds for one run of a protocol on one core."""
    return START_SECONDS + protocol.epochs * epoch_seconds(protocol)


def cores() -> int:
    """How many runs train at once here: one per core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
