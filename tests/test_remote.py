"""A run as a task for another machine: the same files from a folder that has nothing but the data."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, tiny

from elu_replication.config.experiments import CUSTOM
from elu_replication.config.schema import Arm, Launcher
from elu_replication.errors import UserError
from elu_replication.runs import store
from elu_replication.training import campaign
from elu_replication.training.job import Job
from elu_replication.training.launchers import remote


def done(task: remote.Task) -> remote.Result:
    return remote.run(task, lambda epoch: None)


@pytest.fixture
def worker(tmp_path: Path, mnist: Path) -> Iterator[ProcessPoolExecutor]:
    """Another process, beginning where there is no repository, with the data shared."""
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker/data").symlink_to(mnist.parent)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        yield pool


@pytest.mark.long
def test_a_task_gives_the_files_of_a_run_here_and_is_done_once(
    worker: ProcessPoolExecutor, tmp_path: Path
) -> None:
    arm = Arm("tried", tiny(), (0,), CUSTOM / tmp_path.name)
    task = remote.task(Job(arm, 0), str(tmp_path / "worker"))
    first = worker.submit(done, task).result()
    assert (first.kind, first.epoch) == ("finished", 3)
    elsewhere = tmp_path / "worker" / store.record_path(arm, 0)
    stored = elsewhere.stat().st_mtime_ns
    assert worker.submit(done, task).result() == first
    assert elsewhere.stat().st_mtime_ns == stored
    assert worker.submit(done, task._replace(again=True)).result().kind == "finished"
    assert elsewhere.stat().st_mtime_ns > stored

    here = replace(arm, folder=tmp_path / "here")
    campaign.train(campaign.pending([here]))
    folder = store.run_folder(here, 0)
    assert set(first.files) == {path.name for path in folder.iterdir()}
    for name in first.files.keys() - {"record.json"}:  # the record has the arm's name and times
        assert first.files[name] == (folder / name).read_bytes()
    assert not arm.folder.exists()


def test_a_worker_with_other_versions_refuses(tmp_path: Path) -> None:
    arm = Arm("tried", tiny(), (0,), tmp_path / "tried")
    task = remote.task(Job(arm, 0), str(tmp_path / "worker"))
    wrong = task._replace(versions={**task.versions, "keras": "2.0"})
    result = remote.run(wrong, lambda epoch: None)
    assert result.kind == "failed"
    assert f"keras {task.versions['keras']}, not 2.0" in result.detail
    assert not (tmp_path / "worker").exists()


def test_what_is_compared_is_known_here() -> None:
    versions = remote.versions("cnn")
    assert set(versions) == {"Python", "numpy", "keras", "tensorflow", "training code", "probes"}
    assert remote.versions("from_scratch")["training code"] != versions["training code"]


@pytest.mark.parametrize(
    ("launcher", "line"),
    [
        (Launcher("ray", folder="here"), "launcher.folder = here: must begin with / or ~"),
        (
            Launcher("ray", address="127.0.0.1:1", folder="~/unused"),
            "launcher.address = 127.0.0.1:1: no Ray cluster there",
        ),
        (
            Launcher("ray", address="nonsense", folder="~/unused"),
            "launcher.address = nonsense: no Ray cluster there",
        ),
        (
            Launcher("ray", address="h:1"),
            "launcher.folder is empty: ray needs one on the workers' machines",
        ),
        (Launcher("slurm", folder="~/unused", minutes=2), "launcher.minutes = 2: must be 5 or more"),
        (Launcher("slurm", folder="~/unused"), "launcher = slurm: .*is this a node of a Slurm cluster"),
    ],
)
def test_an_engine_that_is_not_there_is_one_line(
    launcher: Launcher, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(ROOT))  # where a Slurm is installed, its commands are not found
    with pytest.raises(UserError, match=line):
        list(campaign.launch([], launcher))
