"""`make times`: seconds per epoch of networks that differ in activation only, measured in turns."""

import time
from functools import cache
from pathlib import Path

import pandas as pd

from elu_replication import atomic
from elu_replication.errors import run_main

FILE = Path("results/bench/activation_times.csv")
ARMS = ("asu_mlp-sgd_elu", "asu_mlp-sgd_relu", "asu_mlp-sgd_sigmoid")
ROUNDS = 20
CLASSES = 10


@cache
def measured() -> pd.DataFrame:
    """The stored measurements: round, arm, seconds; empty where there are none."""
    return pd.read_csv(FILE) if FILE.is_file() else pd.DataFrame(columns=["round", "arm", "seconds"])


def measure() -> pd.DataFrame:
    """One epoch of each arm in every round, in an order that changes from round to round, after one
    that is not counted; one thread, in this process."""
    from elu_replication.config.experiments import arm
    from elu_replication.config.schema import PUBLISHED
    from elu_replication.datasets import prepared  # TensorFlow: only where something is measured
    from elu_replication.engine import data
    from elu_replication.engine.trainer import Trainer, use_one_thread

    use_one_thread()
    trainers = {}
    for name in ARMS:
        protocol = arm(name, PUBLISHED).protocol
        arrays, _ = prepared.load(protocol.dataset.name)
        parts = data.splits(arrays, protocol.train_images, protocol.validation_images, CLASSES)
        trainers[name] = Trainer(protocol, parts)
        trainers[name].begin(0)
        trainers[name].epoch(0, 1)
    rows = []
    for turn in range(ROUNDS):
        for place in range(len(ARMS)):
            name = ARMS[(turn + place) % len(ARMS)]
            start = time.perf_counter()
            trainers[name].epoch(0, turn + 2)
            rows.append({"round": turn, "arm": name, "seconds": round(time.perf_counter() - start, 4)})
    return pd.DataFrame(rows)


def main() -> None:
    made = measure()
    atomic.write_text(FILE, made.to_csv(index=False))
    print(made.groupby("arm").seconds.describe().to_string())


if __name__ == "__main__":
    run_main(main)
