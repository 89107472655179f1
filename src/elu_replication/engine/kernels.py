"""Which kernels a process computes with: fixed before NumPy and TensorFlow are imported.

By themselves TensorFlow, oneDNN, OpenBLAS and NumPy choose kernels by the processor's widest vectors, and
kernels of different width differ in the last bits of their results. With the same kernels everywhere, a
run has the same numbers on every x86-64 processor with AVX2.
"""

import os
import platform
import sys
import warnings
from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

from elu_replication.errors import UserError

PORTABLE, AVX512, WITHOUT_ONEDNN = "x86-64-v3", "AVX-512", "AVX2 without oneDNN"
VARIABLE = "ELU_KERNELS"  # how an audit asks for the kernels of an old run, by their name


class Kernels(NamedTuple):
    """Settings that lead to certain kernels, and the processor's features that these need."""

    settings: dict[str, str]
    features: frozenset[str]  # as /proc/cpuinfo has them


# Read where NumPy is imported: a process that imports it before this package needs them from its start.
AVX2_OF_NUMPY = {
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    # Names of NumPy 2.3, then those of NumPy 2.4.
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL"
    " X86_V4 AVX512_ICL AVX512_SPR",
}
LEVEL_3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})
AVX2 = {**AVX2_OF_NUMPY, "ONEDNN_MAX_CPU_ISA": "AVX2"}
KINDS = {
    PORTABLE: Kernels({**AVX2, "TF_ENABLE_ONEDNN_OPTS": "1"}, LEVEL_3),
    # What TensorFlow chose where it found AVX512-VNNI, and where it did not, before kernels were fixed.
    AVX512: Kernels({"OPENBLAS_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}, LEVEL_3 | {"avx512_vnni"}),
    # (TensorFlow's own matrix products are oneDNN's all the same.)
    WITHOUT_ONEDNN: Kernels({**AVX2, "TF_ENABLE_ONEDNN_OPTS": "0"}, LEVEL_3),
}
# Beside kernels: Keras' configuration, which is this folder's keras.json instead of the user's.
KERAS = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(Path(__file__).parent)}
# Whatever else the environment has of these could change numbers; what is logged could not.
REMOVED = (
    *("TF_", "XLA_", "ONEDNN_", "DNNL_", "OPENBLAS_", "GOTO_", "NPY_", "KERAS_"),
    *("MKL_", "OMP_", "GOMP_", "KMP_", "NVIDIA_TF32"),
)
KEPT = "TF_CPP_"

_too_late: list[str] = []


def chosen() -> str:
    """The kind of KINDS that this process asks for."""
    name = os.environ.get(VARIABLE, PORTABLE)
    return name if name in KINDS else PORTABLE


def pin() -> None:
    """Fix the environment of this process and of those that it starts, whatever it was."""
    settings = KERAS | KINDS[chosen()].settings
    if not available(PORTABLE):  # a forced kernel would be an illegal instruction there
        settings = {name: value for name, value in settings.items() if name != "OPENBLAS_CORETYPE"}
    present = {n: v for n, v in os.environ.items() if n.startswith(REMOVED) and not n.startswith(KEPT)}
    unlike = {name for name in {**present, **settings} if present.get(name) != settings.get(name)}
    if "numpy" in sys.modules and unlike & set(AVX2_OF_NUMPY):
        _too_late.append("NumPy was imported before elu_replication: import elu_replication first")
    if unlike and ("tensorflow" in sys.modules or "keras" in sys.modules):
        _too_late.append("TensorFlow was imported before elu_replication: import elu_replication first")
    if "cpu" in os.environ.pop("GLIBC_TUNABLES", ""):  # read when the process began
        _too_late.append("GLIBC_TUNABLES chooses other kernels of the C library: unset it")
    for name in present:
        del os.environ[name]
    os.environ.update(settings)
    # NumPy warns of each name that it does not know.
    warnings.filterwarnings("ignore", r"During parsing environment variable: 'NPY_", ImportWarning)


def require() -> None:
    """Raise UserError where something was imported, or began, before kernels could be fixed."""
    if _too_late:
        raise UserError(_too_late[0])


def name(device: str = "CPU") -> str:
    """What a record says of the kernels of this process, whose networks train on `device`: PORTABLE, or
    "other: " and what they are instead."""
    if device != "CPU":
        return f"other: {device}"
    if chosen() != PORTABLE:
        return f"other: {chosen()}"
    return PORTABLE if available(PORTABLE) else f"other: {platform.system()} {platform.machine()}, no AVX2"


def available(kind: str, features: Set[str] | None = None) -> bool:
    """Whether a processor with `features`, or this one, has the kernels of a kind."""
    return KINDS[kind].features <= (processor_features() if features is None else features)


@cache
def processor_features() -> frozenset[str]:
    """This processor's features as Linux names them; none on other systems, whose libraries differ."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(flags.partition(":")[2].split())
