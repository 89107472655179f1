"""`make bench`: the throughput of the engine, model.fit and PyTorch in turns, and the time of commands.

Throughput is that of the whole machine: the engine trains one seed per core at once, the others train one
seed on all cores.
"""

import argparse
import io
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import pandas as pd

from elu_replication import atomic
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED, Protocol
from elu_replication.console import say, table
from elu_replication.engine import data
from elu_replication.errors import UserError, run_main
from elu_replication.training.cost import cores

ARMS = {"CNN": "machinecurve_25-he_elu1", "MLP": "asu_mlp-sgd_elu"}
ROUNDS = {"CNN": 3, "MLP": 7}
FOLDER = experiments.RESULTS / "bench"
PEAK_SIZE = 2048  # rows and columns of the matrices whose product is the peak
PEAK_PRODUCTS = 10


def splits_of(protocol: Protocol) -> dict[str, data.Split]:
    """The training and validation splits. No contender is tested, so that all do the same work."""
    parts, _ = data.load_splits(protocol)
    return {name: parts[name] for name in ("train", "validation")}


def engine_epoch(protocol: Protocol, threads: int = 1) -> Callable[[], Any]:
    """This project's epoch: training, then validation."""
    import tensorflow as tf

    from elu_replication.engine.trainer import Trainer, use_one_thread

    use_one_thread()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    trainer = Trainer(protocol, splits_of(protocol))
    trainer.begin(0)
    return lambda: trainer.epoch(0, 1)


def fit_epoch(protocol: Protocol) -> Callable[[], Any]:
    """model.fit on arrays, as in the article's script: training, then validation."""
    import keras

    from elu_replication.engine.models import build
    from elu_replication.engine.trainer import optimizer_for

    parts = splits_of(protocol)
    images = {
        name: (p.images, keras.utils.to_categorical(p.labels, p.classes)) for name, p in parts.items()
    }
    model = build(protocol, 0, parts["train"].image_shape, parts["train"].classes)
    model.compile(optimizer_for(protocol.optimizer), "categorical_crossentropy", metrics=["accuracy"])
    held_out = images["validation"]
    return lambda: model.fit(
        *images["train"], batch_size=protocol.batch_size, validation_data=held_out, verbose=0
    )


def torch_epoch(protocol: Protocol) -> Callable[[], Any]:
    """Eager PyTorch over batches of a shuffled tensor: training, then validation."""
    import torch
    from torch import nn

    parts = splits_of(protocol)
    tensors = {
        name: (torch.from_numpy(p.images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(p.labels).long())
        for name, p in parts.items()
    }
    rate = protocol.dropout
    convolutions = [
        *(nn.Conv2d(1, 32, 3), nn.ELU(), nn.MaxPool2d(2), nn.Dropout(rate)),
        *(nn.Conv2d(32, 64, 3), nn.ELU(), nn.MaxPool2d(2), nn.Dropout(rate)),
        *(nn.Flatten(), nn.Linear(1600, 256), nn.ELU(), nn.Linear(256, 10)),
    ]
    widths = [784] + [128] * (protocol.model.hidden_layers or 0)
    dense = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), nn.ELU())]
    mlp = [nn.Flatten(), *dense, nn.Linear(128, 10)]
    model = nn.Sequential(*(convolutions if protocol.model.name == "cnn" else mlp))
    classes = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    optimizer = classes[protocol.optimizer.name](model.parameters(), lr=protocol.optimizer.learning_rate)
    loss_of = nn.CrossEntropyLoss()

    def epoch() -> None:
        images, labels = tensors["train"]
        model.train()
        for chosen in torch.randperm(len(labels)).split(protocol.batch_size):
            optimizer.zero_grad()
            loss_of(model(images[chosen]), labels[chosen]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for images, labels in zip(*(t.split(1000) for t in tensors["validation"]), strict=True):
                loss_of(model(images), labels)

    return epoch


def peak(protocol: Protocol) -> Callable[[], Any]:
    """Large float32 matrix products on one thread: the peak of the processor."""
    import tensorflow as tf

    from elu_replication.engine.trainer import use_one_thread

    use_one_thread()
    matrix = tf.random.stateless_normal((PEAK_SIZE, PEAK_SIZE), seed=(0, 0))
    product = tf.function(lambda: tf.linalg.matmul(matrix, matrix))
    return lambda: [product() for _ in range(PEAK_PRODUCTS)]


CONTENDERS: dict[str, tuple[Callable[[Protocol], Callable[[], Any]], bool]] = {
    "engine": (engine_epoch, True),  # True: one process per core
    "engine, one process": (partial(engine_epoch, threads=cores()), False),
    "model.fit": (fit_epoch, False),
    "PyTorch eager": (torch_epoch, False),
    "matrix product": (peak, True),
}


def _serve(name: str, protocol: Protocol, connection: Connection) -> None:
    """A contender's process: the first epoch at once, then one per True that it receives."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # of TensorFlow's messages
    epoch = CONTENDERS[name][0](protocol)
    while True:
        start = time.perf_counter()
        epoch()
        connection.send(time.perf_counter() - start)
        if not connection.recv():
            return


class Contender:
    """The processes of one contender; a round is one epoch in all of them at once."""

    def __init__(self, name: str, protocol: Protocol) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.connections = []
        for _ in range(cores() if CONTENDERS[name][1] else 1):
            ours, theirs = context.Pipe()
            context.Process(target=_serve, args=(name, protocol, theirs), daemon=True).start()
            self.connections.append(ours)
        self.first_seconds = self.slowest()

    def seconds(self) -> float:
        """Seconds per epoch of the machine: the slowest process's, over their number."""
        self.ask(True)
        return self.slowest() / len(self.connections)

    def slowest(self) -> float:
        """Seconds of the slowest process for its epoch; raises UserError if a process died."""
        try:
            return max(connection.recv() for connection in self.connections)
        except EOFError as error:
            raise UserError(f"bench: a process of {self.name} died") from error

    def ask(self, more: bool) -> None:
        for connection in self.connections:
            connection.send(more)


def operations(protocol: Protocol) -> float:
    """Floating-point operations of the matrix products and convolutions of one epoch. A validation image
    costs one forward pass; a training image costs as much again for the gradients of the kernels, and again
    for those of all inputs but the first layer's."""
    first, *rest = (
        [2 * 9 * 32 * 26 * 26, 2 * 9 * 32 * 64 * 11 * 11, 2 * 1600 * 256, 2 * 256 * 10]
        if protocol.model.name == "cnn"
        else [2 * 784 * 128, *[2 * 128 * 128] * ((protocol.model.hidden_layers or 1) - 1), 2 * 128 * 10]
    )
    fitted = protocol.train_images - protocol.validation_images
    return fitted * (2 * first + 3 * sum(rest)) + protocol.validation_images * (first + sum(rest))


class Timing(NamedTuple):
    """A contender's rounds on one network, in seconds per epoch of the whole machine."""

    network: str
    contender: str
    seconds: list[float]
    first_seconds: float


def compete(network: str, protocol: Protocol) -> list[Timing]:
    """All contenders in turns, round after round, so that a slow minute affects all of them."""
    names = [name for name in CONTENDERS if name != "PyTorch eager" or find_spec("torch")]
    if "PyTorch eager" not in names:
        say("PyTorch is not installed (dependency group bench): left out")
    contenders = {}
    for name in names:
        say(f"{network}: {name} begins")
        contenders[name] = Contender(name, protocol)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(ROUNDS[network]):
        for name, contender in contenders.items():
            seconds[name].append(contender.seconds())
        say(f"{network}: round {number + 1} of {ROUNDS[network]}")
    for contender in contenders.values():
        contender.ask(False)
    return [Timing(network, name, seconds[name], c.first_seconds) for name, c in contenders.items()]


def throughput_table(timings: Sequence[Timing], protocol: Protocol) -> pd.DataFrame:
    """Seconds per epoch, the ratio of the engine's throughput to the contender's (by round, so that the
    spread is that of the ratio), and the share of the matrix-product peak."""
    by_name = {timing.contender: timing for timing in timings}
    engine, best = by_name["engine"], by_name.pop("matrix product")
    peak_rate = 2 * PEAK_SIZE**3 * PEAK_PRODUCTS / statistics.median(best.seconds)
    lines = []
    for timing in by_name.values():
        median = statistics.median(timing.seconds)
        ratios = [other / own for other, own in zip(timing.seconds, engine.seconds, strict=True)]
        lines.append(
            {
                "network": timing.network,
                "contender": timing.contender,
                "seconds_per_epoch": median,
                "least": min(timing.seconds),
                "most": max(timing.seconds),
                "times_the_engine": statistics.median(ratios),
                "ratio_least": min(ratios),
                "ratio_most": max(ratios),
                "share_of_peak": operations(protocol) / median / peak_rate,
                "peak_gflops": peak_rate / 1e9,
                "first_epoch_seconds": timing.first_seconds,
            }
        )
    return pd.DataFrame(lines)


COMMANDS = {
    "--help": ["-m", "elu_replication.commands.replicate", "--help"],
    "a configuration error": ["-m", "elu_replication", "dropout=2"],
    "make replicate, nothing to do": ["-m", "elu_replication.commands.replicate", "--no-audit"],
    "import of TensorFlow and the engine": ["-c", "import elu_replication.training.worker"],
}


def fixed_costs() -> pd.DataFrame:
    """Median seconds of commands over five starts."""
    lines = []
    for name, arguments in COMMANDS.items():
        whole = partial(subprocess.run, [sys.executable, *arguments], capture_output=True)
        seconds = timeit.repeat(whole, number=1, repeat=5)
        lines.append({"command": name, "seconds": statistics.median(seconds), "most": max(seconds)})
    return pd.DataFrame(lines)


def main() -> None:
    argparse.ArgumentParser(description="Measure the engine against model.fit and PyTorch.").parse_args()
    parts = []
    for network, name in ARMS.items():
        protocol = experiments.arm(name, PUBLISHED).protocol
        parts.append(throughput_table(compete(network, protocol), protocol))
    timings, costs = pd.concat(parts), fixed_costs()
    text = io.StringIO()
    for title, part in (("Throughput", timings), ("Fixed costs, seconds", costs)):
        rounded = part.map(lambda value: f"{value:.2f}" if isinstance(value, float) else str(value))
        rounded.columns = rounded.columns.str.replace("_", " ")
        table(title, list(rounded.columns), rounded.to_numpy().tolist())
        text.write(f"### {title}\n\n{rounded.to_markdown(index=False, disable_numparse=True)}\n\n")
    atomic.write_text(FOLDER / "bench.md", text.getvalue())
    atomic.write_text(FOLDER / "bench.csv", timings.to_csv(index=False, float_format="%.4g"))
    say(f"Written to {FOLDER}")


if __name__ == "__main__":
    run_main(main)
