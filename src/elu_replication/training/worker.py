"""One job: a seed of an arm, trained and stored. A launcher decides in which process it runs."""

import gc
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from elu_replication.config.schema import Protocol
from elu_replication.engine import data, kernels
from elu_replication.engine.numpy_mlp.trainer import FromScratchTrainer
from elu_replication.engine.trainer import Observation, Trainer, use_one_thread
from elu_replication.runs import probe_rows, store
from elu_replication.runs.code_version import code_version
from elu_replication.training import checkpoints
from elu_replication.training.early_stopping import Stop, stop
from elu_replication.training.job import Job
from elu_replication.training.probes import Probes, probed

AnyTrainer = Trainer | FromScratchTrainer
# The most training that a dying process loses; machines that are often taken away need less.
CHECKPOINT_SECONDS = float(os.environ.get("CHECKPOINT_SECONDS", "30"))


@dataclass
class Progress:
    """Observations and probes of a run so far, with the seconds that training and probing took, and the
    digest of the plan that stood when it was begun."""

    plan: str | None = field(default_factory=store.plan_digest)
    history: list[Observation] = field(default_factory=list)
    activity: list[probe_rows.Activity] = field(default_factory=list)
    seconds: float = 0.0
    probe_seconds: float = 0.0

    @property
    def epoch(self) -> int:
        """The last finished epoch; 0 before the first."""
        return self.history[-1].epoch if self.history else 0

    @property
    def diverged(self) -> bool:
        """Whether a loss of the last epoch is NaN or infinite: the run stops there."""
        return not all(math.isfinite(o.loss) for o in self.history if o.epoch == self.epoch)


class Worker:
    """Runs jobs one after another in this process. The seeds of an arm share a trainer, since tracing its
    graphs takes seconds."""

    def __init__(self) -> None:
        kernels.require()
        use_one_thread()
        # A GPU's matrix units would round factors to 10 bits; protocols are in float32.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self._trainer: AnyTrainer | None = None
        self._probes: Probes | None = None
        self._digest = ""

    def train(self, job: Job, on_epoch: Callable[[Progress], None]) -> store.Record:
        """Train and store one run, resuming from its checkpoint if there is one. `on_epoch` is called after
        each epoch. Raises UserError if data are missing or not as declared, and OSError if a file cannot be
        written; the checkpoint then stays."""
        protocol, seed = job.arm.protocol, job.seed
        trainer = self._trainer_for(protocol)
        version = code_version(protocol)
        determines = protocol.as_dict(), seed, self._digest, version, probe_rows.VERSION
        here = environment()
        if isinstance(trainer, FromScratchTrainer):  # NumPy knows no GPU
            here = here.model_copy(update={"device": "CPU", "kernels": kernels.name()})
        checkpoint = checkpoints.path_for(*determines, here.kernels)
        progress = _train(trainer, self._probes, seed, checkpoint, on_epoch)
        start = time.perf_counter()
        perturbations = self._probes.perturbations(seed) if self._probes and not progress.diverged else []
        progress.probe_seconds += time.perf_counter() - start
        best = scores(progress.history, stopped(progress.history, protocol).best)
        final = best if protocol.patience else scores(progress.history, progress.epoch)
        record = store.Record(
            arm=job.arm.name,
            seed=seed,
            status="diverged" if progress.diverged else "finished",
            protocol=protocol,
            data_digest=self._digest,
            code_version=version,
            plan=progress.plan,
            final=final,
            best=best if protocol.validation_images else None,
            wall_seconds=round(progress.seconds, 1),
            probe_seconds=round(progress.probe_seconds, 1),
            probes_version=probe_rows.VERSION,
            environment=here,
        )
        rows: dict[str, Sequence[Any]] = {"activity": progress.activity, "perturbations": perturbations}
        model = saved(trainer.model) if job.arm.save_model else None
        store.store(job.arm, record, progress.history, rows, model)
        checkpoint.unlink(missing_ok=True)
        return record

    def first_epochs(self, job: Job) -> list[list[str]]:
        """The history rows of the first `audited_epochs` of a run, retrained; nothing is stored."""
        trainer = self._trainer_for(job.arm.protocol)
        trainer.begin(job.seed)
        epochs = range(1, job.audited_epochs + 1)
        history = [observation for epoch in epochs for observation in trainer.epoch(job.seed, epoch)]
        return store.as_rows(job.seed, history)

    def _trainer_for(self, protocol: Protocol) -> AnyTrainer:
        """The trainer of a protocol; sets `_probes` to those of its network, or to None for the model
        from_scratch, which has no Keras layers."""
        if self._trainer is None or self._trainer.protocol != protocol:
            self._trainer = self._probes = None
            forget_graphs()
            parts, self._digest = data.load_splits(protocol)
            if protocol.model.name == "from_scratch":
                self._trainer = FromScratchTrainer(protocol, parts)
            else:
                self._trainer = Trainer(protocol, parts)
                self._probes = Probes(self._trainer, parts)
        return self._trainer


def forget_graphs() -> None:
    """Free the graphs of trainers that are no longer used, and the images that they hold.

    TensorFlow registers a gradient function for each custom gradient in a graph, such as the one in Keras'
    optimizers, and never removes it. The function holds the graph, but is needed only while that is built.
    """
    functions = ops.gradient_registry._registry
    for name in [name for name in functions if name.startswith("CustomGradient-")]:
        del functions[name]
    gc.collect()  # a trainer and its graphs refer to each other


def _train(
    trainer: AnyTrainer,
    probes: Probes | None,
    seed: int,
    checkpoint: Path,
    on_epoch: Callable[[Progress], None],
) -> Progress:
    """Train a run with probes, resuming from its checkpoint if there is one."""
    protocol, progress = trainer.protocol, Progress()

    def probe() -> None:
        last = progress.epoch if ended(progress, protocol) else protocol.epochs
        if probes and probed(progress.epoch, last) and not progress.diverged:
            start = time.perf_counter()
            progress.activity += probes.activity(progress.epoch, last)
            progress.probe_seconds += time.perf_counter() - start

    trainer.begin(seed)
    best = trainer.state  # with patience: what to restore at the end
    if (stored := checkpoints.load(checkpoint)) is None:
        probe()
    else:
        (history, activity, progress.seconds, progress.probe_seconds, *plan), values = stored
        progress.plan = plan[0] if plan else progress.plan  # checkpoints had none
        progress.history = [Observation(*row) for row in history]
        progress.activity = [probe_rows.Activity(*row) for row in activity]
        trainer.state, best = values[: len(best)], values[len(best) :]
    saved = time.monotonic()
    while not ended(progress, protocol):
        start = time.perf_counter()
        progress.history += trainer.epoch(seed, progress.epoch + 1)
        progress.seconds += time.perf_counter() - start
        probe()
        if protocol.patience and stopped(progress.history, protocol).best == progress.epoch:
            best = [value.copy() for value in trainer.state]
        on_epoch(progress)
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            counts = [progress.history, progress.activity, progress.seconds, progress.probe_seconds]
            counts.append(progress.plan)
            arrays = [*trainer.state, *(best if protocol.patience else [])]
            checkpoints.save(checkpoint, counts, arrays)
            saved = time.monotonic()
    if protocol.patience:
        trainer.state = best
    return progress


def ended(progress: Progress, protocol: Protocol) -> bool:
    """Whether a run is over: all epochs are trained, its loss is not finite, or its patience is used up."""
    if progress.epoch == protocol.epochs or progress.diverged:
        return True
    reached = stopped(progress.history, protocol)
    return protocol.patience is not None and reached.epoch - reached.best >= protocol.patience


def stopped(history: list[Observation], protocol: Protocol) -> Stop:
    """Where the run stops by its validation losses so far, or by its training losses if it has no
    validation images."""
    split = "validation" if protocol.validation_images else "train"
    return stop([o.loss for o in history if o.split == split], protocol.patience)


def scores(history: list[Observation], epoch: int) -> store.Scores:
    """The scores of every split after one epoch."""
    observations = [o for o in history if o.epoch == epoch]
    values = {f"{o.split}_{name}": getattr(o, name) for o in observations for name in ("loss", "accuracy")}
    return store.Scores(epoch=epoch, **values)


def saved(model: keras.Model) -> bytes:
    """The content of a model's .keras file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"  # Keras chooses the format by the suffix
        model.save(path)
        return path.read_bytes()


def environment() -> store.Environment:
    """The versions and the hardware of this process."""
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return store.Environment(
        python=platform.python_version(),
        tensorflow=tf.__version__,
        keras=keras.__version__,
        numpy=np.__version__,
        system=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        device=device,
        threads=tf.config.threading.get_intra_op_parallelism_threads(),
        kernels=kernels.name(device),
        c_library=" ".join(platform.libc_ver()) or "unknown",
        openblas=np.show_config(mode="dicts")["Build Dependencies"]["blas"].get("version", "none"),
    )


def processor() -> str:
    """The processor's name, as Linux or Python's platform module gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
