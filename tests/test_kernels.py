"""No environment of a user changes the kernels, and records say which a run had."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import tiny
from test_runs import ENVIRONMENT, stored

from elu_replication.config.schema import Arm
from elu_replication.engine import kernels
from elu_replication.reports import tables
from elu_replication.reports.arms import Row
from elu_replication.runs import store
from elu_replication.training.job import Job

PLAIN = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
PRINT_SETTINGS = f"""
import json, os
import elu_replication
print(json.dumps({{n: v for n, v in os.environ.items() if n.startswith({kernels.REMOVED})}}, sort_keys=1))
"""
# A few multiplications of every library, and what Keras goes by.
COMPUTE = """
import elu_replication
import hashlib, keras, numpy as np, scipy.special, tensorflow as tf
from elu_replication.engine import kernels
from elu_replication.engine.trainer import use_one_thread
kernels.require()
use_one_thread()
x = np.random.default_rng(0).standard_normal((64, 784))
image = x.astype("f4").reshape(-1, 28, 28, 1)
layer = keras.layers.Conv2D(32, 3, kernel_initializer=keras.initializers.HeNormal(0))
values = x @ x.T, np.exp(x), scipy.special.expit(x), tf.matmul(x, x.T), layer(image), layer.kernel
print(hashlib.sha256(b"".join(np.asarray(value).tobytes() for value in values)).hexdigest())
config = keras.config
print(config.backend(), config.floatx(), config.epsilon(), config.image_data_format())
"""
HOSTILE = [
    {"OPENBLAS_CORETYPE": "SkylakeX"},
    {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "2", "OPENBLAS_VERBOSE": "2"},
    {"GOTO_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    {"TF_ENABLE_ONEDNN_OPTS": "0"},
    {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16", "ONEDNN_DEFAULT_FPMATH_MODE": "BF16"},
    {"DNNL_MAX_CPU_ISA": "SSE41", "DNNL_DEFAULT_FPMATH_MODE": "ANY"},
    {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0", "ONEDNN_CPU_ISA_HINTS": "PREFER_YMM"},
    {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    {"NPY_ENABLE_CPU_FEATURES": "X86_V4"},
    {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"},
    {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"},
    {"TF_DETERMINISTIC_OPS": "0", "TF_CUDNN_DETERMINISTIC": "0", "TF_CUDNN_USE_AUTOTUNE": "1"},
    {"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "2"},
    {"TF_ENABLE_AUTO_MIXED_PRECISION": "1", "TF_SET_ONEDNN_FPMATH_MODE": "BF16"},
    {"TF_USE_LEGACY_KERAS": "1"},
    {"MKL_NUM_THREADS": "2", "MKL_CBWR": "COMPATIBLE", "KMP_AFFINITY": "disabled"},
    {"KERAS_BACKEND": "jax"},
    {"KERAS_HOME": "/nowhere", "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"},
    {"ELU_KERNELS": "fast"},
]


def run(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program], env={**PLAIN, **environment}, capture_output=True, text=True
    )


def printed(program: str, **environment: str) -> str:
    process = run(program, **environment)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def settings() -> str:
    return printed(PRINT_SETTINGS)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: " ".join(hostile))
def test_no_variable_of_the_environment_remains(hostile: dict[str, str], settings: str) -> None:
    assert printed(PRINT_SETTINGS, **hostile) == settings
    assert json.loads(settings)["ONEDNN_MAX_CPU_ISA"] == "AVX2"


@pytest.mark.long
def test_the_worst_environment_and_the_users_keras_change_no_number(tmp_path: Path) -> None:
    (tmp_path / ".keras").mkdir()
    configuration = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}
    (tmp_path / ".keras/keras.json").write_text(json.dumps({**configuration, "backend": "jax"}))
    worst = {name: value for hostile in HOSTILE for name, value in hostile.items()}
    plain = printed(COMPUTE)
    assert printed(COMPUTE, **{**worst, "HOME": str(tmp_path)}) == plain
    assert plain.splitlines()[1] == "tensorflow float32 1e-07 channels_last"


@pytest.mark.long
@pytest.mark.skipif(not kernels.available(kernels.AVX512), reason="this processor has AVX2 kernels only")
def test_other_kernels_do_change_numbers() -> None:
    assert printed(COMPUTE, ELU_KERNELS=kernels.AVX512) != printed(COMPUTE)


@pytest.mark.parametrize(
    ("before", "environment", "message"),
    [
        ("import numpy", {}, "NumPy was imported before elu_replication: import elu_replication first"),
        ("import keras", kernels.AVX2_OF_NUMPY, "TensorFlow was imported before elu_replication"),
        ("", {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"}, "unset it"),
    ],
)
def test_what_came_too_early_is_refused_where_numbers_are_made(
    before: str, environment: dict[str, str], message: str
) -> None:
    program = f"{before}\nfrom elu_replication.engine import kernels\nkernels.require()"
    process = run(program, **environment)
    assert process.returncode == 1
    assert message in process.stderr.splitlines()[-1]


def test_numpy_may_come_first_where_the_environment_is_right() -> None:
    printed(
        "import numpy; from elu_replication.engine import kernels; kernels.require()",
        **kernels.AVX2_OF_NUMPY,
    )


def test_a_record_without_kernels_keeps_its_text_and_tells_them_by_its_processor() -> None:
    known = ENVIRONMENT.model_dump()
    del known["kernels"]
    old = store.Environment(**known)
    assert old.model_dump() == known
    assert old.kind_of_kernels == kernels.AVX512
    assert old.model_copy(update={"processor": "p, X86_V3"}).kind_of_kernels == kernels.WITHOUT_ONEDNN
    assert old.model_copy(update={"kernels": "other: GPU"}).kind_of_kernels == "GPU"


@pytest.mark.parametrize(("model", "device"), [("mlp", "GPU"), ("from_scratch", "CPU")])
def test_a_record_says_where_its_network_was_trained(
    model: str, device: str, mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    from elu_replication.training import worker

    monkeypatch.setattr(worker, "use_one_thread", lambda: None)  # this process has begun already
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] * (kind == "GPU"))
    arm = Arm("tried", tiny(epochs=1, model=model, model__hidden_layers=2), (0,), tmp_path / "tried")
    environment = worker.Worker().train(Job(arm, 0), lambda progress: None).environment
    assert (environment.device, environment.kind_of_kernels == "GPU") == (device, device == "GPU")


def test_tables_say_which_runs_are_not_of_portable_kernels(tmp_path: Path) -> None:
    arm = Arm("tried", tiny(), (0, 1), tmp_path / "tried")
    stored(arm, 0)
    assert tables.status(replace(arm, seeds=(0,))) == "1 of 1"
    stored(arm, 1, environment=ENVIRONMENT.model_copy(update={"kernels": "other: GPU"}))
    assert tables.summary([Row("trial", "tried", arm, None)]).kernels[0] == "GPU and x86-64-v3"
