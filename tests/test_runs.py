"""Stored runs: read back whole, and never counted for what they are not."""

import errno
import hashlib
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import tiny
from hypothesis import given
from hypothesis import strategies as st

from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED, Arm, dataset_facts
from elu_replication.engine import kernels
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
        data_digest=dataset_facts("mnist").digest,
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
    first, *_, last = store.stored_rows(arm, 1)
    assert first == ["1", "1", "train", "0.333333333", "0.3"]
    assert last == ["1", "2", "test", "0.166666667", "0.3"]


def test_a_diverged_run_reads_back_with_its_nan(arm: Arm) -> None:
    stored(arm, 0, loss=math.nan)
    record = store.load(arm, 0)
    assert record is not None
    assert math.isnan(record.final.test_loss)
    assert record.status == "diverged"


def surround(path: Path, before: str = "", after: str = "") -> None:
    path.write_text(before + path.read_text() + after)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda arm: shutil.rmtree(store.run_folder(arm, 0)), "not run"),
        (lambda arm: edit(store.history_path(arm, 0), "0.9", "0.99"), "altered"),
        (lambda arm: surround(store.record_path(arm, 0), before=" "), "altered"),
        (lambda arm: surround(store.record_path(arm, 0), after=" "), "altered"),
        (lambda arm: stored(arm, 0, code_version="0" * 16), "engine changed"),
        (lambda arm: stored(arm, 0, code_version="f" * 16), "engine changed"),
        (lambda arm: stored(arm, 0, data_digest="0" * 64), "data changed"),
        (lambda arm: stored(arm, 0, data_digest="f" * 64), "data changed"),
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


def test_a_run_appears_whole_or_not_at_all(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(arm, 0, accuracy=0.8)
    open_file = Path.open

    def full(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "record.json" and "wb" in arguments:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    for seed in (0, 1):
        with pytest.raises(OSError, match=rf"No space left on device: .*seed-{seed}/record.json"):
            stored(arm, seed)
    monkeypatch.undo()
    assert [path.name for path in arm.folder.iterdir()] == ["seed-0"]
    (record,) = store.current(arm)
    assert record.final.test_accuracy == 0.8


def test_every_published_run_is_as_it_was_stored() -> None:
    """Those of before kernels were fixed, too, whose records lack later fields."""
    arms = experiments.every_arm(PUBLISHED)
    store.require_whole(arms)
    kinds = {record.environment.kind_of_kernels for arm in arms for record in store.current(arm)}
    assert kinds <= {*kernels.KINDS}


@pytest.mark.parametrize(
    ("named", "processor", "kind"),
    [
        ("x86-64-v3", "p", "x86-64-v3"),
        ("other: GPU", "p", "GPU"),
        (None, "AMD EPYC, X86_V3", kernels.WITHOUT_ONEDNN),
        (None, "AMD EPYC", kernels.AVX512),
    ],
)
def test_the_kind_of_kernels_is_named_or_follows_from_the_processor(
    arm: Arm, named: str | None, processor: str, kind: str
) -> None:
    environment = ENVIRONMENT.model_copy(update={"kernels": named, "processor": processor})
    stored(arm, 1, environment=environment)
    stored(arm, 0)
    kinds = [record.environment.kind_of_kernels for record in store.current(arm)]
    assert kinds == ["x86-64-v3", kind]


def test_what_a_record_does_not_have_is_left_out_of_it(arm: Arm) -> None:
    """Else the checksums of older records would no longer fit."""
    stored(arm, 0, environment=ENVIRONMENT.model_copy(update={"kernels": None}))
    text = store.record_path(arm, 0).read_text()
    for name in ("plan", "kernels", "c_library", "openblas", "patience"):
        assert f'"{name}"' not in text
    changes = {"kernels": "x86-64-v3", "c_library": "glibc 2.41", "openblas": "0.3"}
    record = stored(arm, 0, plan="0" * 16, environment=ENVIRONMENT.model_copy(update=changes))
    loaded = store.load(arm, 0)
    assert loaded is not None
    assert (loaded.plan, loaded.environment) == ("0" * 16, record.environment)


def test_a_run_of_another_seed_does_not_count(arm: Arm) -> None:
    stored(arm, 0)
    shutil.copytree(store.run_folder(arm, 0), store.run_folder(arm, 1))
    assert store.why_not_current(arm, 1) == "protocol changed"


def test_a_seed_may_be_large(arm: Arm) -> None:
    stored(arm, 2**31 - 1)
    assert store.why_not_current(arm, 2**31 - 1) is None


def test_a_model_is_stored_where_it_is_asked_for(arm: Arm) -> None:
    saving = replace(arm, save_model=True)
    record = stored(arm, 0)
    assert store.why_not_current(arm, 0) is None
    assert store.why_not_current(saving, 0) == "model not saved"
    store.store(saving, record, [], {kind: [] for kind in store.PROBES}, b"weights")
    assert store.why_not_current(saving, 0) is None
    assert store.model_path(saving, 0).read_bytes() == b"weights"


def test_custom_runs_that_are_not_whole_are_removed_rather_than_checked_out(tmp_path: Path) -> None:
    custom, published = (
        Arm(name, tiny(), (0,), folder, fresh_seeds=(100,))
        for name, folder in (("own", store.CUSTOM / "own"), ("tried", tmp_path / "tried"))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        store.run_folder(custom, 0).mkdir(parents=True)
        with pytest.raises(UserError) as refused:
            store.require_whole([custom])
        own = f"{store.run_folder(custom, 0)}"
        assert str(refused.value) == f"not as it was stored: {own}; `rm -r {own}` lets it be trained again"
        for seed in (0, 100):
            store.run_folder(published, seed).mkdir(parents=True)
        with pytest.raises(UserError) as refused:
            store.require_whole([custom, published])
    both = f"{tmp_path}/tried/seed-0 {tmp_path}/tried/seed-100"
    assert str(refused.value).startswith(
        f"not as it was stored: {own}, {both.replace(' ', ', ')}; `rm -r {own}` "
    )
    assert f"; `git checkout -- {both}` brings" in str(refused.value)
    assert str(refused.value).endswith("`make retrain ARMS='tried'` trains it again")


def test_fewer_runs_than_declared_are_counted(arm: Arm) -> None:
    assert store.incomplete([arm]) == ""
    stored(arm, 0)
    other = replace(arm, name="other", seeds=(0, 7, 8))
    assert store.incomplete([arm, other]) == "tried 1 of 2, other 1 of 3"
    stored(arm, 1)
    assert store.incomplete([arm]) == ""


def test_a_plan_has_a_digest_that_its_text_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store.plan_digest() is None
    store.PLAN.parent.mkdir()
    store.PLAN.write_text("entries: {}\n")
    assert store.plan_digest() == hashlib.sha256(b"entries: {}\n").hexdigest()[:16]


LARGEST = float(np.finfo(np.float32).max)


@given(st.floats(width=32, min_value=-LARGEST, max_value=LARGEST, exclude_max=True))
def test_histories_tell_neighbouring_float32_apart(loss: float) -> None:
    neighbour = float(np.nextafter(np.float32(loss), np.float32(np.inf)))
    ((seed, epoch, split, *texts), (*_, other, accuracy)) = store.as_rows(
        3, [(1, "train", loss, 0.5), (1, "train", neighbour, 0.25)]
    )
    assert (seed, epoch, split, texts[1], accuracy) == ("3", "1", "train", "0.5", "0.25")
    assert np.float32(texts[0]) == np.float32(loss)
    assert np.float32(other) == np.float32(neighbour)


def test_a_record_alone_may_be_replaced(arm: Arm) -> None:
    record = stored(arm, 0)
    texts = [path.read_text() for path in store.file_paths(arm, 0)]
    store.write_record(arm, record.model_copy(update={"wall_seconds": 2.0}).with_checksum(*texts))
    loaded = store.load(arm, 0)
    assert loaded is not None
    assert loaded.wall_seconds == 2.0
    assert store.record_path(arm, 0).read_text().startswith('{\n "arm": "tried",\n "seed": 0,')
    store.write_record(arm, record.with_checksum())  # a checksum without the files
    assert store.load(arm, 0) is None
