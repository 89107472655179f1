"""`make mutants`: how many faults in the rules do their tests notice?

Cosmic Ray makes the mutants: a copy of a module in which one operator, number, keyword, decorator, loop or
exception is another. A process forked for each, in which only the project's own modules are imported anew,
runs the module's quick tests up to the first that fails.
"""

import argparse
import importlib
import json
import math
import os
import random
import resource
import shlex
import signal
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import elu_replication  # noqa: F401 - before NumPy, since it fixes the kernels

# isort: split
import numpy  # noqa: F401 - before pytest, to which NumPy's warning on fixed kernels is an error
import pytest
import yaml

from elu_replication import atomic
from elu_replication.config.options import require_root
from elu_replication.console import say
from elu_replication.errors import UserError, run_main
from elu_replication.training.cost import cores

sys.path.append(".venv/mutants")  # last, so that what the tool brings replaces nothing

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

PACKAGE = "elu_replication"
FILE = Path("results/trust/mutants.json")
EXPLAINED = Path("scripts/mutants.yaml")  # survivors that no test should kill, and why
PATIENCE = 300  # seconds on the clock, of a mutant that waits for ever
MEMORY = 8 * 2**30  # bytes that a mutant may ask for
NO_MODULE = 99  # exit code of a mutant that cannot be imported: no test is needed to notice it


class Mutant(NamedTuple):
    """A mutated module: its text, the number of the changed line, and that line before and after."""

    text: str
    number: int
    was: str
    now: str


def mutants(text: str, most: int, seed: int) -> list[Mutant]:
    """For each place of a module that Cosmic Ray can change, one of its changes; at most so many. Both are
    drawn by the seed."""
    nodes, places = list(ast_nodes(get_ast(text))), defaultdict(list)
    for operator in map(get_operator, operator_names()):
        if not operator.arguments():  # those with arguments need names of variables
            positions = [place for node in nodes for place in operator().mutation_positions(node)]
            for occurrence, place in enumerate(positions):
                places[place].append((operator(), occurrence))
    generator = random.Random(seed)
    changes = [generator.choice(places[place]) for place in sorted(places)]
    drawn = generator.sample(changes, min(most, len(changes)))
    return [mutant(text, mutate_code(text, *change)) for change in drawn]


def mutant(text: str, mutated: str) -> Mutant:
    """The mutant whose text is `mutated`, by the first line in which it differs."""
    lines, changed = text.splitlines(), mutated.splitlines()
    number = next(i for i, (old, new) in enumerate(zip(lines, changed, strict=False)) if old != new)
    return Mutant(mutated, number + 1, lines[number].strip(), changed[number].strip())


class InPlaceOf(MetaPathFinder):
    """Imports a module of the package from another text than its file's."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        self.name, self.path, self.text = name, path, text

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        loader = SourceFileLoader(name, str(self.path))
        loader.get_code = lambda _: compile(self.text, str(self.path), "exec")  # type: ignore[method-assign]
        return spec_from_file_location(name, self.path, loader=loader)


def start(name: str, text: str, tests: Sequence[str], seconds: int) -> int:
    """The number of a new process in which the tests run on a module's text. It ends with pytest's exit
    code, with NO_MODULE, or by a signal after so many seconds of processor time, or PATIENCE."""
    if process := os.fork():
        return process
    signal.alarm(PATIENCE)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(silence, stream)
    del sys.modules["__main__"].__file__  # which processes that tests start would import
    for module in list(sys.modules):
        if module.partition(".")[0] in (PACKAGE, "conftest") or module.startswith("test_"):
            del sys.modules[module]
    sys.meta_path.insert(0, InPlaceOf(f"{PACKAGE}.{name}", path_of(name), text))
    try:
        importlib.import_module(f"{PACKAGE}.{name}")
    except BaseException:
        os._exit(NO_MODULE)
    os._exit(pytest.main(["-x", "-p", "no:cacheprovider", *tests]))


def path_of(name: str) -> Path:
    return Path("src", PACKAGE, *name.split(".")).with_suffix(".py")


def exit_codes(
    name: str, texts: Sequence[str], tests: Sequence[str], seconds: int
) -> Iterator[tuple[int, int]]:
    """The place of each text and how its tests ended (see start), as they end, as many at once as there are
    cores."""
    running: dict[int, int] = {}
    waiting = list(reversed([*enumerate(texts)]))
    while waiting or running:
        if waiting and len(running) < cores():
            index, text = waiting.pop()
            running[start(name, text, tests, seconds)] = index
        else:
            process, status = os.wait()
            yield running.pop(process), os.waitstatus_to_exitcode(status)


@contextmanager
def third_parties(tests: Sequence[str]) -> Iterator[None]:
    """With all that the tests import from others imported already, and temporary folders in one that is
    removed at the end."""
    # Hypothesis tries the same examples each time; no process loads plugins, which no quick test needs.
    os.environ |= {"CI": "yes", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "yes"}
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as silence:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
        with redirect_stdout(silence):
            pytest.main(["--collect-only", "-p", "no:cacheprovider", *tests])
        yield


def score(name: str, tests: Sequence[str], settings: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a module's mutants, as FILE has it. Raises UserError where the tests fail without a
    mutant."""
    text = path_of(name).read_text()
    begun = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    if [code for _, code in exit_codes(name, [text], tests, PATIENCE)] != [0]:
        raise UserError(f"{name}: its tests fail before anything is mutated: pytest {' '.join(tests)}")
    seconds = 10 + 5 * math.ceil(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begun)
    made = mutants(text, settings["most"], settings["seed"])
    codes: dict[int, int] = {}
    for index, code in exit_codes(name, [mutant.text for mutant in made], tests, seconds):
        codes[index] = code
        if len(codes) % 50 == 0:
            say(f"{name}: {len(codes)} of {len(made)} mutants tried")
    outcomes = Counter(codes.values())
    killed = len(made) - outcomes[NO_MODULE] - outcomes[0]
    survivors = [mutant for index, mutant in enumerate(made) if codes[index] == 0]
    because = explanations(name)
    explained = sum((mutant.was, mutant.now) in because for mutant in survivors)
    tried = killed + len(survivors)
    say(f"{name}: {killed} of {tried} killed, {explained} of the others explained")
    for mutant in survivors:
        if (mutant.was, mutant.now) not in because:
            say(f"  {path_of(name)}:{mutant.number}: {mutant.was}  ->  {mutant.now}")
    return {
        "mutants": tried,
        "killed": killed,
        "survived": len(survivors),
        "explained": explained,
        "not importable": outcomes[NO_MODULE],
        "survivors": [
            {"line": m.number, "was": m.was, "now": m.now, "because": because.get((m.was, m.now), "")}
            for m in survivors
        ],
    }


def explanations(name: str) -> dict[tuple[str, str], str]:
    """Why some mutants of a module survive, by their line before and after."""
    listed = yaml.safe_load(EXPLAINED.read_text()) or []
    return {
        (line["was"], now): entry["because"]
        for entry in listed
        for line in entry["mutants"]
        if line["module"] == name
        for now in line["now"]
    }


def main() -> None:
    require_root()
    settings = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutants"]
    known = {name: shlex.split(tests) for name, tests in settings["tests"].items()}
    parser = argparse.ArgumentParser(description="Count the faults that the tests of the rules notice.")
    parser.add_argument("modules", nargs="*", help="some of those that pyproject.toml lists; else all")
    options = parser.parse_args()
    chosen = options.modules or list(known)
    if unknown := set(chosen) - set(known):
        raise UserError(f"{', '.join(sorted(unknown))}: must be of {', '.join(known)}")
    stored = json.loads(FILE.read_text())["modules"] if FILE.is_file() else {}
    for name in chosen:
        with third_parties(known[name]):
            stored[name] = score(name, known[name], settings)
        content = {
            "tool": f"cosmic-ray {metadata.version('cosmic-ray')}",
            **{key: settings[key] for key in ("most", "seed")},
            "modules": {module: stored[module] for module in known if module in stored},
        }
        atomic.write_text(FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    run_main(main)
