"""`make bench`: the throughput of the engine, model.fit, PyTorch and JAX in turns, and commands' times.

Throughput is that of the whole machine: the engine trains one seed per core at once, the others train one
seed on all cores, but for JAX's vmap, which trains as many seeds as there are cores in one program. What
obeys the settings of the portable kernels is timed with them and with the kernels that the libraries choose
by themselves.
"""

import argparse
import io
import math
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

import elu_replication  # noqa: F401 - before NumPy, since it fixes the kernels

# isort: split
import pandas as pd

from elu_replication import atomic
from elu_replication.commands.audit import environment
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED, Protocol
from elu_replication.console import say, table
from elu_replication.datasets import fetch
from elu_replication.engine import data, kernels
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


def torch_epoch(protocol: Protocol, compiled: bool = False) -> Callable[[], Any]:
    """PyTorch, eager or by torch.compile, over batches of a shuffled tensor: training, then validation."""
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
    if compiled:
        model = torch.compile(model, dynamic=False)
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


def jax_epoch(protocol: Protocol, seeds: int = 1) -> Callable[[], Any]:
    """JAX, for several seeds by vmap: a whole epoch as one lax.scan or, for the CNN, a compiled step per
    batch, since XLA computes convolutions within a loop several times as slowly on CPUs. The last, smaller
    batch is left out."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    parts, cnn = splits_of(protocol), protocol.model.name == "cnn"
    images, labels = (jnp.asarray(values) for values in (parts["train"].images, parts["train"].labels))
    held_out = [jnp.asarray(v) for v in (parts["validation"].images, parts["validation"].labels)]
    depth = protocol.model.hidden_layers or 0
    shapes: list[tuple[int, ...]] = [(784, 128), *[(128, 128)] * (depth - 1), (128, 10)]
    if cnn:
        shapes = [(3, 3, 1, 32), (3, 3, 32, 64), (1600, 256), (256, 10)]

    def initial(key: Any) -> Any:
        keys = jax.random.split(key, len(shapes))
        scales = [math.sqrt(2 / math.prod(shape[:-1])) for shape in shapes]
        drawn = zip(keys, shapes, scales, strict=True)
        return [(jax.random.normal(k, shape) * scale, jnp.zeros(shape[-1])) for k, shape, scale in drawn]

    def outputs(weights: Any, x: Any, key: Any) -> Any:
        for index, (w, b) in enumerate(weights):
            if cnn and index < 2:
                x = lax.conv_general_dilated(
                    x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                x = jax.nn.elu(x + b)
                x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
                if key is not None:
                    key, drawn = jax.random.split(key)
                    kept = jax.random.bernoulli(drawn, 1 - protocol.dropout, x.shape)
                    x = jnp.where(kept, x / (1 - protocol.dropout), 0)
                continue
            x = x.reshape(len(x), -1) @ w + b
            x = x if index == len(weights) - 1 else jax.nn.elu(x)
        return x

    def loss(weights: Any, x: Any, y: Any, key: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs(weights, x, key)), y[:, None], 1).mean()

    rate, adam = protocol.optimizer.learning_rate, protocol.optimizer.name == "adam"

    def step(state: Any, batch: Any) -> Any:
        weights, first, second, count, key = state
        key, drawn = jax.random.split(key)
        value, slopes = jax.value_and_grad(loss)(weights, images[batch], labels[batch], drawn)
        count += 1
        if adam:
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slopes)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slopes)
            scale = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            slopes = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + 1e-7), first, second)
        move = 1.0 if adam else rate
        weights = jax.tree.map(lambda w, g: w - move * g, weights, slopes)
        return (weights, first, second, count, key), value

    def shuffled(state: Any) -> Any:
        *rest, key = state
        key, drawn = jax.random.split(key)
        size = protocol.batch_size
        order = jax.random.permutation(drawn, len(labels))[: len(labels) // size * size]
        return (*rest, key), order.reshape(-1, size)

    def scanned(state: Any, order: Any) -> Any:
        state, _ = lax.scan(step, state, order)
        return state

    def begin(key: Any) -> Any:
        weights = initial(key)
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return weights, zeros, zeros, 0.0, key

    def each(function: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(jax.vmap(function) if seeds > 1 else function)

    keys = jax.random.split(jax.random.key(0), seeds)
    first_state = each(begin)(keys if seeds > 1 else keys[0])
    shuffle, advance, train = each(shuffled), each(step), each(scanned)
    validate = each(lambda state: loss(state[0], *held_out, None))

    def epoch() -> None:
        state, order = shuffle(first_state)
        if cnn:
            for index in range(order.shape[-2]):
                state, _ = advance(state, order[..., index, :])
        else:
            state = train(state, order)
        jax.block_until_ready(validate(state))

    return epoch


def peak(protocol: Protocol) -> Callable[[], Any]:
    """Large float32 matrix products on one thread: the peak of the processor."""
    import tensorflow as tf

    from elu_replication.engine.trainer import use_one_thread

    use_one_thread()
    matrix = tf.random.stateless_normal((PEAK_SIZE, PEAK_SIZE), seed=(0, 0))
    product = tf.function(lambda: tf.linalg.matmul(matrix, matrix))
    return lambda: [product() for _ in range(PEAK_PRODUCTS)]


class Way(NamedTuple):
    """A way to train: its epoch, whether one process per core runs it, how many seeds an epoch trains, the
    module that it needs beside the project's, and the kind of kernels (engine/kernels.py)."""

    epoch: Callable[[Protocol], Callable[[], Any]]
    per_core: bool = False
    seeds: int = 1
    needs: str = ""
    kernels: str = kernels.PORTABLE


# What TensorFlow chooses where nothing is set.
OWN = kernels.AVX512 if kernels.available(kernels.AVX512) else kernels.WITHOUT_ONEDNN
BY_KERNELS = {
    "engine": Way(engine_epoch, per_core=True),
    "model.fit": Way(fit_epoch),
    "PyTorch eager": Way(torch_epoch, needs="torch"),
    "torch.compile": Way(partial(torch_epoch, compiled=True), needs="torch"),
}
CONTENDERS: dict[str, Way] = {
    **BY_KERNELS,
    "engine, one process": Way(partial(engine_epoch, threads=cores())),
    **{f"{name}, own kernels": way._replace(kernels=OWN) for name, way in BY_KERNELS.items()},
    "JAX": Way(jax_epoch, needs="jax"),
    "JAX vmap": Way(partial(jax_epoch, seeds=cores()), seeds=cores(), needs="jax"),
    "matrix product": Way(peak, per_core=True),
}


def _serve(name: str, protocol: Protocol, connection: Connection) -> None:
    """A contender's process: the first epoch at once, then one per True that it receives."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # of TensorFlow's messages
    epoch = CONTENDERS[name].epoch(protocol)
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
        self.way = CONTENDERS[name]
        with environment(**{kernels.VARIABLE: self.way.kernels}):
            for _ in range(cores() if self.way.per_core else 1):
                ours, theirs = context.Pipe()
                context.Process(target=_serve, args=(name, protocol, theirs), daemon=True).start()
                self.connections.append(ours)
        self.first_seconds = self.slowest()

    def seconds(self) -> float:
        """Seconds per epoch and seed of the machine: the slowest process's, over the number of seeds."""
        self.ask(True)
        return self.slowest() / len(self.connections) / self.way.seeds

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
    names = [name for name, way in CONTENDERS.items() if not way.needs or find_spec(way.needs)]
    if missing := sorted({way.needs for way in CONTENDERS.values()} - {CONTENDERS[n].needs for n in names}):
        say(f"{' and '.join(missing)}: not installed (dependency group bench), left out")
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
    argparse.ArgumentParser(description="Measure the engine, model.fit, PyTorch and JAX.").parse_args()
    protocols = {network: experiments.arm(name, PUBLISHED).protocol for network, name in ARMS.items()}
    fetch.ensure_all(protocols.values())
    parts = []
    for network, protocol in protocols.items():
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
