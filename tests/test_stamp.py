"""Stamps: runs outlive a change of the engine that changes no number, and no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, TINY

TRAIN = """
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED
from elu_replication.training import campaign
campaign.train(campaign.pending(experiments.declared(PUBLISHED)["trial"].values()))
"""
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def trained(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an experiment of two tiny arms, committed and trained."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("src", "conf", "experiments"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    document = yaml.safe_load((ROOT / "experiments/asu_mlp.yaml").read_text())
    document |= {"seeds": 1, "fresh_seeds": [], "protocol": TINY, "published": {}, "panels": {}}
    document["protocol"] |= {"model.hidden_layers": 2}
    document["arms"] = {"keras": {}, "numpy": {"model": "from_scratch", "model.hidden_layers": 2}}
    (folder / "experiments/trial.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (folder / "data").symlink_to(mnist.parent)
    for command in (["init", "-q"], ["add", "src", "conf", "experiments"], ["commit", "-qm", "as it was"]):
        result = run(folder, "git", *IDENTITY, *command)
        assert result.returncode == 0, result.stderr
    result = run(folder, sys.executable, "-c", TRAIN)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture
def repository(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, in which anything may be changed."""
    return shutil.copytree(trained, tmp_path / "repository", symlinks=True)


def edit(repository: Path, old: str, new: str) -> None:
    path = repository / "src/elu_replication/engine/trainer.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def stamp(repository: Path, commit: str = "HEAD") -> "subprocess.CompletedProcess[str]":
    return run(repository, sys.executable, "-m", "elu_replication.commands.stamp", "--from", commit)


def stored(repository: Path) -> dict[str, bytes]:
    paths = sorted((repository / "results").rglob("seed-*/*"))
    return {str(path.relative_to(repository)): path.read_bytes() for path in paths}


def test_runs_outlive_a_change_that_changes_no_number(repository: Path) -> None:
    edit(repository, "n = int(images)", "n = int(images) + 0")
    before = stored(repository)
    result = stamp(repository)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 runs have the present code version" in result.stdout
    head = run(repository, "git", "rev-parse", "HEAD").stdout.strip()
    after = stored(repository)
    changed = [name for name in after if after[name] != before[name]]
    assert len(changed) == 2
    for name in changed:
        old, new = json.loads(before[name]), json.loads(after[name])
        (note,) = new["stamps"]
        assert note["old_code_version"] == old["code_version"] != new["code_version"]
        assert head in note["audited"][0]
    assert "every stored run has the present code version" in stamp(repository).stdout
    assert run(repository, "git", "worktree", "list").stdout.count("\n") == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("old", "new", "unlike"),
    [
        # The optimizer's state, last of the initial variables, holds its learning rate.
        (
            "learning_rate=optimizer.learning_rate",
            "learning_rate=optimizer.learning_rate * 1.001",
            "initial variable 7, history, variable 0",
        ),
        ("float(loss_sum) / n", "float(loss_sum) / n / 2", "history"),
    ],
)
def test_a_change_of_numbers_is_refused_by_run_and_part(
    repository: Path, old: str, new: str, unlike: str
) -> None:
    edit(repository, old, new)
    before = stored(repository)
    result = stamp(repository)
    assert result.returncode == 1
    refusal = "error: stamp: not identical to the bit, so nothing is stamped"
    assert result.stderr.strip() == f"{refusal}: trial-keras:0 ({unlike})"
    assert stored(repository) == before


def test_runs_of_another_engine_than_the_commit_s_are_not_stamped(repository: Path) -> None:
    edit(
        repository, "learning_rate=optimizer.learning_rate", "learning_rate=optimizer.learning_rate * 1.001"
    )
    result = run(repository, "git", *IDENTITY, "commit", "-qam", "other numbers")
    assert result.returncode == 0, result.stderr
    before = stored(repository)
    edit(repository, "n = int(images)", "n = int(images) + 0")
    result = stamp(repository)
    assert result.returncode == 1
    assert result.stderr.strip().endswith(": its engine made none of the 2 stale runs")
    assert stored(repository) == before


@pytest.mark.long
def test_an_engine_that_fails_is_named(repository: Path) -> None:
    edit(repository, "n = int(images)", "raise ValueError")
    result = stamp(repository)
    assert "error: stamp: the engine of the working tree failed; there, `python -m" in result.stderr


def test_an_unknown_commit_is_one_line(repository: Path) -> None:
    result = stamp(repository, "abc1234")
    assert result.returncode == 1
    assert result.stderr == "error: FROM=abc1234: no such commit in this repository\n"
