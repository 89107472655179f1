"""Campaigns on real clusters: complete and the same as here, also when a node dies meanwhile.

`make test-cluster`; it takes some minutes.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import clusters
import pytest
from clusters import Cluster
from conftest import ROOT, tiny, working_in

from elu_replication.config.experiments import CUSTOM
from elu_replication.config.schema import Arm
from elu_replication.runs import store
from elu_replication.training import campaign

pytestmark = pytest.mark.cluster
EPOCHS = 150


@pytest.fixture
def repository(tmp_path: Path, mnist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that campaigns need, as the working directory."""
    for name in ("conf", "experiments", "data"):
        (tmp_path / "here").mkdir(exist_ok=True)
        (tmp_path / "here" / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture(params=["ray", "slurm"])
def cluster(request: pytest.FixtureRequest, repository: Path, tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "worker"
    folder.mkdir()
    (folder / "data").symlink_to(repository / "data")
    start = {"ray": clusters.ray_cluster, "slurm": clusters.slurm_cluster}[request.param]
    with start(folder, tmp_path) as cluster:
        yield cluster


def contents(arm: Arm) -> dict[str, object]:
    """All that the arm's runs store, but for the seconds they took and the checksums, which cover those."""
    stored: dict[str, object] = {}
    for record in store.current(arm):
        stored |= {path.name: path.read_bytes() for path in store.file_paths(arm, record.seed)}
        update = {"wall_seconds": 0.0, "probe_seconds": 0.0, "checksum": ""}
        stored[f"record {record.seed}"] = record.model_copy(update=update)
    return stored


def trained_here(arm: Arm) -> dict[str, object]:
    twin = replace(arm, folder=arm.folder.with_name("here"))
    campaign.train(campaign.pending([twin]))
    return contents(twin)


def test_a_campaign_is_the_same_as_here(cluster: Cluster) -> None:
    arm = Arm("short", tiny(), tuple(range(12)), CUSTOM / "short")
    campaign.train(campaign.pending([arm]), cluster.launcher)
    assert len(store.current(arm)) == 12
    assert contents(arm) == trained_here(arm)


def test_a_node_that_dies_delays_its_runs_only(cluster: Cluster, tmp_path: Path) -> None:
    arm = Arm("long", tiny(epochs=EPOCHS), tuple(range(12)), CUSTOM / "long")
    reached: dict[int, int] = {}
    finished: dict[int, int] = {}  # seed to the time at which the worker stored it
    at_kill: dict[int, int] = {}
    for event in campaign.launch(campaign.pending([arm]), cluster.launcher):
        seed = event.job.seed
        if event.kind == "epoch":
            again = at_kill.get(seed, 0)
            assert event.epoch > again / 2, "began anew instead of from its checkpoint"
            reached[seed] = event.epoch
        else:
            assert event.kind == "finished", event.detail
            stored = tmp_path / "worker" / store.record_path(arm, seed)
            assert seed not in finished
            finished[seed] = stored.stat().st_mtime_ns
        under_way = {s: epoch for s, epoch in reached.items() if s not in finished}
        on_the_way = sum(epoch > EPOCHS / 3 for epoch in under_way.values())  # both are, now and then
        if not at_kill and len(finished) >= 2 and on_the_way == 2:
            at_kill = under_way
            done_before = dict(finished)
            cluster.kill_node()
    assert at_kill, "no node was killed: the runs were too short"
    assert sorted(finished) == list(range(12))
    for seed, when in done_before.items():
        assert (tmp_path / "worker" / store.record_path(arm, seed)).stat().st_mtime_ns == when
    assert contents(arm) == trained_here(arm)


def test_ctrl_c_ends_the_runs_and_the_same_command_goes_on(
    cluster: Cluster, repository: Path, tmp_path: Path
) -> None:
    where = [
        f"launcher.{key}={value}" for key, value in vars(cluster.launcher).items() if value is not None
    ]
    settings = [
        "model=mlp",
        f"epochs={EPOCHS}",
        "train_images=600",
        "validation_images=100",
        "batch_size=50",
    ]
    chosen = [f"launcher={cluster.launcher.name}", *where[1:]]
    command = [sys.executable, "-m", "elu_replication", *settings, "seeds=[0,1,2]", *chosen]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    checkpoints = tmp_path / "worker/.checkpoints"
    while not list(checkpoints.glob("*.npz")):
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.2)
    assert working_in(tmp_path / "worker")
    driver.send_signal(signal.SIGINT)
    assert "checkpoints are kept" in driver.communicate(timeout=60)[1]
    assert driver.returncode == 130
    deadline = time.monotonic() + 30
    while working_in(tmp_path / "worker"):
        assert time.monotonic() < deadline, "runs go on"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (folder,) = CUSTOM.iterdir()
    assert sorted(path.name for path in folder.glob("*/seed-*")) == [f"seed-{seed}" for seed in range(3)]
