"""A crash at any system call that changes a file: the same command again ends as if nothing had happened.

strace kills a process before the call, or lets the call fail as on a full or a broken disk.
"""

import hashlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import crashes
import numpy as np
import pytest
import yaml
from conftest import ROOT, keep
from crashes import Subject
from test_fetch import idx

from elu_replication import atomic
from elu_replication.datasets import fetch

CAMPAIGN = "campaign.arms=[from_scratch] campaign.exclude=[]"  # the least to read
ARM = "dataset=few model=from_scratch model.hidden_layers=2 batch_size=50 epochs=2 train_images=400"
SET = f"{ARM} validation_images=100 seeds=[0,1] launcher.processes=1 {CAMPAIGN}"
WRITE = """
from pathlib import Path
from elu_replication import atomic
from elu_replication.errors import run_main
def main():
    atomic.write_text(Path("results/new/file"), "whole")
    atomic.write_folder(Path("results/folder"), {"file": b"whole", "within/file": b"whole"})
run_main(main)
"""
STALE = """
from elu_replication.config import params
from elu_replication.runs import store
arm = params.custom_arms(params.read())["arm"]
for seed in {seeds}:
    record = store.load(arm, seed).model_copy(update={{"code_version": "before"}})
    texts = [path.read_text() for path in store.file_paths(arm, seed)]
    store.write_record(arm, record.with_checksum(*texts))
"""
RENEW = """
from elu_replication.commands import stamp
from elu_replication.config import params
from elu_replication.errors import run_main
from elu_replication.training import campaign
run_main(lambda: stamp.renew("a commit", campaign.pending(params.custom_arms(params.read()).values())))
"""

pytestmark = pytest.mark.skipif(
    not crashes.can_trace(), reason="needs strace that may trace: `apt-get install strace`"
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


def python(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def copy(folder: Path, place: Path) -> Path:
    return shutil.copytree(folder, place, symlinks=True)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands read of a repository."""
    folder = tmp_path_factory.mktemp("bare")
    for name in ("conf", "experiments", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    for name in (".dvc/config", "dvc.yaml"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    return folder


@pytest.fixture(scope="module")
def repository(bare: Path, mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same with a custom arm, and a data set of few images of MNIST at a mirror."""
    folder = copy(bare, tmp_path_factory.mktemp("repository") / "it")
    served = tmp_path_factory.mktemp("served")
    few = {"train_images": 500, "train_labels": 500, "test_images": 100, "test_labels": 100}
    arrays = {name: np.load(mnist / f"{name}.npy")[:number] for name, number in few.items()}
    for name, array in arrays.items():
        (served / f"{fetch.IDX_FILES[name]}.gz").write_bytes(idx(array))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        facts = yaml.safe_load((ROOT / "conf/dataset/mnist.yaml").read_text())
        facts |= {"name": "few", "images": {"train": 500, "test": 100}}
        facts["mirrors"] = [{"kind": "idx", "url": f"http://127.0.0.1:{server.server_address[1]}/"}]
        facts["digests"] = {
            name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()
        }
        (folder / "conf/dataset/few.yaml").write_text(yaml.safe_dump(facts))
        python(folder, "-m", "elu_replication.config.params", "--set", SET)
        yield folder
        server.shutdown()


@pytest.fixture(scope="module")
def trained(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the data fetched, and both seeds of the arm trained."""
    folder = copy(repository, tmp_path_factory.mktemp("trained") / "it")
    python(folder, "-m", "elu_replication.datasets.fetch", "few")
    python(folder, "-m", "elu_replication.training.train", "arm")
    return folder


@pytest.fixture(scope="module")
def counts() -> Iterator[dict[str, dict[str, int]]]:
    """Sites and injections by subject."""
    counted: dict[str, dict[str, int]] = {}
    yield counted
    keep("crashes", counted)


@pytest.fixture
def survive(
    counts: dict[str, dict[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Disturb a command at every call, in every way, two processes side by side."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("CHECKPOINT_SECONDS", "0")

    def survive(
        name: str,
        start: Path,
        command: str,
        imports: str = "",
        processes: tuple[str, ...] = ("main",),
        kept: str = "none",
    ) -> None:
        words = tuple(command.split())
        python(copy(start, tmp_path / "end"), "-m", *words)
        subject = Subject(words, start, crashes.contents(tmp_path / "end"), processes, kept)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, spawn, import_module, (imports or words[0],)) as pool:
            sites = pool.submit(crashes.sites, subject, tmp_path).result()
            points = [(process, call, fault) for process, call in sites for fault in crashes.FAULTS]
            folders = [tmp_path / str(number) for number in range(len(points))]
            done = pool.map(partial(crashes.harm, subject), *zip(*points, strict=True), folders)
            harms = {point: text for point, text in zip(points, done, strict=True) if text}
        assert {process for process, _ in sites} == {*processes}  # each of them was traced
        print(f"{name}: {len(sites)} calls, {len(points)} faults, {len(points) - len(harms)} survived")
        counts[name] = {"calls": len(sites), "faults": len(points), "survived": len(points) - len(harms)}
        assert not harms, "\n".join(f"{point}: {text}" for point, text in harms.items())

    return survive


def test_a_file_and_a_folder_that_replaces_another(tmp_path: Path, survive: Callable[..., None]) -> None:
    start = tmp_path / "start"
    atomic.write_text(start / "results/folder/of_before", "")
    (start / "write.py").write_text(WRITE)
    survive("atomic", start, "write", "elu_replication.atomic")


@pytest.mark.long
def test_a_frozen_plan(bare: Path, tmp_path: Path, survive: Callable[..., None]) -> None:
    start = copy(bare, tmp_path / "start")
    (start / "experiments/plan.lock").unlink()
    survive("freeze", start, "elu_replication.commands.freeze", kept="plan.lock")


@pytest.mark.long
def test_a_fetch_that_replaces_a_cut_file(
    repository: Path, tmp_path: Path, survive: Callable[..., None]
) -> None:
    start = copy(repository, tmp_path / "start")
    (start / "data/few").mkdir(parents=True)
    (start / "data/few/train_images.npy").write_text("cut")
    survive("fetch", start, "elu_replication.datasets.fetch few", kept="data/few/*.npy")


@pytest.mark.long
def test_a_campaign_with_a_new_and_a_stale_run(
    trained: Path, tmp_path: Path, survive: Callable[..., None]
) -> None:
    start = copy(trained, tmp_path / "start")
    python(start, "-c", STALE.format(seeds=[1]))
    (run,) = (start / "results/custom/runs").glob("*/*/seed-0")
    shutil.rmtree(run)
    shutil.rmtree(start / "results/custom/arm")
    survive(
        "campaign",
        start,
        "elu_replication.training.train arm",
        imports="elu_replication.training.worker",
        processes=("main", "worker"),
        kept="runs/*/seed-?/record.json",
    )


@pytest.mark.long
def test_a_stamp_of_stale_runs(trained: Path, tmp_path: Path, survive: Callable[..., None]) -> None:
    start = copy(trained, tmp_path / "start")
    python(start, "-c", STALE.format(seeds=[0, 1]))
    (start / "renew.py").write_text(RENEW)
    survive("stamp", start, "renew", "elu_replication.commands.stamp", kept="record.json")


@pytest.mark.long
def test_tables_that_replace_others(trained: Path, tmp_path: Path, survive: Callable[..., None]) -> None:
    start = copy(trained, tmp_path / "start")
    (start / "results/custom/tables").mkdir()
    (start / "results/custom/tables/of_before.csv").touch()
    survive("tables", start, "elu_replication.reports.tables custom")


@pytest.mark.long
def test_a_stage_of_dvc(repository: Path, survive: Callable[..., None]) -> None:
    command = "dvc repro --single-item code_version"
    survive("dvc repro", repository, command, "dvc.cli", ("stage",))
