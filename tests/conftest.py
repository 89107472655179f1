"""What several test files need: the repository as working directory, and real MNIST."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from elu_replication import fetch
from elu_replication.config import Protocol, group_option
from elu_replication.experiments import resolved

# A busy machine must not fail a test; CI tries the same examples each time, people new ones.
settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("here")
ROOT = Path(__file__).parent.parent
TINY = {
    "dataset": "mnist",
    "model": "mlp",
    "activation": "elu",
    "initializer": "he_normal",
    "optimizer": "sgd",
    "loss": "cross_entropy",
    "dropout": 0.0,
    "batch_size": 50,
    "epochs": 3,
    "train_images": 600,
    "validation_images": 100,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole-pipeline tests last, so that a simple mistake shows in seconds."""
    order = [
        "config",
        "atomic",
        "replicate",
        "readme",
        "bench",
        "experiments",
        "fingerprint",
        "seeding",
        "data",
        "fetch",
        "runs",
        "tables",
        "inference",
        "activations",
        "verdicts",
        "metrics",
        "mechanisms",
        "claims",
        "report",
    ]
    names = [f"test_{name}.py" for name in order]
    last = [
        "test_plots.py",
        "test_commands.py",
        "test_models.py",
        "test_from_scratch.py",
        "test_training.py",
        "test_probes.py",
        "test_campaign.py",
        "test_audit.py",
    ]

    def place(item: pytest.Item) -> int:
        name = item.path.name
        files = [*names, *last]
        return files.index(name) if name in files else len(files)

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder of the real data, fetched once where it is not there yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        fetch.ensure(group_option("dataset", "mnist"))
    return ROOT / "data" / "mnist"


def tiny(**overrides: str | float) -> Protocol:
    """A protocol of seconds; overrides as in experiments/, with "__" for the dot."""
    named = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolved({**TINY, **named})
