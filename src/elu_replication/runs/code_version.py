"""The version of the code that determines the numbers: a hash of what it does, not of how it reads.

Comments, docstrings and formatting leave it as it is, and so does every other module, so that
none of them makes hours of stored runs stale.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

NUMERIC_MODULES = ("data", "layers", "models", "seeding", "trainer")
# Those of one model's runs alone.
FURTHER_MODULES = {"from_scratch": ("activations", "numpy_mlp/network", "numpy_mlp/trainer")}
FILE = Path("results/code_version.txt")


def without_docstrings(source: str) -> str:
    """The syntax tree of Python source as text, docstrings taken out.

    Fields that are empty are left out, and with them those that only some Python versions have, so
    that every version gives the same text.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]

    def told(part: object) -> str:
        if isinstance(part, ast.AST):
            fields = [f"{k}={told(v)}" for k, v in ast.iter_fields(part) if v is not None and v != []]
            return f"{type(part).__name__}({', '.join(fields)})"
        return f"[{', '.join(map(told, part))}]" if isinstance(part, list) else repr(part)

    return told(tree)


@cache
def code_version(model: str) -> str:
    """16 hexadecimal digits for the syntax trees of the modules that determine a model's numbers."""
    folder = Path(__file__).parent.parent / "engine"
    names = (*NUMERIC_MODULES, *FURTHER_MODULES.get(model, ()))
    trees = [without_docstrings((folder / f"{name}.py").read_text()) for name in names]
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()[:16]


if __name__ == "__main__":
    from elu_replication import atomic

    versions = {model: code_version(model) for model in ("keras", *FURTHER_MODULES)}
    atomic.write_text(FILE, "".join(f"{model} {version}\n" for model, version in versions.items()))
