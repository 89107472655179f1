"""What `make replicate` says of DVC's findings, and that DVC can find what has changed."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from elu_replication.commands.replicate import reason

PACKAGE = ROOT / "src/elu_replication"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            [{"changed deps": {"params.yaml": "new"}}, {"changed outs": {"a": "deleted"}}],
            "not in dvc.lock yet",
        ),
        ([{"changed deps": {"params.yaml": {"arms.x": "modified"}}}], "parameters modified"),
        (
            [{"changed deps": {"data/mnist": "modified"}}, {"changed outs": {"a": "deleted"}}],
            "data/mnist modified",
        ),
        ([{"changed outs": {"results/a": "modified"}}], "results/a modified"),
        (["changed command"], "changed command"),
    ],
)
def test_the_reason_is_told_in_a_few_words(changes: list[object], told: str) -> None:
    assert reason(changes) == told


# What other files stand for: params.yaml, and results/code_version.txt for the code of the training.
STOOD_FOR = {"params", "code_version"}
PLAIN = {"atomic", "documents", "errors", "terminal"}  # change no output but through other modules


def imported(module: str) -> set[str]:
    """The modules of the package that a module imports, and those that they import."""
    found, waiting = set[str](), {module}
    while waiting:
        found.add(name := waiting.pop())
        for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("elu_replication"):
                name = str(node.module).partition(".")[2]
                waiting |= ({name} if name else {alias.name for alias in node.names}) - found
    return found


@pytest.mark.parametrize("stage", ["tables", "figures", "mechanisms", "claims", "report"])
def test_a_stage_depends_on_all_that_it_imports(stage: str) -> None:
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]
    declared = declared.get("do", declared)
    module = re.search(r"elu_replication\.(\w+)", declared["cmd"])
    assert module
    modules = {Path(dep).stem for dep in declared["deps"] if dep.endswith(".py")}
    assert modules == imported(module[1]) - STOOD_FOR - PLAIN
