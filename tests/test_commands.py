"""The commands as a person meets them: one clear line for what is wrong, and quickly."""

import subprocess
import sys

import pytest

TRAIN = "elu_replication"


def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (TRAIN, ["dropout=1.5"], "error: dropout = 1.5: must be in [0, 1)"),
        (
            TRAIN,
            ["activation=relu", "activation.alpha=1"],
            "error: activation.alpha = 1.0: must be left out: relu has no alpha",
        ),
        (TRAIN, ["activation=relux"], "error: activation = 'relux': must be one of elu"),
        (TRAIN, ["-m", "epochs=0,1", "dropout=0.1"], "error: epochs = 0: must be 1 or more"),
        (TRAIN, ["scale=quick"], "error: scale: is for `make replicate SET=...`; here set epochs"),
        (TRAIN, ["scale.max_epochs=1"], "error: scale = published: is never cut"),
        (TRAIN, ["-m", "campaign=core,full"], "error: campaign: is for `make replicate SET=...`"),
        (TRAIN, ["seeds=[1,1]"], "error: seeds = [1, 1]: must be a list, as in [0,1], of distinct"),
        (TRAIN, ["seeds=0"], "error: seeds = 0: must be a list"),
        (TRAIN, ["dataset.path=~/mnist"], "error: dataset.path=~/mnist: cannot be read; quote"),
        (
            "elu_replication.commands.replicate",
            ["--set", "dataset.path='/a b"],
            "error: dataset.path='/a: cannot be read",
        ),
        ("elu_replication.commands.replicate", ["--set", "dropot=1"], "error: dropot: unknown key"),
        (
            "elu_replication.commands.replicate",
            ["--arms", "asu"],
            "error: experiment 'asu': must be one of",
        ),
        (
            "elu_replication.commands.replicate",
            ["--arms", "asu_mlp-x"],
            "error: arm 'asu_mlp-x': asu_mlp has",
        ),
        (
            TRAIN,
            ["dataset.path=/nonexistent"],
            "error: dataset.path = /nonexistent: must be a file or folder",
        ),
        ("elu_replication.commands.audit", ["--epochs", "x"], "error: EPOCHS=x: must be a number"),
        ("elu_replication.training.train", ["nothing"], "error: nothing: not in params.yaml; it has"),
    ],
)
def test_what_is_wrong_is_one_line(module: str, arguments: list[str], message: str) -> None:
    done = command(module, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_nothing_slow_is_imported_to_find_a_mistake() -> None:
    commands = "elu_replication.commands.sweep, elu_replication.commands.replicate"
    code = f"import sys, {commands}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "pandas", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["commands.replicate", "training.train", "config.params", "datasets.fetch", "reports.tables"]
)
def test_help_is_there(module: str) -> None:
    assert "usage:" in command(f"elu_replication.{module}", "--help").stdout
