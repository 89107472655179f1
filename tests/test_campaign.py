"""Campaigns in real worker processes: complete, repeatable, and undone by no single failure."""

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import ROOT, tiny, working_in

from elu_replication.config import params
from elu_replication.config.schema import LOCAL, Arm, Launcher
from elu_replication.errors import UserError
from elu_replication.runs import store
from elu_replication.training import campaign, checkpoints, cost
from elu_replication.training.job import Event, Job
from elu_replication.training.launchers import local

ONE = Launcher("local", processes=1)


def histories(arm: Arm) -> dict[int, bytes]:
    return {seed: store.history_path(arm, seed).read_bytes() for seed in arm.seeds}


@pytest.fixture
def arm(tmp_path: Path, mnist: Path) -> Arm:
    return Arm("tried", tiny(model__hidden_layers=2), (0, 1, 2), tmp_path / "tried")


def test_histories_depend_neither_on_the_workers_nor_on_the_order(
    arm: Arm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on whether a worker has trained others before: one makes way for another after so many jobs."""
    monkeypatch.setattr(local, "MOST_JOBS", 2)
    workers = {}
    for event in local.launch(campaign.pending([arm]), ONE):
        if event.kind == "epoch":
            (worker,) = multiprocessing.active_children()
            workers[event.job.seed] = worker.pid
    assert workers[0] == workers[1] != workers[2]
    other = replace(arm, folder=tmp_path / "other")
    kinds = [
        event.kind
        for event in local.launch(campaign.pending([other])[::-1], Launcher("local", processes=3))
    ]
    assert kinds.count("finished") == 3
    assert kinds.count("epoch") == 9
    assert histories(arm) == histories(other)
    assert len(set(histories(arm).values())) == 3


def test_a_killed_worker_fails_its_own_run_only_and_the_next_time_mends_it(
    arm: Arm, tmp_path: Path
) -> None:
    long = replace(
        arm,
        name="long",
        protocol=tiny(model__hidden_layers=2, epochs=10_000),
        seeds=(0,),
        folder=tmp_path / "long",
    )
    jobs = [*campaign.pending([long]), *campaign.pending([arm])]
    failures, finished = {}, []
    for event in local.launch(jobs, ONE):
        if event.kind == "epoch" and event.job.arm is not arm and event.epoch == 1:
            (worker,) = multiprocessing.active_children()
            worker.kill()
        elif event.kind == "failed":
            failures[str(event.job)] = event.detail
        elif event.kind == "finished":
            finished.append(event.job.seed)
    assert list(failures) == ["long seed 0"]
    assert "SIGKILL" in failures["long seed 0"]
    assert finished == [0, 1, 2]
    assert store.why_not_current(long, 0) == "not run"


def test_a_worker_that_fails_by_itself_says_why_for_each_of_its_jobs(
    arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKPOINT_SECONDS", "soon")  # read where a worker begins
    events = list(local.launch(campaign.pending([arm]), ONE))
    assert [(event.kind, event.job.seed) for event in events] == [("failed", seed) for seed in arm.seeds]
    for event in events:
        assert event.detail.startswith("its process died (exit 1): ValueError: ")
        assert "soon" in event.detail
    assert multiprocessing.active_children() == []


@pytest.mark.long
def test_ctrl_c_ends_a_campaign_in_one_line_with_no_process_left_and_the_same_command_goes_on(
    mnist: Path, tmp_path: Path
) -> None:
    for name in ("conf", "data", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    settings = "model=mlp epochs=100 train_images=2000 seeds=[0,1] campaign.arms=[from_scratch]"
    (tmp_path / params.FILE).write_text(
        params.text([*settings.split(), "validation_images=100", "campaign.exclude=[]"])
    )
    command = [sys.executable, "-m", "elu_replication.training.train", "arm"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHECKPOINT_SECONDS": "0"}

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    # A shell's background job ignores the signal, and so would all that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start()
    signal.signal(signal.SIGINT, before)
    while process.poll() is None and len(list((tmp_path / ".checkpoints").glob("*.npz"))) < 1:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command and to its workers
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.strip() == "stopped: finished runs and checkpoints are kept"
    _, left = psutil.wait_procs(working_in(tmp_path), timeout=30)
    assert left == []
    assert list((tmp_path / ".checkpoints").glob("*.npz"))
    process = start()
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "[2/2]" in said


def test_a_run_that_diverges_is_recorded_and_stops(arm: Arm) -> None:
    wild = replace(arm, protocol=tiny(optimizer__learning_rate=1e30, epochs=50), seeds=(0,))
    assert [event.kind for event in local.launch(campaign.pending([wild]), ONE)][-1] == "diverged"
    (record,) = store.current(wild)
    assert record.status == "diverged"
    assert record.final.epoch < 50


@pytest.mark.parametrize(("patience", "said"), [(None, "not finite after epoch 3;"), (2, "not finite;")])
def test_the_epoch_of_a_divergence_is_told_where_the_record_has_it(
    arm: Arm, patience: int | None, said: str
) -> None:
    job = Job(replace(arm, protocol=replace(arm.protocol, patience=patience)), 0)
    assert said in campaign.outcome(Event(job, "diverged", 3))


def test_the_estimate_is_of_the_processes_that_train(arm: Arm) -> None:
    jobs = campaign.pending([replace(arm, seeds=tuple(range(12)))])
    one, three = (campaign.minutes(jobs, Launcher("local", processes=number)) for number in (1, 3))
    assert one == pytest.approx(3 * three)
    assert campaign.minutes(jobs, LOCAL) == pytest.approx(one / min(12, cost.cores()))


def test_all_failures_are_listed_at_the_end_and_what_is_not_trained_is_pending(
    arm: Arm, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file where the folder would be")
    blocked = replace(arm, name="blocked", seeds=(4, 5), folder=tmp_path / "taken")
    jobs = [Job(blocked, 4), Job(arm, 0), Job(blocked, 5)]
    with pytest.raises(UserError, match=r"2 of 3 runs failed: (?=.*blocked seed 4: ).*blocked seed 5: "):
        campaign.train(jobs)
    assert store.why_not_current(arm, 0) is None
    assert [job.seed for job in campaign.pending([arm])] == [1, 2]
    changed = replace(arm, protocol=tiny(model__hidden_layers=2, dropout=0.1))
    assert [job.seed for job in campaign.pending([changed])] == [0, 1, 2]
    assert [job.seed for job in campaign.pending([arm], again=True)] == [0, 1, 2]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model": "from_scratch", "model__hidden_layers": 2},
        # The second epoch is the best, and its weights are in the checkpoint of the second.
        {"model__hidden_layers": 2, "optimizer": "adam", "optimizer__learning_rate": 0.01, "patience": 2},
    ],
)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    settings: dict[str, str | float], mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elu_replication.datasets import prepared
    from elu_replication.training import worker

    arrays, digest = prepared.load("mnist")
    monkeypatch.setattr(prepared, "load", lambda name: (arrays, digest))
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path / "checkpoints")
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(worker, "use_one_thread", lambda: None)  # this process has begun already
    seen: list[int] = []

    def note(progress: worker.Progress) -> None:
        seen.append(progress.epoch)
        if len(seen) == 3:
            raise KeyboardInterrupt

    keras_model = settings.get("model") != "from_scratch"
    arm = Arm("tried", tiny(epochs=4, **settings), (0,), tmp_path / "tried", save_model=keras_model)
    trained_here = worker.Worker()
    with pytest.raises(KeyboardInterrupt):
        trained_here.train(Job(arm, 0), note)
    (checkpoint,) = (tmp_path / "checkpoints").iterdir()
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:-100])
    with pytest.raises(
        UserError, match=rf"{checkpoint}: damaged .*`rm -r {checkpoint}` lets the run begin anew"
    ):
        trained_here.train(Job(arm, 0), note)
    checkpoint.write_bytes(whole)
    trained_here.train(Job(arm, 0), note)
    assert seen == [1, 2, 3, 3, 4]
    assert not list((tmp_path / "checkpoints").iterdir())
    uninterrupted = replace(arm, folder=tmp_path / "uninterrupted")
    final = trained_here.train(Job(uninterrupted, 0), lambda progress: None).final
    assert final.epoch == (2 if "patience" in settings else 4)
    assert store.history_path(arm, 0).read_bytes() == store.history_path(uninterrupted, 0).read_bytes()
    if keras_model:
        import keras

        one, other = (keras.saving.load_model(store.model_path(a, 0)) for a in (arm, uninterrupted))
        for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
