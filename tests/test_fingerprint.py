"""The code version changes with what the code does, and only with that."""

from pathlib import Path

import pytest

from elu_replication.runs.code_version import NUMERIC_MODULES, without_docstrings

SOURCES = [Path(f"src/elu_replication/engine/{name}.py") for name in NUMERIC_MODULES]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_comments_and_formatting_do_not_count(path: Path) -> None:
    source = path.read_text()
    commented = "\n".join(f"{line}  # said" if line.endswith(":") else line for line in source.splitlines())
    assert without_docstrings(f"# first\n\n{commented}") == without_docstrings(source)


def test_docstrings_do_not_count_and_statements_do() -> None:
    said = 'def f(x):\n    """Twice."""\n    return 2 * x\n'
    assert without_docstrings(said) == without_docstrings(said.replace('    """Twice."""\n', ""))
    assert without_docstrings(said) != without_docstrings(said.replace("2 *", "3 *"))


def test_every_python_version_gives_the_same_text() -> None:
    assert without_docstrings("def f(x):\n    return f'{x}' if x else None\n") == (
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='x')]), "
        "body=[Return(value=IfExp(test=Name(id='x', ctx=Load()), "
        "body=JoinedStr(values=[FormattedValue(value=Name(id='x', ctx=Load()), conversion=-1)]), "
        "orelse=Constant()))])])"
    )
