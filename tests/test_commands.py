"""The commands as a person meets them: quick to find a mistake (tests/test_bad_input.py), and with help."""

import subprocess
import sys

import pytest


def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True)


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


LINES = "from elu_replication.errors import run_main; run_main(lambda: [print(n) for n in range(10**6)])"


def test_a_reader_that_has_gone_ends_a_command_without_a_message() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LINES], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
