"""The version of the code that determines a run's numbers: a hash of what it does, not of how it reads.

It covers engine/ but for kernels.py: a record tells its kernels apart. Within engine/, a definition whose
decorator names it, as @activation("elu") or @model("cnn"), counts only for runs that use it, and
engine/numpy_mlp only for the model from_scratch. So comments, docstrings, colours, other modules, and new
activations and models leave hours of stored runs valid.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from elu_replication import atomic
from elu_replication.config.schema import Protocol
from elu_replication.errors import run_main

PACKAGE = "elu_replication"  # __name__ is "__main__" in the stage
ENGINE = Path(__file__).parent.parent / "engine"
FILE = Path("results/code_version.txt")


class Part(NamedTuple):
    """A piece of the engine's code: who uses it, what Python calls it, its text and the names in it."""

    users: frozenset[str]  # models and activations; empty: every run
    name: str
    text: str
    mentions: frozenset[str]


def code_version(protocol: Protocol) -> str:
    """16 hexadecimal digits for the code that determines the numbers of a protocol's runs."""
    return version(ENGINE, protocol.model.name, protocol.activation.name)


@cache  # stored runs are compared by the thousand
def version(engine: Path, *users: str) -> str:
    """The hash of the parts of an engine that some models and activations use."""
    used = [part for part in parts(engine) if not part.users or part.users & {*users}]
    for part in used:  # grows: what a used part mentions is used, as SELU uses ELU
        used += [other for other in parts(engine) if other.name in part.mentions and other not in used]
    texts = sorted(part.text for part in used)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@cache
def parts(engine: Path) -> tuple[Part, ...]:
    """The parts of an engine's files, which are found, not listed."""
    paths = [path for path in sorted(engine.rglob("*.py")) if path.name != "kernels.py"]
    return tuple(part for path in paths for part in _parts(path, engine))


def _parts(path: Path, engine: Path) -> Iterator[Part]:
    """A file's registered definitions, and the rest of it."""
    tree = ast.parse(path.read_text())
    rest = []
    for node in tree.body:
        users = _registered(node)
        if users and isinstance(node, ast.ClassDef | ast.FunctionDef):
            node.decorator_list = []  # it holds facts for people
            yield Part(users, node.name, plain_text(node), _mentions(node))
        else:
            rest.append(node)
    tree.body = rest
    numpy_only = path.is_relative_to(engine / "numpy_mlp")
    yield Part(frozenset({"from_scratch"} if numpy_only else ()), "", plain_text(tree), _mentions(tree))


def _registered(node: ast.stmt) -> frozenset[str]:
    """The names under which decorators register a definition; none for other statements."""
    calls = [call for call in getattr(node, "decorator_list", []) if isinstance(call, ast.Call)]
    names = [arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant)]
    return frozenset(name for name in names if isinstance(name, str))


def _mentions(tree: ast.AST) -> frozenset[str]:
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return frozenset(names | {node.attr for node in nodes if isinstance(node, ast.Attribute)})


def plain_text(tree: ast.AST) -> str:
    """A syntax tree as text, without docstrings and imports of this package; changes the tree.

    Empty fields are left out, and with them those that only some Python versions have, so that every
    version gives the same text.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]

    def text(part: object) -> str:
        if isinstance(part, ast.AST):
            fields = [f"{k}={text(v)}" for k, v in ast.iter_fields(part) if v is not None and v != []]
            return f"{type(part).__name__}({', '.join(fields)})"
        if isinstance(part, list):
            return f"[{', '.join(text(item) for item in part if not _imports_package(item))}]"
        return repr(part)

    return text(tree)


def _imports_package(node: object) -> bool:
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    return bool(modules) and all(module.partition(".")[0] == PACKAGE for module in modules)


def main() -> None:
    """Write the version of each model's and each activation's code, for DVC to notice what changes."""
    users = sorted({user for part in parts(ENGINE) for user in part.users} - {PACKAGE})
    atomic.write_text(FILE, "".join(f"{user} {version(ENGINE, user)}\n" for user in users))


if __name__ == "__main__":
    run_main(main)
