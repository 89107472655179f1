"""The typed configuration: what it refuses, and in which words."""

from pathlib import Path

import pytest
import yaml
from conftest import tiny
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from elu_replication.config.compose import composed, configuration
from elu_replication.config.documents import unlike
from elu_replication.config.options import options
from elu_replication.config.schema import Arm, arm_from, custom_name


def test_seeds_from_a_composed_list() -> None:
    assert configuration(composed(["seeds=[2,0]"])).seeds == (2, 0)


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
        "patience": [1, 2],
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


def test_any_value_may_refer_to_another() -> None:
    config = composed(["epochs=${batch_size}", "optimizer.learning_rate=${dropout}"])
    values = configuration(config)
    assert (values.epochs, values.optimizer.learning_rate) == (values.batch_size, values.dropout)


def test_what_differs_may_be_in_one_alone() -> None:
    assert unlike({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ["b", "c"]
