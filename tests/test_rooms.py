"""The rooms of the package: imports go one way, and DVC's stages are modules that depend on whole rooms."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

PACKAGE = ROOT / "src/elu_replication"
# A room imports itself and those after it; errors, atomic and console stand outside and import no room.
ROOMS = ("commands", "reports", "claims", "training", "runs", "engine", "datasets", "config")
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a module imports, wherever in it, as "room.module"."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("elu_replication"):
            name = str(node.module).removeprefix("elu_replication").lstrip(".")
            for alias in node.names:
                is_module = (PACKAGE / name.replace(".", "/") / f"{alias.name}.py").is_file()
                yield f"{name}.{alias.name}".lstrip(".") if is_module else name


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    rank = ROOMS.index(room) if room in ROOMS else len(ROOMS)
    if room == "__main__":
        rank = -1
    for module in imported(path):
        other = module.partition(".")[0]
        assert other not in ROOMS or ROOMS.index(other) >= rank, f"{path} imports {module}"


def test_every_module_is_in_a_room_or_serves_all() -> None:
    outside = {room_of(path) for path in MODULES} - set(ROOMS)
    assert outside == {"errors", "atomic", "console", "__main__"}


def commands(stage: str) -> list[str]:
    body = STAGES[stage].get("do", STAGES[stage])
    return re.findall(r"elu_replication\.([\w.]+)", str(body["cmd"]))


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "custom"])
def test_a_stage_is_the_module_of_its_name(stage: str) -> None:
    (module,) = commands(stage)
    assert module.rpartition(".")[2] == stage
    assert (PACKAGE / f"{module.replace('.', '/')}.py").is_file()


def closure(module: str) -> set[str]:
    """A module and all modules of the package that it imports, directly or not."""
    reached, left = set(), {module}
    while left:
        reached |= left
        modules = {other for name in left for other in imported(PACKAGE / f"{name.replace('.', '/')}.py")}
        left = {name for name in modules if (PACKAGE / f"{name.replace('.', '/')}.py").is_file()} - reached
    return reached


RENDERING = ["tables", "figures", "internals", "verdicts", "claims", "identification", "page", "paper"]


@pytest.mark.parametrize("stage", RENDERING)
def test_a_stage_that_renders_depends_on_all_that_it_imports(stage: str) -> None:
    """What trains is left out, since results/code_version.txt has what it computes, but for the labels and
    colours of activations, and for what the stage itself imports from there."""
    body = STAGES[stage].get("do", STAGES[stage])
    (module,) = commands(stage)
    reached = closure(module)
    wanted = {name for name in reached if name.startswith(("config.", "runs.", "claims.", "reports."))}
    wanted |= {name for name in imported(PACKAGE / f"{module.replace('.', '/')}.py") if "training." in name}
    if "reports.style" in reached:
        wanted.add("engine.activations")
    paths = {f"src/elu_replication/{name.replace('.', '/')}.py" for name in wanted}
    assert len(paths) > 10
    assert not [path for path in paths if not path.startswith(tuple(body["deps"]))]
