"""Stored runs: for each seed of an arm a folder with its record (JSON), history and probes (CSV).

A run counts only while its record says that it was made by this protocol, data and engine.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer

from elu_replication import atomic
from elu_replication.config.documents import Strict
from elu_replication.config.experiments import CUSTOM, RESULTS
from elu_replication.config.schema import Arm, Protocol, dataset_facts
from elu_replication.engine import kernels
from elu_replication.errors import UserError
from elu_replication.runs.code_version import code_version

OTHER_CODE = "engine changed"
ALTERED = "altered"
HISTORY_COLUMNS = ("seed", "epoch", "split", "loss", "accuracy")
PROBES = ("activity", "perturbations")
PLAN = Path("experiments/plan.lock")  # what claims/plan.py freezes


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
    """A change of training code that a run outlived, since the beginning of a run of every stamped arm was
    found identical to the bit under the new code."""

    old_code_version: str
    new_code_version: str
    audited: tuple[str, ...]
    date: str


class Record(Strict):
    """One run that finished or diverged. `final` scores the weights it ended with: of its last epoch, or
    with patience of its best. `best` is the epoch of the least validation loss; the test split had no part
    in it."""

    arm: str
    seed: int
    status: Literal["finished", "diverged"]
    protocol: Annotated[Protocol, PlainSerializer(Protocol.as_dict)]  # what is not set is left out
    data_digest: str
    code_version: str
    # The digest of the plan that stood when the run was begun; missing where there was none.
    plan: str | None = Field(default=None, exclude_if=lambda value: value is None)
    final: Scores
    best: Scores | None
    wall_seconds: float  # of training and evaluation
    probe_seconds: float
    probes_version: int
    environment: Environment
    stamps: tuple[Stamp, ...] = ()
    checksum: str = ""

    def with_checksum(self, *files: str) -> "Record":
        """The record with the SHA-256 of itself and its files' texts, which shows a later edit of any."""
        bare = self.model_copy(update={"checksum": ""}).model_dump_json()
        content = "".join([bare, *files]).encode()
        return self.model_copy(update={"checksum": hashlib.sha256(content).hexdigest()})


def plan_digest() -> str | None:
    """16 hexadecimal digits for the plan as it stands; None where nothing is frozen."""
    return hashlib.sha256(PLAN.read_bytes()).hexdigest()[:16] if os.path.lexists(PLAN) else None


def run_folder(arm: Arm, seed: int) -> Path:
    """Where a run is: its files appear there together, or not at all. Runs of a custom arm by other engines
    have other folders, since git has none of them: a trial of changed code must not replace them."""
    version = code_version(arm.protocol) if arm.folder.parent == CUSTOM else ""
    return arm.folder / version / f"seed-{seed}"


def record_path(arm: Arm, seed: int) -> Path:
    return run_folder(arm, seed) / "record.json"


def history_path(arm: Arm, seed: int) -> Path:
    return run_folder(arm, seed) / "history.csv"


def probe_path(arm: Arm, seed: int, kind: str) -> Path:
    """The probes of a run of one kind of PROBES: rows as elu_replication.runs.probe_rows has them."""
    return run_folder(arm, seed) / f"{kind}.csv"


def model_path(arm: Arm, seed: int) -> Path:
    return run_folder(arm, seed) / "model.keras"


def file_paths(arm: Arm, seed: int) -> list[Path]:
    """The files that a record's checksum covers."""
    return [history_path(arm, seed), *(probe_path(arm, seed, kind) for kind in PROBES)]


def load(arm: Arm, seed: int) -> Record | None:
    """The stored record of a run, whatever made it; None where there is none, or it or one of its
    files is not as it was stored."""
    files = (record_path(arm, seed), *file_paths(arm, seed))
    try:
        return _verified(files, tuple(path.stat().st_mtime_ns for path in files))
    except (OSError, ValueError, UserError):
        return None


@cache
def _verified(files: tuple[Path, ...], times_ns: tuple[int, ...]) -> Record | None:
    """The record in the first of `files` if it is as written, and its checksum fits; read once while none
    is written to. Line ends may be those of any system."""
    text, *others = (path.read_text("utf-8") for path in files)
    record = Record.model_validate_json(text)
    whole = record == record.with_checksum(*others) and text.encode() == _json(record)
    return record if whole else None


def why_not_current(arm: Arm, seed: int) -> str | None:
    """Why a stored run does not stand for (arm, seed) as declared today; None where it does."""
    record = load(arm, seed)
    if record is None:
        return ALTERED if os.path.lexists(run_folder(arm, seed)) else "not run"
    return _outdated(arm, seed, record)


def current(arm: Arm) -> list[Record]:
    """The records of the arm's declared seeds that stand for it as declared today."""
    return [r for seed in arm.seeds if (r := load(arm, seed)) and not _outdated(arm, seed, r)]


def require_whole(arms: Iterable[Arm]) -> None:
    """Raise UserError, naming every folder, where a stored run is not as it was stored: altered, cut or
    half there. Nothing is computed from what is left, since fewer seeds would give other verdicts. First
    removes what killed processes left in results/."""
    atomic.sweep(atomic.hidden(RESULTS))
    altered = {
        str(run_folder(arm, seed)): arm
        for arm in arms
        for seed in arm.every_seed
        if why_not_current(arm, seed) == ALTERED
    }
    if not altered:
        return
    message = f"not as it was stored: {', '.join(altered)}"
    if custom := [folder for folder, arm in altered.items() if arm.folder.parent == CUSTOM]:
        message += f"; `rm -r {' '.join(custom)}` lets it be trained again"
    if rest := {folder: arm.name for folder, arm in altered.items() if folder not in custom}:
        message += (
            f"; `git checkout -- {' '.join(rest)}` brings it back where it is committed,"
            f" `make retrain ARMS='{' '.join(dict.fromkeys(rest.values()))}'` trains it again"
        )
    raise UserError(message)


def incomplete(arms: Iterable[Arm]) -> str:
    """The arms that have some of their declared seeds, but not all, as text: "name 2 of 6, ..."."""
    counts = {arm.name: (len(current(arm)), len(arm.seeds)) for arm in arms}
    return ", ".join(
        f"{name} {n} of {declared}" for name, (n, declared) in counts.items() if 0 < n < declared
    )


def _outdated(arm: Arm, seed: int, record: Record) -> str | None:
    """What has changed since a stored run was made, or None."""
    if record.protocol != arm.protocol or record.seed != seed:
        return "protocol changed"
    if record.data_digest != dataset_facts(arm.protocol.dataset.name).digest:
        return "data changed"
    if record.code_version != code_version(arm.protocol):
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
    model: bytes | None = None,
) -> None:
    """Write a run's folder at once. Its probes are lists of named tuples, one list for each of PROBES;
    `model` is the content of a .keras file."""
    texts = [_csv(HISTORY_COLUMNS, as_rows(record.seed, history))]
    for kind in PROBES:
        columns = probes[kind][0]._fields if probes[kind] else ()
        texts.append(_csv(columns, [[*map(_cell, row)] for row in probes[kind]]))
    names = [path.name for path in file_paths(arm, record.seed)]
    files = {name: text.encode() for name, text in zip(names, texts, strict=True)}
    files["record.json"] = _json(record.with_checksum(*texts))
    if model is not None:
        files["model.keras"] = model
    atomic.write_folder(run_folder(arm, record.seed), files)


def write_record(arm: Arm, record: Record) -> None:
    """Replace the record of a stored run alone."""
    atomic.write_bytes(record_path(arm, record.seed), _json(record))


def _json(record: Record) -> bytes:
    return (record.model_dump_json(indent=1) + "\n").encode()
