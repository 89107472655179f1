"""Stored runs: for each seed of an arm a record (JSON) and its history and probes (CSV).

A run counts only while its record says that it was made by this protocol, data and training code.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from elu_replication import atomic
from elu_replication.config.compose import group_option
from elu_replication.config.documents import Strict
from elu_replication.config.schema import Arm
from elu_replication.datasets.prepared import data_digest
from elu_replication.engine import kernels
from elu_replication.runs.code_version import code_version

OTHER_CODE = "training code changed"
HISTORY_COLUMNS = ("seed", "epoch", "split", "loss", "accuracy")
PROBES = ("activity", "perturbations")


class Scores(Strict):
    """What a run scored after one epoch (from 1); losses are means over images."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float
    test_accuracy: float


class Environment(Strict):
    """Where a run was trained; recorded, never compared."""

    python: str
    tensorflow: str
    keras: str
    numpy: str
    system: str
    processor: str
    device: str
    threads: int
    # Missing from the records of runs before kernels were fixed, whose checksum must stay valid.
    kernels: str | None = Field(default=None, exclude_if=lambda value: value is None)
    c_library: str | None = Field(default=None, exclude_if=lambda value: value is None)
    openblas: str | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def kind_of_kernels(self) -> str:
        """One of kernels.KINDS, or what else the run's kernels were, e.g. "GPU". TensorFlow chose those of
        a record that says nothing, and its processor's vectors were named where they ended at AVX2."""
        if self.kernels:
            return self.kernels.removeprefix("other: ")
        return kernels.WITHOUT_ONEDNN if self.processor.endswith(", X86_V3") else kernels.AVX512


class Stamp(Strict):
    """A change of training code that a run outlived, since the beginning of a run of every arm was
    found identical to the bit under the new code."""

    old_code_version: str
    new_code_version: str
    audited: tuple[str, ...]
    date: str


class Record(Strict):
    """One finished run. `final` scores the weights it ended with: of its last epoch, or with patience
    of its best. `best` is the epoch of the least validation loss; the test split had no part in it."""

    arm: str
    seed: int
    status: Literal["finished", "diverged"]
    protocol: dict[str, Any]
    data_digest: str
    code_version: str
    final: Scores
    best: Scores | None
    wall_seconds: float  # of training and evaluation
    probe_seconds: float
    probes_version: int
    environment: Environment
    stamps: tuple[Stamp, ...] = ()
    seal: str = ""

    def sealed(self, *files: str) -> "Record":
        """The record with the SHA-256 of itself and its files' texts: a later edit of any shows."""
        bare = self.model_copy(update={"seal": ""}).model_dump_json()
        content = "".join([bare, *files]).encode()
        return self.model_copy(update={"seal": hashlib.sha256(content).hexdigest()})


def expected_digest(dataset: str) -> str:
    """The data digest that a run on `dataset` must have been trained on, from conf/dataset."""
    return data_digest(group_option("dataset", dataset)["digests"])


def record_path(arm: Arm, seed: int) -> Path:
    return arm.folder / f"seed-{seed}.json"


def history_path(arm: Arm, seed: int) -> Path:
    return arm.folder / f"seed-{seed}.csv"


def probe_path(arm: Arm, seed: int, kind: str) -> Path:
    """The probes of a run of one kind of PROBES: rows as elu_replication.runs.probe_rows has them."""
    return arm.folder / f"seed-{seed}.{kind}.csv"


def file_paths(arm: Arm, seed: int) -> list[Path]:
    """The files that a record seals."""
    return [history_path(arm, seed), *(probe_path(arm, seed, kind) for kind in PROBES)]


def model_path(arm: Arm, seed: int) -> Path:
    return arm.folder / f"seed-{seed}.keras"


def paths(arm: Arm, seed: int) -> list[Path]:
    """All files of a stored run, its record last: a run without one is not there yet."""
    model = [model_path(arm, seed)] if arm.save_model else []
    return [*model, *file_paths(arm, seed), record_path(arm, seed)]


def load(arm: Arm, seed: int) -> Record | None:
    """The stored record of a run, whatever made it; None where there is none, or it or one of its
    files is not as it was stored."""
    files = (record_path(arm, seed), *file_paths(arm, seed))
    try:
        return _verified(files, tuple(path.stat().st_mtime_ns for path in files))
    except (OSError, ValueError):
        return None


@cache
def _verified(files: tuple[Path, ...], times_ns: tuple[int, ...]) -> Record | None:
    """The record in the first of `files` if it seals the others; read once while none is written to."""
    text, *sealed = (path.read_text() for path in files)
    record = Record.model_validate_json(text)
    return record if record == record.sealed(*sealed) else None


def why_not_current(arm: Arm, seed: int) -> str | None:
    """Why a stored run does not stand for (arm, seed) as declared today; None where it does."""
    record = load(arm, seed)
    if record is None:
        return "altered" if record_path(arm, seed).exists() else "not run"
    return _outdated(arm, seed, record)


def current(arm: Arm) -> list[Record]:
    """The records of the arm's declared seeds that stand for it as declared today."""
    return [r for seed in arm.seeds if (r := load(arm, seed)) and not _outdated(arm, seed, r)]


def kinds_of_kernels(arm: Arm) -> list[str]:
    """The kinds of kernels of the arm's runs that count: numbers of different kinds are close, and those
    of one kind alone are the same to the bit wherever they are made."""
    return sorted({record.environment.kind_of_kernels for record in current(arm)})


def _outdated(arm: Arm, seed: int, record: Record) -> str | None:
    """What has changed since a stored run was made, or None."""
    if record.protocol != arm.protocol.as_dict() or record.seed != seed:
        return "protocol changed"
    if record.data_digest != expected_digest(arm.protocol.dataset.name):
        return "data changed"
    if record.code_version != code_version(arm.protocol.model.name):
        return OTHER_CODE
    if arm.save_model and not model_path(arm, seed).is_file():
        return "model not saved"
    return None


def as_rows(seed: int, history: Iterable[tuple[int, str, float, float]]) -> list[list[str]]:
    """Observations as the history file holds them, in the order of HISTORY_COLUMNS; 9 digits tell
    every float32 apart."""
    return [[str(seed), *map(_cell, observation)] for observation in history]


def _cell(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in (columns, *rows))


def stored_rows(arm: Arm, seed: int) -> list[list[str]]:
    """The stored history in the same form."""
    lines = history_path(arm, seed).read_text().splitlines()
    return [line.split(",") for line in lines[1:]]


def store(
    arm: Arm,
    record: Record,
    history: Iterable[tuple[int, str, float, float]],
    probes: Mapping[str, Sequence[Any]],
) -> None:
    """Write a run: its probes are lists of named tuples, one list for each of PROBES. The record comes
    last, so that a run without one is not there yet."""
    texts = [_csv(HISTORY_COLUMNS, as_rows(record.seed, history))]
    for kind in PROBES:
        columns = probes[kind][0]._fields if probes[kind] else ()
        texts.append(_csv(columns, [[*map(_cell, row)] for row in probes[kind]]))
    record_path(arm, record.seed).unlink(missing_ok=True)
    for path, text in zip(file_paths(arm, record.seed), texts, strict=True):
        atomic.write_text(path, text)
    write_record(arm, record.sealed(*texts))


def write_record(arm: Arm, record: Record) -> None:
    atomic.write_text(record_path(arm, record.seed), record.model_dump_json(indent=1) + "\n")
