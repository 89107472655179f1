"""Other processors, emulated, give the same numbers as this one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elu_replication.engine import kernels

# Their vectors end at AVX2, as the emulator's do, and their caches differ. One trains batches as large as
# those of published runs, the other also probes its networks.
MODELS = {"Haswell": ("--images", "500", "--no-probes"), "EPYC-Rome": ("--images", "20")}


@pytest.fixture(scope="module")
def fingerprints(mnist: Path) -> dict[str, tuple[list[str], list[str]]]:
    """The lines of the fingerprint of each model, and those of this processor with the same options."""
    if not (emulator := shutil.which("qemu-x86_64")):
        pytest.skip("no qemu-x86_64: install qemu-user (Debian, Ubuntu), on x86-64")
    if not kernels.available(kernels.PORTABLE):
        pytest.skip("this processor has no AVX2: it does not give the same numbers")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def start(*prefix: str, options: tuple[str, ...]) -> subprocess.Popen[str]:
        command = [*prefix, sys.executable, "scripts/fingerprint.py", *options]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    running = {
        model: (start(emulator, "-cpu", model, options=options), start(options=options))
        for model, options in MODELS.items()
    }
    return {
        model: (there.communicate()[0].splitlines(), here.communicate()[0].splitlines())
        for model, (there, here) in running.items()
    }


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_another_processor_computes_the_same(
    fingerprints: dict[str, tuple[list[str], list[str]]], model: str
) -> None:
    there, here = fingerprints[model]
    assert len(here) > 40
    assert there == here
