"""The code version of a run changes with what its code does, and only with that."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, tiny

from elu_replication.config.options import options
from elu_replication.runs.code_version import ENGINE, code_version, plain_text, version

SOURCES = sorted(ENGINE.rglob("*.py"))
RUNS = [("mlp", "elu"), ("mlp", "selu"), ("cnn", "relu"), ("from_scratch", "elu"), ("mlp", "srelu")]


def text_of(source: str) -> str:
    return plain_text(ast.parse(source))


def changed(tmp_path: Path, file: str, old: str, new: str) -> list[tuple[str, str]]:
    """Those of RUNS whose version is another one once a copy of the engine has been edited."""
    copy = tmp_path / "engine"
    shutil.copytree(ENGINE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    source = (copy / file).read_text() if (copy / file).exists() else old
    assert old in source
    (copy / file).write_text(source.replace(old, new, 1))
    return [run for run in RUNS if version(copy, *run) != version(ENGINE, *run)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_comments_and_formatting_do_not_count(path: Path) -> None:
    source = path.read_text()
    commented = "\n".join(f"{line}  # so" if line.endswith(":") else line for line in source.splitlines())
    assert text_of(f"# first\n\n{commented}") == text_of(source)


def test_docstrings_do_not_count_and_statements_do() -> None:
    source = 'def f(x):\n    """Twice."""\n    return 2 * x\n'
    assert text_of(source) == text_of(source.replace('    """Twice."""\n', ""))
    assert text_of(source) != text_of(source.replace("2 *", "3 *"))


def test_imports_of_the_package_do_not_count_and_others_do() -> None:
    source = "from elu_replication.a import b\nimport elu_replication.c\nf = b()\n"
    assert text_of(source) == text_of("f = b()\n")
    assert text_of(source) == text_of(source.replace("replication.a", "replication.d"))
    assert text_of("def g():\n    from elu_replication.a import b\n    return b()") == text_of(
        "def g():\n    return b()"
    )
    assert text_of("import numpy as np\n" + source) != text_of(source)


def test_every_python_version_gives_the_same_text() -> None:
    assert text_of("def f(x):\n    return f'{x}' if x else None\n") == (
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='x')]), "
        "body=[Return(value=IfExp(test=Name(id='x', ctx=Load()), "
        "body=JoinedStr(values=[FormattedValue(value=Name(id='x', ctx=Load()), conversion=-1)]), "
        "orelse=Constant()))])])"
    )


NEW = """

@activation("square", label="square", colour="#123456", marker="h")
class Square(Function):
    def value(self, x):
        return x * x


@model("linear")
def linear(plan):
    return []
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("trainer.py", "EVALUATION_BATCH = 1000", "EVALUATION_BATCH = 500", RUNS),
        ("new_file.py", "", "x = 1", RUNS),
        ("kernels.py", "", "x = 1", []),
        ("activations.py", 'colour="#0072B2"', 'colour="#000001"', []),
        ("activations.py", "\n@activation", f"{NEW}\n@activation", []),
        (
            "activations.py",
            "self.alpha * below",
            "2 * self.alpha * below",
            [RUNS[0], RUNS[1], RUNS[3]],
        ),
        ("activations.py", "return SELU_SCALE *", "return 2 * SELU_SCALE *", [RUNS[1]]),
        ("layers.py", "-1.0", "-2.0", [RUNS[4]]),
        ("models.py", "*block(64, 1),", "*block(32, 1),", [RUNS[2]]),
        ("models.py", "(128,) * depth", "(64,) * depth", [run for run in RUNS if run[0] != "cnn"]),
        ("numpy_mlp/network.py", "value -= learning_rate", "value -= 2 * learning_rate", [RUNS[3]]),
    ],
)
def test_a_change_makes_the_runs_stale_that_use_it(
    tmp_path: Path, file: str, old: str, new: str, stale: list[tuple[str, str]]
) -> None:
    assert changed(tmp_path, file, old, new) == stale


def test_a_protocol_has_the_version_of_its_model_and_activation() -> None:
    assert code_version(tiny(activation="selu")) == version(ENGINE, "mlp", "selu")
    assert re.fullmatch("[0-9a-f]{16}", code_version(tiny()))


def test_dvc_sees_every_model_and_activation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from elu_replication.runs import code_version as module

    monkeypatch.setattr(module, "FILE", tmp_path / "code_version.txt")
    module.main()
    text = (tmp_path / "code_version.txt").read_text()
    assert text == (ROOT / "results/code_version.txt").read_text()  # as the stage's own process wrote it
    lines = text.splitlines()
    assert lines == sorted(lines)
    assert {line.split()[0] for line in lines} == {*options("model"), *options("activation")}


def test_settings_of_keras_are_as_they_were_when_runs_were_stored() -> None:
    """The code version is of Python alone: another epsilon would change numbers that count as current."""
    assert json.loads((ENGINE / "keras.json").read_text()) == {
        "floatx": "float32",
        "epsilon": 1e-07,
        "backend": "tensorflow",
        "image_data_format": "channels_last",
    }
