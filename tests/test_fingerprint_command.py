"""`make fingerprint` tells whether a machine gives the project's numbers, and what first differs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fingerprint
from elu_replication.engine import kernels

LINES = [
    f"{name:{fingerprint.NAME}} 0123456789ab" for name in ("NumPy exp", "TensorFlow elu", "mlp: history")
]


def test_the_verdict_is_plain_and_names_what_first_differs() -> None:
    assert fingerprint.verdict(LINES, LINES).startswith("this machine gives the project's numbers")
    other = [LINES[0], *(line.replace("0123", "3210") for line in LINES[1:])]
    assert fingerprint.verdict(other, LINES).endswith(
        "; 2 of 3 digests differ, first that of TensorFlow elu"
    )
    assert "other numbers" in fingerprint.verdict(LINES, LINES[:2])


@pytest.mark.skipif(not kernels.available(kernels.PORTABLE), reason="this processor has no AVX2")
def test_this_machine_gives_the_committed_fingerprint(mnist: Path) -> None:
    command = [sys.executable, "scripts/fingerprint.py"]
    pinned = kernels.KINDS[kernels.PORTABLE].settings  # the script has to set these by itself
    environment = {name: value for name, value in os.environ.items() if name not in pinned}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1].startswith("this machine gives the project's numbers")


@pytest.mark.long
def test_a_part_of_the_fingerprint_never_replaces_the_committed_one(mnist: Path) -> None:
    committed = fingerprint.FILE.read_bytes()
    command = [sys.executable, "scripts/fingerprint.py", "--images", "20", "--no-probes", "--write"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert fingerprint.FILE.read_bytes() == committed
