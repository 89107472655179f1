"""Other processors, emulated, give the same numbers as this one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elu_replication.engine import kernels

# Their vectors end at AVX2, as the emulator's do: of two makers, years apart, with other caches.
MODELS = ("Haswell", "EPYC-Rome")
PROGRAM = ("scripts/fingerprint.py", "--images", "20")


@pytest.fixture(scope="module")
def fingerprints(mnist: Path) -> dict[str, list[str]]:
    """The lines that the fingerprint of a few steps prints on this processor and on each model."""
    if not (emulator := shutil.which("qemu-x86_64")):
        pytest.skip("no qemu-x86_64: install qemu-user (Debian, Ubuntu), on x86-64")
    if not kernels.available(kernels.PORTABLE):
        pytest.skip("this processor has no AVX2: it does not give the same numbers")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    commands = {"": [sys.executable, *PROGRAM]}
    commands |= {model: [emulator, "-cpu", model, sys.executable, *PROGRAM] for model in MODELS}
    running = {
        model: subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for model, command in commands.items()
    }
    return {model: process.communicate()[0].splitlines() for model, process in running.items()}


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_another_processor_computes_the_same(fingerprints: dict[str, list[str]], model: str) -> None:
    assert len(fingerprints[""]) > 40
    assert fingerprints[model] == fingerprints[""]
