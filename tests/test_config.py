"""The typed configuration: what it refuses, and in which words."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import tiny
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from elu_replication.config.compose import composed, options
from elu_replication.config.schema import Arm, Campaign, Scale, check_seeds, own_name, protocol_from, typed
from elu_replication.errors import UserError

WRONG = [
    ("activation.alpha=0", "activation.alpha = 0", "above 0 for elu"),
    ("activation.alpha=-1", "activation.alpha = -1", "above 0 for elu"),
    ("activation.alpha=inf", "activation.alpha = inf", "above 0 for elu"),
    ("activation.alpha=x", "activation.alpha", "could not be converted to Float"),
    ("dropout=1", "dropout = 1.0", "in [0, 1)"),
    ("dropout=-0.1", "dropout = -0.1", "in [0, 1)"),
    ("epochs=0", "epochs = 0", "1 or more"),
    ("epochs=1.5", "epochs", "could not be converted to Integer"),
    ("batch_size=48001", "batch_size = 48001", "1 to 48000"),
    ("batch_size=0", "batch_size = 0", "1 to 48000"),
    ("train_images=60001", "train_images = 60001", "1 to 60000"),
    ("validation_images=60000", "validation_images = 60000", "0 to 59999"),
    ("optimizer.learning_rate=0", "optimizer.learning_rate = 0.0", "above 0"),
    ("loss=hinge", "loss = hinge", "one of cross_entropy, squared_error"),
    ("+initializer.stddev=2", "initializer.stddev = 2.0", "left out: he_normal sets its own"),
    ("+model.hidden_layers=3", "model.hidden_layers = 3", "left out: cnn has a fixed depth"),
]


@pytest.mark.parametrize(("override", "key", "allowed"), WRONG)
def test_impossible_values_are_refused_by_key(override: str, key: str, allowed: str) -> None:
    with pytest.raises(UserError) as refused:
        protocol_from(composed([override]))
    assert str(refused.value).startswith(key)
    assert allowed in str(refused.value)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("dropot=0.5", "dropot: unknown key; known here: dataset, model, activation"),
        ("activation.alhpa=1", "activation.alhpa: unknown key; known here: name, alpha"),
        ("scale=huge", "scale = 'huge': must be one of published, quick"),
        ("model=3", "activation, .* model, .* each takes the name of an option, as in model=mlp"),
        ("activation=[1]", "activation, .* each takes the name of an option, as in model=mlp"),
    ],
)
def test_unknown_keys_and_options_name_the_known_ones(override: str, told: str) -> None:
    with pytest.raises(UserError, match=f"^{told}"):
        composed([override])


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [0.5], ["0"], 3, "01", [True]])
def test_impossible_seeds_are_refused(seeds: Any) -> None:
    with pytest.raises(UserError, match=r"^seeds = .*distinct integers from 0"):
        check_seeds(seeds)


def test_seeds_from_a_composed_list() -> None:
    assert check_seeds(OmegaConf.create([2, 0])) == (2, 0)


@pytest.mark.parametrize("name", options("activation"))
@pytest.mark.parametrize("initializer", options("initializer"))
def test_every_option_composes_to_a_possible_protocol(name: str, initializer: str) -> None:
    protocol = protocol_from(composed([f"activation={name}", f"initializer={initializer}", "model=mlp"]))
    assert (protocol.activation.name, protocol.initializer.name) == (name, initializer)


@given(alpha=st.floats(1e-3, 1e3), dropout=st.floats(0, 0.99), epochs=st.integers(1, 10_000))
def test_an_arm_survives_params_yaml(alpha: float, dropout: float, epochs: int) -> None:
    protocol = tiny(activation__alpha=alpha, dropout=dropout, epochs=epochs)
    name = own_name(protocol)
    arm = Arm(name, protocol, (0, 3), Path("results/own/runs") / name)
    written = OmegaConf.to_yaml(OmegaConf.create(arm.as_params()))
    assert Arm.from_params(name, yaml.safe_load(written)) == arm


def test_own_names_tell_every_difference_apart() -> None:
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
    names = {own_name(protocol): protocol for protocol in protocols}
    assert all(names[own_name(protocol)] == protocol for protocol in protocols)
    assert not any(set(name) & set("./ ") for name in names)


def test_campaigns_are_typed() -> None:
    with pytest.raises(UserError, match="max_seeds"):
        typed(Campaign, {"name": "x", "arms": ["all"], "max_seeds": "many"})


@pytest.mark.parametrize("key", ["max_epochs", "max_seeds", "max_train_images"])
def test_a_limit_is_1_or_more(key: str) -> None:
    with pytest.raises(UserError, match=f"^scale.{key} = 0: must be null, or 1 or more"):
        typed(Scale, {"name": "quick", key: 0})
