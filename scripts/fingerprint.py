"""`make fingerprint`: does this machine give the project's numbers?

It trains a network of every kind on the same few images and compares digests of the results with the
committed ones. If they differ, digests of single operations show which operation is the first to differ.
"""

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import elu_replication  # noqa: F401 - before NumPy, since it fixes the kernels

# isort: split
import numpy as np

from elu_replication import atomic
from elu_replication.claims.checks import CHECKS
from elu_replication.config import experiments
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED, Protocol, dataset_facts
from elu_replication.console import say
from elu_replication.datasets import fetch, prepared
from elu_replication.engine import kernels
from elu_replication.engine.data import Split, splits
from elu_replication.errors import UserError, run_main

FILE = Path("results/fingerprint.txt")
IMAGES = 500  # for training, two of the largest batches, and twice as many for evaluation
NAME = 64  # width of a line before its digest
# An arm for each kind of network and of optimizer.
ARMS = (
    "machinecurve_dropout-elu1_d25",
    "asu_mlp-sgd_elu",
    "asu_mlp-adam_sigmoid",
    "clevert_fig3_short-srelu_1e2_sum",
    "from_scratch-numpy_elu",
)
Lines = Iterator[tuple[str, str]]


def digest(*values: object) -> str:
    """12 hexadecimal digits for the bytes of arrays and the text of other values."""
    content = hashlib.sha256()
    for value in values:
        content.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return content.hexdigest()[:12]


def operations() -> Lines:
    """Single operations whose last bits depend on kernels, in the shapes of the networks."""
    import tensorflow as tf  # for which an error need not wait

    tf.get_logger().setLevel("ERROR")  # it warns of many networks in one process
    generator = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    images, weights, hidden, square = normal(50, 784), normal(784, 128), normal(50, 128), normal(128, 128)
    doubles = hidden.astype(float)
    yield "NumPy matmul float32", digest(images @ weights, hidden @ square)
    yield "NumPy matmul float64", digest(doubles @ square.astype(float))
    for name in ("exp", "tanh", "expm1"):
        yield f"NumPy {name}", digest(getattr(np, name)(doubles))
    yield "NumPy log", digest(np.log(np.abs(doubles)), np.log1p(np.abs(doubles)))
    products = images @ tf.constant(weights), tf.matmul(hidden, square)
    yield "TensorFlow matmul", digest(*(product.numpy() for product in products))
    products = tf.matmul(images, hidden, transpose_a=True), tf.matmul(hidden, square, transpose_b=True)
    yield "TensorFlow matmul, transposed", digest(*(product.numpy() for product in products))
    for name in ("elu", "relu", "selu", "softplus", "sigmoid", "tanh", "softmax", "leaky_relu"):
        yield f"TensorFlow {name}", digest(getattr(tf.nn, name)(hidden).numpy())
    for name in ("exp", "log", "sqrt"):
        yield f"TensorFlow {name}", digest(getattr(tf.math, name)(np.abs(hidden)).numpy())
    yield "TensorFlow sums", digest(*(tf.reduce_sum(hidden, axis).numpy() for axis in (None, 0, 1)))
    shapes = (((28, 28, 1), (3, 3, 1, 32), (26, 26, 32)), ((13, 13, 32), (3, 3, 32, 64), (11, 11, 64)))
    for inputs, filters, outputs in shapes:
        pictures, kernel, above = normal(25, *inputs), normal(*filters), normal(25, *outputs)
        which = f"TensorFlow convolution of {inputs[-1]}"
        by_input = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=pictures.shape, filter=kernel, out_backprop=above, strides=[1] * 4, padding="VALID"
        )
        by_filter = tf.raw_ops.Conv2DBackpropFilter(
            input=pictures, filter_sizes=kernel.shape, out_backprop=above, strides=[1] * 4, padding="VALID"
        )
        yield which, digest(tf.nn.conv2d(pictures, kernel, 1, "VALID").numpy())
        yield f"{which}, gradient by input", digest(by_input.numpy())
        yield f"{which}, gradient by filter", digest(by_filter.numpy())
    for name in ("normal", "uniform", "truncated_normal"):
        draw = getattr(tf.random, f"stateless_{name}")
        yield f"TensorFlow random {name}", digest(draw([1000], [1, 2]).numpy())


def network(name: str, protocol: Protocol, parts: dict[str, Split], probed: bool) -> Lines:
    """Digests of the weights, history and, if `probed`, probes of one epoch of a protocol."""
    from elu_replication.engine.numpy_mlp.trainer import FromScratchTrainer
    from elu_replication.engine.trainer import Trainer
    from elu_replication.training.probes import Probes

    trainer: Trainer | FromScratchTrainer
    if protocol.model.name == "from_scratch":
        trainer, probes = FromScratchTrainer(protocol, parts), None
    else:
        trainer = Trainer(protocol, parts)
        probes = Probes(trainer, parts) if probed else None
    trainer.begin(0)
    yield f"{name}: initial weights", digest(*trainer.state)
    before = probes.activity(0, 1) if probes else []
    history = trainer.epoch(0, 1)
    yield f"{name}: weights after an epoch", digest(*trainer.state)
    yield f"{name}: history", digest([tuple(row) for row in history])
    if probes:
        rows = [*before, *probes.activity(1, 1), *probes.perturbations(0)]
        yield f"{name}: probes", digest([tuple(row) for row in rows])


def fingerprint(images: int, probed: bool) -> Lines:
    """Names and digests of everything that is compared."""
    from elu_replication.engine.trainer import use_one_thread

    kernels.require()
    use_one_thread()
    yield from operations()
    yield "mathematics of the claims", digest([check() for check in CHECKS.values()])
    arrays, _ = prepared.load("mnist")
    few = {name: array[: 2 * images if "test" in name else images] for name, array in arrays.items()}
    parts = splits(few, images, 0, dataset_facts("mnist").classes)
    for name in ARMS:
        protocol = shortened(experiments.arm(name, PUBLISHED).protocol, images)
        yield from network(name, protocol, parts, probed)


def shortened(protocol: Protocol, images: int) -> Protocol:
    """The protocol with at least two steps per epoch and two hidden layers. Kernels do not depend on the
    number of these, but on the size of a batch."""
    depth = protocol.model.hidden_layers and 2
    model = replace(protocol.model, hidden_layers=depth)
    return replace(protocol, model=model, batch_size=min(protocol.batch_size, images // 2))


def verdict(lines: list[str], committed: list[str]) -> str:
    """One line on whether two fingerprints are the same, and what first differs."""
    if lines == committed:
        return f"this machine gives the project's numbers (fingerprint {digest(lines)})"
    differing = [line[:NAME].rstrip() for line in lines if line not in committed]
    first = f", first that of {differing[0]}" if differing else ""
    return (
        f"this machine gives other numbers: {digest(lines)}, not {digest(committed)}; {len(differing)} of "
        f"{len(lines)} digests differ{first}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare this machine's numbers with the project's.")
    parser.add_argument("--images", type=int, default=IMAGES, help="other than the default: only print")
    parser.add_argument("--no-probes", action="store_true", help="leave them out, and only print")
    parser.add_argument("--write", action="store_true", help="make this machine's the committed one")
    options = parser.parse_args()
    require_root()
    whole = options.images == IMAGES and not options.no_probes
    if whole:
        fetch.ensure(dataset_facts("mnist"))
    lines = []
    for name, value in fingerprint(options.images, not options.no_probes):
        lines.append(f"{name:{NAME}} {value}")
        print(lines[-1], flush=True)
    if options.write and whole:
        atomic.write_text(FILE, "\n".join(lines) + "\n")
    elif whole:
        committed = FILE.read_text().splitlines()
        result = verdict(lines, committed)
        if lines != committed:
            from elu_replication.training.worker import environment

            raise UserError(f"{result}; its kernels are {environment().kernels}")
        say(result)


if __name__ == "__main__":
    run_main(main)
