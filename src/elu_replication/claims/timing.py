"""`make times`: seconds per epoch of networks that differ in activation only, measured in turns."""

import time
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd

from elu_replication import atomic
from elu_replication.claims import sources
from elu_replication.errors import run_main

FILE = Path("results/bench/activation_times.csv")
COLUMNS = ("measurement", "date", "processor", "kernels", "round", "arm", "seconds")
ROUNDS = 20


@cache
def measured() -> pd.DataFrame:
    """The stored measurements, a row for each round of an arm (COLUMNS); empty where there are none."""
    return pd.read_csv(FILE) if FILE.is_file() else pd.DataFrame(columns=list(COLUMNS))


def measure() -> pd.DataFrame:
    """A further measurement: one epoch of each arm in every round, in an order that changes from round to
    round, after one that is not counted; one thread, in this process."""
    from elu_replication.config.experiments import arm
    from elu_replication.config.schema import PUBLISHED
    from elu_replication.engine import data  # TensorFlow: only where something is measured
    from elu_replication.engine.trainer import Trainer, use_one_thread
    from elu_replication.training.worker import environment

    use_one_thread()
    arms = list(sources.load().training_seconds)
    trainers = {}
    for name in arms:
        protocol = arm(name, PUBLISHED).protocol
        trainers[name] = Trainer(protocol, data.load_splits(protocol)[0])
        trainers[name].begin(0)
        trainers[name].epoch(0, 1)
    here, before = environment(), measured().measurement.max()
    same = {
        "measurement": int(before) + 1 if before >= 1 else 1,
        "date": f"{date.today()}",
        "processor": here.processor,
        "kernels": here.kind_of_kernels,
    }
    rows = []
    for turn in range(ROUNDS):
        for index in range(len(arms)):
            name = arms[(turn + index) % len(arms)]  # so that no arm is always the first
            start = time.perf_counter()
            trainers[name].epoch(0, turn + 2)
            seconds = round(time.perf_counter() - start, 4)
            rows.append({**same, "round": turn, "arm": name, "seconds": seconds})
    return pd.DataFrame(rows)


def main() -> None:
    times = measure()
    every = pd.concat([measured(), times]) if len(measured()) else times
    atomic.write_text(FILE, every.to_csv(index=False))
    print(times.groupby("arm").seconds.describe().to_string())


if __name__ == "__main__":
    run_main(main)
