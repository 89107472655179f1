"""Stored runs: read back whole, and never counted for what they are not."""

import errno
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from conftest import tiny

from elu_replication.config.schema import Arm
from elu_replication.errors import UserError
from elu_replication.runs import store
from elu_replication.runs.code_version import code_version
from elu_replication.runs.probe_rows import Activity, Perturbation

ENVIRONMENT = store.Environment(
    python="3",
    tensorflow="2",
    keras="3",
    numpy="2",
    system="s",
    processor="p",
    device="CPU",
    threads=1,
    kernels="x86-64-v3",
)


def stored(
    arm: Arm, seed: int, accuracy: float = 0.9, loss: float = 0.1, **changes: object
) -> store.Record:
    """Store a run with the given last-epoch test scores, and return its record."""
    scores = store.Scores(
        epoch=2, train_loss=loss, train_accuracy=0.8, test_loss=loss, test_accuracy=accuracy
    )
    record = store.Record(
        arm=arm.name,
        seed=seed,
        status="finished" if math.isfinite(loss) else "diverged",
        protocol=arm.protocol,
        data_digest=store.expected_digest("mnist"),
        code_version=code_version(arm.protocol),
        final=scores,
        best=scores,
        wall_seconds=1.0,
        probe_seconds=0.1,
        probes_version=1,
        environment=ENVIRONMENT,
    ).model_copy(update=changes)
    history = [(epoch, split, loss / epoch, accuracy) for epoch in (1, 2) for split in ("train", "test")]
    probes = {
        "activity": [Activity(epoch, layer, 0.5) for epoch in (0, 2) for layer in (1, 2)],
        "perturbations": [Perturbation("input_noise", 0.1, 0, accuracy, loss)],
    }
    store.store(arm, record, history, probes)
    return record


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.fixture
def arm(tmp_path: Path) -> Arm:
    return Arm("tried", tiny(), (0, 1), tmp_path / "tried")


def test_a_run_reads_back_as_stored(arm: Arm) -> None:
    record = stored(arm, 1, accuracy=0.1 + 0.2, loss=1 / 3)
    assert store.load(arm, 1) == record.with_checksum(
        *[path.read_text() for path in store.file_paths(arm, 1)]
    )
    assert store.why_not_current(arm, 1) is None
    history = pd.read_csv(store.history_path(arm, 1))
    assert tuple(history.columns) == store.HISTORY_COLUMNS
    assert history.loss[0] == pytest.approx(1 / 3, rel=1e-8)


def test_a_diverged_run_reads_back_with_its_nan(arm: Arm) -> None:
    stored(arm, 0, loss=math.nan)
    record = store.load(arm, 0)
    assert record is not None
    assert math.isnan(record.final.test_loss)
    assert record.status == "diverged"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda arm: shutil.rmtree(store.run_folder(arm, 0)), "not run"),
        (lambda arm: store.record_path(arm, 0).unlink(), "altered"),
        (lambda arm: store.history_path(arm, 0).unlink(), "altered"),
        (lambda arm: store.record_path(arm, 0).write_text("{"), "altered"),
        (lambda arm: store.record_path(arm, 0).write_bytes(b"\xff"), "altered"),
        (lambda arm: edit(store.record_path(arm, 0), "0.9", "0.99"), "altered"),
        (lambda arm: edit(store.history_path(arm, 0), "0.9", "0.99"), "altered"),
        (lambda arm: edit(store.probe_path(arm, 0, "activity"), "0.5", "0.6"), "altered"),
        (lambda arm: stored(arm, 0, code_version="0" * 16), "engine changed"),
        (lambda arm: stored(arm, 0, data_digest="0" * 64), "data changed"),
        (lambda arm: stored(replace(arm, protocol=tiny(epochs=9)), 0), "protocol changed"),
    ],
)
def test_what_is_not_as_declared_does_not_count(
    arm: Arm, spoil: Callable[[Arm], object], reason: str
) -> None:
    stored(arm, 0)
    stored(arm, 1)
    assert len(store.current(arm)) == 2
    spoil(arm)
    assert store.why_not_current(arm, 0) == reason
    assert [record.seed for record in store.current(arm)] == [1]


def test_evidence_that_is_not_whole_is_named_with_both_remedies(arm: Arm) -> None:
    stored(arm, 0)
    stored(arm, 1)
    store.require_whole([arm])
    edit(store.history_path(arm, 1), "0.9", "0.99")
    with pytest.raises(UserError) as refused:
        store.require_whole([arm])
    folder = store.run_folder(arm, 1)
    assert str(refused.value).startswith(f"not as it was stored: {folder}; ")
    assert f"`git checkout -- {folder}`" in str(refused.value)
    assert "`make retrain ARMS='tried'`" in str(refused.value)


def test_a_run_appears_whole_or_not_at_all(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(arm, 0, accuracy=0.8)
    replace_file = Path.replace

    def full(path: Path, target: Path) -> Path:
        if path.name.startswith(".record.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace_file(path, target)

    monkeypatch.setattr(Path, "replace", full)
    for seed in (0, 1):
        with pytest.raises(OSError, match="No space left on device"):
            stored(arm, seed)
    monkeypatch.undo()
    assert [path.name for path in arm.folder.iterdir()] == ["seed-0"]
    (record,) = store.current(arm)
    assert record.final.test_accuracy == 0.8
