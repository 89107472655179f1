"""The whole pipeline in a copy of the repository: real DVC, real MNIST, tiny arms."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import clusters
import pytest
import yaml
from conftest import ROOT

from elu_replication.config import params
from elu_replication.training import campaign

TINY = "scale=quick scale.max_epochs=1 scale.max_train_images=600"
ARMS = "asu_mlp-sgd_elu machinecurve_25-he_relu"
OWN = ["model=mlp", "epochs=1", "train_images=600", "validation_images=100", "batch_size=50"]


def run(folder: Path, *command: str) -> str:
    """Run a command in `folder`, with an environment that has the package of another; its output, once it
    has succeeded."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "160"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def replicate(folder: Path, *arguments: str) -> str:
    return run(folder, "python", "-m", "elu_replication.commands.replicate", *arguments)


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, "python", "-m", "dvc", *arguments)


@pytest.fixture(scope="module")
def clone(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it is in the working tree, committed as a new one, with the data at hand."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(lambda name: (ROOT / name).exists(), listed.stdout.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "git", "config", "user.email", "test@example.org")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "as it is")
    shutil.copytree(mnist, folder / "data/mnist")
    return folder


def changed_files(folder: Path) -> list[str]:
    return [line[3:] for line in run(folder, "git", "status", "--porcelain").splitlines()]


def to_train(said: str) -> list[int]:
    """How many runs each plan says that it trains."""
    return [int(number) for number in re.findall(r"(\d+) runs to train", said)]


def test_the_committed_runs_of_the_default_campaign_are_current() -> None:
    assert campaign.pending(params.stated_arms(params.read()).values()) == []


def test_a_fresh_clone_reuses_the_committed_runs(clone: Path) -> None:
    (clone / ".audited").touch()  # what the audit finds is tested by itself
    said = replicate(clone)
    assert to_train(said) in ([], [0])
    assert "Skipped, up to date" in said
    assert "What the published runs say:" in said
    assert changed_files(clone) == []


def test_quick_arms_run_end_to_end_and_are_then_skipped(clone: Path) -> None:
    said = replicate(clone, "--set", TINY, "--arms", ARMS)
    assert to_train(said) == [4]
    assert "[4/4]" in said
    results = clone / "results/quick"
    assert len(list(results.glob("runs/*/*/seed-?/history.csv"))) == 4
    metrics = json.loads((results / "metrics.json").read_text())
    assert {"asu_mlp", "machinecurve_25"} <= set(metrics["accuracy"])
    assert {"machinecurve_25.png", "asu_mlp.png"} <= {p.name for p in results.glob("figures/*")}
    again = replicate(clone, "--set", TINY, "--arms", ARMS)
    assert "Skipped, up to date" in again
    assert to_train(again) == []
    assert changed_files(clone) == ["dvc.lock"]  # params.yaml is as it was, published results too
    assert "Skipped, up to date" in replicate(clone)


AUDIT = """\
from elu_replication.commands import replicate
from elu_replication.config import experiments
from elu_replication.config.schema import Scale
replicate.audit_once(experiments.every_arm(Scale("quick", max_epochs=1, max_train_images=600)))
"""


@pytest.mark.long
def test_more_seeds_train_just_what_is_needed_and_a_clone_is_audited_once(clone: Path) -> None:
    replicate(clone, "--set", TINY, "--arms", "asu_mlp-sgd_elu")
    said = replicate(clone, "--set", f"{TINY} scale.max_seeds=3", "--arms", "asu_mlp-sgd_elu")
    assert "seeds 2 " in said
    assert to_train(said) == [1]
    few = f"{TINY} scale.max_seeds=4 campaign.max_seeds=1"  # the user's own limit holds for ARMS, too
    assert to_train(replicate(clone, "--set", few, "--arms", "asu_mlp-sgd_elu")) == [0]
    (clone / ".audited").unlink(missing_ok=True)
    said = run(clone, "python", "-c", AUDIT)
    assert said.startswith("First time here: a sample of the stored runs is begun anew")
    assert re.search(r"audit: (\d) of \1 stored runs identical to the bit", said)
    assert run(clone, "python", "-c", AUDIT) == ""


FRONTS = (
    ("commands.replicate",),
    ("commands.claim", "C7"),
    ("commands.audit",),
    ("claims.verdicts",),
    ("reports.tables", "published"),
    ("reports.figures", "published"),
    ("reports.internals", "published"),
    ("reports.identification",),
    ("training.train", "asu_mlp"),
)


@pytest.mark.long
def test_an_altered_run_stops_every_front_before_anything_is_written(clone: Path) -> None:
    before = changed_files(clone)
    history = "results/published/runs/asu_mlp/sgd_elu/seed-100/history.csv"
    text = (clone / history).read_text()
    (clone / history).write_text(text.replace(",train,", ",train,1", 1))
    for module, *arguments in FRONTS:
        with pytest.raises(
            AssertionError, match=r"error: not as it was stored: .*git checkout.*make retrain"
        ):
            run(clone, "python", "-m", f"elu_replication.{module}", *arguments)
    assert {*changed_files(clone)} == {*before, history}
    (clone / history).write_text(text)


def test_a_stage_that_fails_leaves_its_files_as_they_were(clone: Path) -> None:
    before = changed_files(clone)
    code = clone / "src/elu_replication/reports/claims.py"
    text = code.read_text()
    code.write_text(text.replace("if __name__", "raise KeyboardInterrupt\nif __name__"))
    with pytest.raises(AssertionError, match="KeyboardInterrupt"):
        dvc(clone, "repro", "--single-item", "--force", "claims")
    code.write_text(text)
    assert changed_files(clone) == before


def test_line_endings_are_the_repository_s_whatever_git_is_told(clone: Path, tmp_path: Path) -> None:
    run(clone, "git", "clone", "-q", "-c", "core.autocrlf=true", ".", str(tmp_path / "other"))
    checked_out = [*(tmp_path / "other/results").rglob("*.csv")]
    assert checked_out
    assert not any(b"\r" in path.read_bytes() for path in checked_out)


def test_strays_beside_runs_are_no_change(clone: Path) -> None:
    before = dvc(clone, "status")
    strays = [
        clone / "results/published/runs/asu_mlp" / name for name in (".DS_Store", "sgd_elu/notes.txt~")
    ]
    for stray in strays:
        stray.touch()
    assert dvc(clone, "status") == before
    for stray in strays:
        stray.unlink()


def test_a_lock_that_is_not_whole_is_one_line(clone: Path) -> None:
    lock = clone / "dvc.lock"
    text = lock.read_text()
    # After a merge, and as DVC leaves it when it is killed while it writes.
    for broken in (
        "<<<<<<< HEAD\n" + text,
        *(text[: text.rindex(key)] + key for key in ("cmd:", "md5", "- p")),
    ):
        lock.write_text(broken)
        with pytest.raises(AssertionError, match=r"^error: dvc\.lock: .*; `git checkout HEAD"):
            replicate(clone)
    run(clone, "git", "checkout", "-q", "HEAD", "dvc.lock")
    assert "Skipped, up to date" in replicate(clone)


@pytest.mark.long
def test_without_git_nor_data_all_that_is_stored_is_at_hand(clone: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "un packed é"
    shutil.copytree(
        clone, unpacked, ignore=shutil.ignore_patterns(".git", "data", "cache", "tmp", "custom")
    )
    assert "Skipped, up to date" in replicate(unpacked, "--no-audit")
    assert "fetch@" in dvc(unpacked, "status")  # the data alone are not there
    assert "train@" not in dvc(unpacked, "status")
    taken = "trained already as the published machinecurve_25-he_relu, with seeds 100"
    equal = ("activation=relu", "seeds=[100]")
    assert taken in run(unpacked, "python", "-m", "elu_replication", *equal)
    shutil.rmtree(unpacked / "results/custom")
    said = replicate(unpacked, "--set", " ".join(equal), "--no-audit")
    assert taken in said
    assert "Custom arm: after training" in said
    shutil.rmtree(unpacked / "results/custom")
    run(unpacked, "python", "-m", "elu_replication.config.params", "--set", " ".join(equal))
    assert taken in dvc(unpacked, "repro", "--force", "custom@arm")
    assert not (unpacked / "data").exists()


@pytest.mark.long
def test_a_worktree_runs_its_own_code(clone: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    run(clone, "git", "worktree", "add", "-q", "--detach", str(tree))
    code = tree / "src/elu_replication/commands/scores.py"
    code.write_text(code.read_text().replace("declared arms are not run", "declared arms are left"))
    assert "declared arms are left" in run(tree, "python", "-m", "elu_replication.commands.scores")
    assert "Skipped, up to date" in replicate(tree, "--no-audit")
    assert changed_files(tree) == ["src/elu_replication/commands/scores.py"]


@pytest.mark.long
def test_dvc_repro_alone_does_the_same(clone: Path) -> None:
    run(
        clone,
        "python",
        "-m",
        "elu_replication.config.params",
        "--set",
        f"{TINY} campaign.arms=[asu_mlp-sgd_relu] campaign.exclude=[]",
    )
    said = dvc(clone, "repro")
    assert "Running stage 'train@quick-asu_mlp'" in said
    assert "Running" not in dvc(clone, "repro")
    with pytest.raises(AssertionError, match=r"error: params\.yaml is not what conf/"):
        replicate(clone)
    run(clone, "python", "-m", "elu_replication.config.params")
    run(clone, "git", "commit", "-qam", "tried")


@pytest.mark.long
def test_an_experiment_trains_its_own_arm_only(clone: Path) -> None:
    overrides = [f"-S{value}" for value in (*OWN, "activation=elu", "activation.alpha=0.5")]
    said = dvc(clone, "exp", "run", "--name", "softer", *overrides)
    assert "Running stage 'custom@arm'" in said
    assert "Running stage 'train@" not in said
    shown = dvc(clone, "exp", "show", "--csv", "--only-changed")
    assert "test_accuracy" in shown
    assert "softer" in shown
    assert "test_accuracy" in dvc(clone, "metrics", "show")
    assert "activation.alpha" in dvc(clone, "params", "diff")
    assert "index.html" in dvc(clone, "plots", "show", "-o", "shown")
    with pytest.raises(AssertionError, match="must be in"):
        dvc(clone, "exp", "run", "-S", "dropout=1.5")
    run(clone, "python", "-m", "elu_replication.config.params")


@pytest.mark.long
def test_an_experiment_apart_runs_its_own_code_and_trains_no_finished_run(clone: Path) -> None:
    campaign_code = clone / "src/elu_replication/training/campaign.py"
    text = campaign_code.read_text()
    campaign_code.write_text(text.replace("test {accuracy}loss", "edited {accuracy}loss"))
    overrides = [f"-S{value}" for value in (*OWN, "activation=elu", "activation.alpha=0.5", "seeds=[0,1]")]
    said = dvc(clone, "exp", "run", "--temp", "--name", "apart", *overrides)
    campaign_code.write_text(text)
    assert "[1/1] arm seed 1: edited accuracy" in said
    seeds = clone.glob("results/custom/runs/*-elu0_5-*/*/seed-*")
    assert {path.name for path in seeds} == {"seed-0", "seed-1"}
    run(clone, "python", "-m", "elu_replication.config.params")


@pytest.mark.long
def test_a_sweep_ends_in_one_table(clone: Path) -> None:
    before = changed_files(clone)
    sweep = ["-m", "activation=elu,relu", "initializer=he_normal,glorot_uniform", *OWN]
    said = run(clone, "python", "-m", "elu_replication", *sweep)
    assert "4 arms: 4 runs to train" in said
    assert "activation=elu activation.alpha=1.0 initializer=he_normal       1 of 1" in said
    assert said.count("1 of 1") == 4
    seeds = run(clone, "python", "-m", "elu_replication", "-m", "seeds=[0],[1]", *OWN)
    assert "1 arms: 1 runs to train, about" in seeds  # seed 0 is the sweep's first arm
    again = run(clone, "python", "-m", "elu_replication", *sweep)
    assert "4 arms: 0 runs to train, 4 stored already" in again
    assert changed_files(clone) == before


@pytest.mark.long
def test_a_search_finds_the_least_validation_loss(clone: Path) -> None:
    rates = "optimizer.learning_rate=choice(1000000000.0,0.01)"  # with the first of which it diverges
    search = [
        "hydra/sweeper=optuna",
        "hydra/sweeper/sampler=grid",
        "hydra.sweeper.n_jobs=2",
        "optimizer=sgd",
    ]
    said = run(clone, "python", "-m", "elu_replication", "-m", *search, rates, *OWN)
    assert "1 of 1 (1 diverged)" in said
    found = yaml.safe_load((clone / "results/custom/optimization_results.yaml").read_text())
    assert found["best_params"] == {"optimizer.learning_rate": 0.01}
    (record,) = clone.glob("results/custom/runs/*-elu1-he_normal-sgd0_01-*/*/seed-0/record.json")
    final = json.loads(record.read_text())["final"]
    assert found["best_value"] == pytest.approx(final["validation_loss"])
    with pytest.raises(AssertionError, match="error: each of the 1 arms diverged, and none is best"):
        run(
            clone,
            "python",
            "-m",
            "elu_replication",
            "-m",
            *search,
            "optimizer.learning_rate=choice(1e9)",
            *OWN,
        )
    assert not (clone / "results/custom/optimization_results.yaml").exists()


@pytest.mark.long
def test_a_queued_experiment_trains_its_own_engine_and_what_is_not_trained_yet(clone: Path) -> None:
    arm = [*OWN, "activation.alpha=0.25"]
    overrides = [f"-S{value}" for value in arm]
    models = clone / "src/elu_replication/engine/models.py"
    text = models.read_text()
    models.write_text(text.replace("(128,) * depth", "(64,) * depth"))
    dvc(clone, "exp", "run", "--queue", "--name", "narrow", *overrides, "custom@arm")
    models.write_text(text)
    dvc(clone, "exp", "run", "--queue", "--name", "wide", *overrides, "custom@arm")
    trained = "[1/1] arm seed 0: test accuracy"
    assert trained in run(
        clone, "python", "-m", "elu_replication.commands.replicate", "--set", " ".join(arm)
    )
    # Into a file, since the queue's worker outlives the command and would hold a pipe open.
    run(clone, "sh", "-c", "python -m dvc exp run --run-all >queue.log 2>&1")
    said = (clone / "queue.log").read_text()
    assert said.count(trained) == 1  # the narrow one: the wide one is stored
    assert "narrow" in said
    records = [
        json.loads(p.read_text()) for p in clone.glob("results/custom/runs/*-elu0_25-*/*/*/record.json")
    ]
    assert len({record["code_version"] for record in records}) == len(records) == 2
    scores = dvc(clone, "exp", "show", "--csv", "--only-changed")
    for record in records:
        assert str(record["final"]["test_loss"])[:6] in scores
    again = run(clone, "python", "-m", "elu_replication", *arm)
    assert "1 arms: 0 runs to train, 1 stored already" in again
    run(clone, "python", "-m", "elu_replication.config.params")


@pytest.mark.cluster
def test_dvc_records_a_cluster_s_runs_as_if_trained_here(clone: Path, mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker/data").symlink_to(mnist.parent)
    with clusters.ray_cluster(tmp_path / "worker", tmp_path) as engine:
        where = (
            f"launcher=ray launcher.address={engine.launcher.address} launcher.folder={tmp_path / 'worker'}"
        )
        said = replicate(clone, "--set", f"{TINY} {where}", "--arms", "from_scratch")
    assert "they run where ray places them" in said
    assert said.count("test accuracy") == 8
    said = replicate(clone, "--set", TINY, "--arms", "from_scratch")
    assert "Skipped, up to date" in said
    assert "runs to train" not in said
