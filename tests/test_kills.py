"""Killed at any moment, a campaign goes on where it was and ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

from elu_replication.config import params
from elu_replication.runs import store
from elu_replication.training import campaign

OWN = (
    "campaign.arms=[from_scratch] campaign.exclude=[] model=mlp activation=elu initializer=he_normal"
    " optimizer=adam dropout=0.25 batch_size=50 epochs=40 train_images=1000 validation_images=100"
    " seeds=[0,1]"
)
KILLS = int(os.environ.get("KILLS", "2"))  # `KILLS=20 python -m pytest -m long` tries more


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A campaign as its own process group, so that all of it can be killed at once."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHECKPOINT_SECONDS": "0.5"}
    command = [sys.executable, "-m", "elu_replication.training.train", "arm"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=quiet, start_new_session=True)


@pytest.mark.long
def test_a_killed_campaign_ends_as_an_uninterrupted_one(
    mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / params.FILE).write_text(params.text(OWN.split()))
    for name in ("conf", "data", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    (killed,) = params.custom_arms(params.read()).values()
    uninterrupted = replace(killed, name="uninterrupted", folder=tmp_path / "uninterrupted")
    campaign.train(campaign.pending([uninterrupted]))
    seconds = sum(record.wall_seconds for record in store.current(uninterrupted))

    seed = random.randrange(2**32)
    print(f"delays of seed {seed}")  # of a failure
    chance, hits = random.Random(seed), 0
    for kill in range(KILLS):
        process = start(tmp_path)
        if kill == 0:  # past a checkpoint for sure; the others into starting and into training alike
            while process.poll() is None and not any((tmp_path / ".checkpoints").glob("*.npz")):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.1)
            assert process.poll() is None
        else:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(1.0, 8.0 + seconds / KILLS))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            hits += 1
    print(f"{hits} of {KILLS} kills met a process")
    assert hits
    assert start(tmp_path).wait() == 0
    for seed in killed.seeds:
        one, other = (store.history_path(arm, seed).read_bytes() for arm in (killed, uninterrupted))
        assert one == other
    assert not list((tmp_path / ".checkpoints").glob("*.npz"))
