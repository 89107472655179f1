"""The typed configuration: what it refuses, and in which words."""

from pathlib import Path

import pytest
import yaml
from conftest import tiny
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from elu_replication.config.compose import composed, configuration
from elu_replication.config.documents import validated
from elu_replication.config.options import options
from elu_replication.config.schema import Arm, Campaign, Protocol, arm_from, custom_name
from elu_replication.errors import UserError

WRONG = [
    ("activation.alpha=0", "activation.alpha = 0", "above 0 for elu"),
    ("activation.alpha=-1", "activation.alpha = -1", "0 or more, and finite"),
    ("activation.alpha=inf", "activation.alpha = inf", "0 or more, and finite"),
    ("activation.alpha=x", "activation.alpha", "input should be a valid number"),
    ("dropout=1", "dropout = 1.0", "in [0, 1)"),
    ("dropout=-0.1", "dropout = -0.1", "in [0, 1)"),
    ("epochs=0", "epochs = 0", "1 or more"),
    ("epochs=1.5", "epochs = 1.5", "input should be a valid integer"),
    ("batch_size=48001", "batch_size = 48001", "1 to 48000"),
    ("batch_size=0", "batch_size = 0", "1 or more"),
    ("train_images=60001", "train_images = 60001", "1 to 60000"),
    ("validation_images=60000", "validation_images = 60000", "0 to 59999"),
    ("optimizer.learning_rate=0", "optimizer.learning_rate = 0", "above 0"),
    ("loss=hinge", "loss = hinge", "one of cross_entropy, squared_error"),
    ("+initializer.stddev=2", "initializer.stddev = 2.0", "left out: he_normal has no stddev"),
    ("+model.hidden_layers=3", "model.hidden_layers = 3", "left out: cnn has no hidden_layers"),
]


def accepted(override: str) -> Protocol:
    """The protocol of a custom arm with one override."""
    return configuration(composed([override])).protocol


@pytest.mark.parametrize(("override", "key", "allowed"), WRONG)
def test_impossible_values_are_refused_by_key(override: str, key: str, allowed: str) -> None:
    with pytest.raises(UserError) as refused:
        accepted(override)
    assert str(refused.value).startswith(key)
    assert allowed in str(refused.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dropot=0.5", "dropot: unknown key; known here: dataset, activation, initializer"),
        ("activation.alhpa=1", "activation.alhpa: unknown key; known here: name, alpha"),
        ("scale=huge", "scale = 'huge': must be one of published, quick"),
        ("model=3", "model = 3: must be one of autoencoder"),
        (r"activation=[1]", r"activation = \[1\]: must be one of \w+, "),
    ],
)
def test_unknown_keys_and_options_name_the_known_ones(override: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        composed([override])


@pytest.mark.parametrize("seeds", ["[]", "[1,1]", "[-1]", "[0.5]", "['0']", "3", "'01'", "[true]"])
def test_impossible_seeds_are_refused(seeds: str) -> None:
    with pytest.raises(UserError, match=r"^seeds = .*must be a list.*distinct integers from 0"):
        configuration(composed([f"seeds={seeds}"]))


def test_seeds_from_a_composed_list() -> None:
    assert configuration(composed(["seeds=[2,0]"])).seeds == (2, 0)


@pytest.mark.parametrize(
    "override", ["+seed=3", "+activation.alhpa=1", "+launcher.gpus=2", "+dataset.size=1"]
)
def test_a_key_that_nothing_reads_is_refused(override: str) -> None:
    key = override.removeprefix("+").partition("=")[0]
    with pytest.raises(UserError, match=f"^{key}: unknown key; known here: "):
        configuration(composed([override]))


@pytest.mark.parametrize("name", options("activation"))
@pytest.mark.parametrize("initializer", options("initializer"))
def test_every_option_composes_to_a_possible_protocol(name: str, initializer: str) -> None:
    protocol = configuration(
        composed([f"activation={name}", f"initializer={initializer}", "model=mlp"])
    ).protocol
    assert (protocol.activation.name, protocol.initializer.name) == (name, initializer)


@given(alpha=st.floats(1e-3, 1e3), dropout=st.floats(0, 0.99), epochs=st.integers(1, 10_000))
def test_an_arm_survives_params_yaml(alpha: float, dropout: float, epochs: int) -> None:
    protocol = tiny(activation__alpha=alpha, dropout=dropout, epochs=epochs)
    name = custom_name(protocol)
    arm = Arm(name, protocol, (0, 3), Path("results/custom/runs") / name)
    written = OmegaConf.to_yaml(OmegaConf.create(arm.as_params()))
    assert arm_from(name, yaml.safe_load(written)) == arm


def test_custom_names_tell_every_difference_apart() -> None:
    changed: dict[str, list[str | float]] = {
        "activation": [*options("activation")],
        "activation__alpha": [0.5, 1.5],
        "model": ["cnn"],
        "model__hidden_layers": [2, 6],
        "initializer": ["glorot_normal", "random_normal"],
        "optimizer": ["adam"],
        "optimizer__learning_rate": [0.1, 0.1234561, 0.1234562],
        "loss": ["squared_error"],
        "dropout": [0.25],
        "batch_size": [25],
        "epochs": [4],
        "train_images": [500],
        "validation_images": [0],
        "dataset": ["fashion_mnist"],
    }
    protocols = [tiny(**{key: value}) for key, values in changed.items() for value in values]
    names = {custom_name(protocol): protocol for protocol in protocols}
    assert all(names[custom_name(protocol)] == protocol for protocol in protocols)
    assert not any(set(name) & set("./ ") for name in names)


def test_campaigns_are_typed() -> None:
    with pytest.raises(UserError, match="max_seeds"):
        validated(Campaign, {"name": "x", "arms": ["all"], "max_seeds": "many"})


@pytest.mark.parametrize("key", ["max_epochs", "max_seeds", "max_train_images"])
def test_a_limit_is_1_or_more(key: str) -> None:
    with pytest.raises(UserError, match=f"^scale.{key} = 0: must be null or at least 1"):
        configuration(composed(["scale=quick", f"scale.{key}=0"]))
