"""What the environment and the habits of users must not change."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, tiny
from test_runs import stored

from elu_replication.commands.sweep import differences
from elu_replication.config import experiments, params
from elu_replication.config.compose import composed, configuration
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.errors import UserError
from elu_replication.runs import store
from elu_replication.training import campaign


def test_the_code_that_runs_is_that_of_the_working_directory(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    code = "import hydra_plugins.elu_replication_resolvers as r; from elu_replication.runs import store; "
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    for folder, own in ((tmp_path, tmp_path), (tmp_path / "elsewhere", ROOT)):
        folder.mkdir(exist_ok=True)
        (folder / "conf").symlink_to(ROOT / "conf")
        command = [sys.executable, "-c", f"{code} print(r.params.__file__, store.__file__, sep=chr(10))"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        assert all(Path(line).is_relative_to(own / "src") for line in done.stdout.splitlines())


def test_settings_of_pip_that_say_where_to_install_do_not_reach_it(tmp_path: Path) -> None:
    (tmp_path / "show.mk").write_text(f"include {ROOT}/Makefile\nshow:\n\t@env\n")
    kept = {f"PIP_{name}": "mirror" for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "PROXY")}
    settings = {"PIP_USER": "1", "PIP_TARGET": "/x", **kept}
    command = ["make", "-s", "-f", str(tmp_path / "show.mk"), "show"]
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    assert {f"{name}={value}" for name, value in kept.items()} <= set(done.stdout.splitlines())
    assert "PIP_USER" not in done.stdout
    assert "PIP_TARGET" not in done.stdout


def test_params_yaml_is_not_replaced_under_a_running_dvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(params, "RWLOCK", tmp_path / "rwlock")
    holder = {"pid": os.getpid(), "cmd": "dvc exp run"}
    params.RWLOCK.write_text(json.dumps({"write": {"results/x": holder}, "read": {}}))
    with pytest.raises(UserError, match="`dvc exp run` is under way here"), params.replaced([]):
        pass


def test_params_yaml_that_a_killed_command_had_replaced_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("conf", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    shutil.copy(ROOT / params.FILE, tmp_path)
    code = (
        "import os; from elu_replication.config import params\n"
        "with params.alone(), params.replaced(['epochs=3']): os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment).returncode == -9
    before = (ROOT / params.FILE).read_text()
    monkeypatch.chdir(tmp_path)
    assert params.FILE.read_text() != before
    with params.alone():
        assert params.FILE.read_text() == before


def test_a_custom_arm_that_a_published_one_covers_is_taken_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    for name in ("conf", "experiments", "results/published"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    published = experiments.arm("machinecurve_25-he_relu", PUBLISHED)
    custom = experiments.custom_arm(configuration(composed(["activation=relu", "seeds=[100,77]"])))
    assert custom.protocol == published.protocol
    campaign.take_published([custom])
    assert [job.seed for job in campaign.pending([custom])] == [77]
    assert store.stored_rows(custom, 100) == store.stored_rows(published, 100)
    taken, others = capsys.readouterr().out.splitlines()
    assert taken.endswith(": trained already as the published machinecurve_25-he_relu, with seeds 100")
    assert re.search(
        r": the published machinecurve_25-he_relu is the same; seeds=\[.*100,101,.*\] takes", others
    )
    campaign.take_published([replace(custom, save_model=True)])  # no published run holds a model
    assert capsys.readouterr().out == ""


def test_arms_are_compared_by_pairs_of_seeds(tmp_path: Path) -> None:
    first, other, lone = (
        Arm(name, tiny(), seeds, tmp_path / name)
        for name, seeds in (("first", (0, 1, 2)), ("other", (1, 2, 3)), ("lone", (0,)))
    )
    for seed in range(3):
        stored(first, seed, accuracy=0.5 + seed / 10)
    for seed in (1, 2, 3):
        stored(other, seed, accuracy=0.7 + seed / 10)
    stored(lone, 0)
    assert differences(first, other) == ["+0.2000 [+0.2000, +0.2000]", "2", "+0.0000 [+0.0000, +0.0000]"]
    assert differences(first, lone) == ["", "", ""]


def test_fewer_seeds_than_declared_are_named(tmp_path: Path) -> None:
    arm = Arm("tried", tiny(), (0, 1, 2), tmp_path / "tried")
    assert store.incomplete([arm]) == ""
    stored(arm, 0)
    assert store.incomplete([arm]) == "tried 1 of 3"
