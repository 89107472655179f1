"""The protocol of a run: its typed schema, what values are possible, and how conf/ composes it.

Nothing here imports TensorFlow: a wrong value is refused in about a second.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from elu_replication.config.compose import explain, options
from elu_replication.errors import UserError

T = TypeVar("T")
# Made once: some milliseconds each time, for every declared arm.
structure: Callable[[Any], DictConfig] = cache(OmegaConf.structured)
GROUPS = ("dataset", "model", "activation", "initializer", "optimizer")
TRAIN_IMAGES = 60_000
LOSSES = ("cross_entropy", "squared_error", "summed_squared_error")  # mean or sum over the outputs
WITH_ALPHA = ("elu", "leaky_relu", "prelu")


@dataclass
class Dataset:
    name: str = MISSING


@dataclass
class Model:
    name: str = MISSING
    hidden_layers: int | None = None  # of 128 units each; the CNN's depth is fixed


@dataclass
class Activation:
    name: str = MISSING
    alpha: float | None = None


@dataclass
class Initializer:
    name: str = MISSING
    stddev: float | None = None


@dataclass
class Optimizer:
    name: str = MISSING
    learning_rate: float = MISSING


@dataclass
class Protocol:
    """All that determines a run's numbers, but for its seed, the data and the training code."""

    dataset: Dataset = field(default_factory=Dataset)
    model: Model = field(default_factory=Model)
    activation: Activation = field(default_factory=Activation)
    initializer: Initializer = field(default_factory=Initializer)
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: str = MISSING
    dropout: float = MISSING  # rate: the share of activations that is dropped
    batch_size: int = MISSING
    epochs: int = MISSING
    train_images: int = MISSING  # the first so many of the 60,000, validation included
    validation_images: int = MISSING  # the last so many of train_images; 0: no validation split
    patience: int | None = None  # epochs without a lower validation loss before it stops; None: never

    def as_dict(self) -> dict[str, Any]:
        """The values that are set, nested as in params.yaml."""
        return asdict(self, dict_factory=lambda pairs: {k: v for k, v in pairs if v is not None})

    def flat(self) -> dict[str, Any]:
        """The same by the keys that set them: a group by its option, and what is within it."""
        values: dict[str, Any] = {}
        for key, value in self.as_dict().items():
            within = value.items() if isinstance(value, dict) else [("name", value)]
            values |= {key if part == "name" else f"{key}.{part}": number for part, number in within}
        return values


PROTOCOL_KEYS = tuple(f.name for f in fields(Protocol))
REQUIRED_KEYS = tuple(f.name for f in fields(Protocol) if f.default is not None)


@dataclass(unsafe_hash=True)
class Scale:
    """How far published protocols are cut; None leaves a thing as it was published."""

    name: str = MISSING
    max_epochs: int | None = None
    max_seeds: int | None = None
    max_train_images: int | None = None


PUBLISHED = Scale("published")


@dataclass
class Campaign:
    """Which declared arms are trained: ["all"], or names of arms and of whole experiments."""

    name: str = MISSING
    arms: list[str] = MISSING
    max_seeds: int | None = None  # the first so many of each arm's declared seeds


@dataclass
class Launcher:
    """Where runs are trained: processes of this machine, or an engine that places them on others."""

    name: str = MISSING
    address: str | None = None  # of a Ray cluster's head
    folder: str | None = None  # in which a worker elsewhere works
    partition: str | None = None  # of a Slurm cluster
    minutes: int | None = None  # time limit of a Slurm job
    gpus_per_run: int | None = None


LOCAL = Launcher("local")


@dataclass(frozen=True)
class Arm:
    """A named protocol and the seeds it is trained with; its runs are stored in `folder`."""

    name: str
    protocol: Protocol
    seeds: tuple[int, ...]
    folder: Path
    save_model: bool = False  # as seed-<seed>.keras in the folder

    def as_params(self) -> dict[str, Any]:
        """The arm as params.yaml holds it."""
        saving = {"save_model": True} if self.save_model else {}
        return {"folder": str(self.folder), **saving, **self.protocol.as_dict(), "seeds": list(self.seeds)}

    @classmethod
    def from_params(cls, name: str, values: Mapping[str, Any]) -> "Arm":
        seeds, folder = tuple(values["seeds"]), Path(values["folder"])
        return cls(name, protocol_from(values), seeds, folder, values.get("save_model", False))


def typed(schema: type[T], values: Any) -> T:
    """Values as an instance of a schema above; raises UserError on an unknown key, a wrong type or a
    limit (max_...) below 1."""
    try:
        made = OmegaConf.to_object(OmegaConf.merge(structure(schema), values))
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from error
    for key, value in vars(made).items():
        if key.startswith("max_") and value is not None and value < 1:
            raise UserError(f"{schema.__name__.lower()}.{key} = {value}: must be null, or 1 or more")
    return made  # type: ignore[return-value]


def protocol_from(values: Mapping[str, Any] | DictConfig) -> Protocol:
    """A checked Protocol from nested values; raises UserError on a wrong key, type or value."""
    parts = {key: values[key] for key in PROTOCOL_KEYS if key in values}
    parts["dataset"] = {"name": parts["dataset"]["name"]}  # its routes do not change the numbers
    protocol = typed(Protocol, parts)
    check_protocol(protocol)
    return protocol


def check_protocol(p: Protocol) -> None:
    """Raise UserError naming the first key with an impossible value, and what is allowed."""

    def require(key: str, given: Any, possible: bool, allowed: str) -> None:
        if not possible:
            raise UserError(f"{key} = {given}: must be {allowed}")

    def require_option(key: str, given: str, allowed: Iterable[str]) -> None:
        require(key, given, given in allowed, f"one of {', '.join(allowed)}")

    for group in GROUPS:
        require_option(f"{group}.name", getattr(p, group).name, options(group))
    require_option("loss", p.loss, LOSSES[1:] if p.model.name == "autoencoder" else LOSSES)
    alpha, name = p.activation.alpha, p.activation.name
    if name in WITH_ALPHA:
        fits = alpha is not None and math.isfinite(alpha) and (alpha > 0 or (alpha == 0 and name != "elu"))
        least = "above 0" if name == "elu" else "at least 0"
        require("activation.alpha", alpha, fits, f"{least} for {name}")
    else:
        require("activation.alpha", alpha, alpha is None, f"left out: {name} has no alpha")
    layers = p.model.hidden_layers
    if p.model.name in ("mlp", "from_scratch"):
        require("model.hidden_layers", layers, layers is not None and layers >= 1, "1 or more")
    else:
        told = f"left out: {p.model.name} has a fixed depth"
        require("model.hidden_layers", layers, layers is None, told)
    if p.model.name == "from_scratch":
        given: dict[str, Any] = {"optimizer": p.optimizer.name, "loss": p.loss, "dropout": p.dropout}
        for key, possible in (("optimizer", "sgd"), ("loss", "cross_entropy"), ("dropout", 0.0)):
            require(key, given[key], given[key] == possible, f"{possible} for model from_scratch")
        learns = p.activation.name == "prelu"
        require("activation", p.activation.name, not learns, "one without parameters for from_scratch")
    stddev = p.initializer.stddev
    if p.initializer.name == "random_normal":
        require("initializer.stddev", stddev, stddev is not None and 0 < stddev < math.inf, "above 0")
    else:
        told = f"left out: {p.initializer.name} sets its own"
        require("initializer.stddev", stddev, stddev is None, told)
    rate = p.optimizer.learning_rate
    require("optimizer.learning_rate", rate, 0 < rate < math.inf, "above 0")
    require("dropout", p.dropout, 0 <= p.dropout < 1, "in [0, 1)")
    require("epochs", p.epochs, p.epochs >= 1, "1 or more")
    require("train_images", p.train_images, 1 <= p.train_images <= TRAIN_IMAGES, f"1 to {TRAIN_IMAGES}")
    held_out, most = p.validation_images, p.train_images - 1
    require("validation_images", held_out, 0 <= held_out <= most, f"0 to {most} (train_images - 1)")
    patient = p.patience is None or (p.patience >= 1 and held_out > 0)
    require("patience", p.patience, patient, "null, or 1 or more with validation_images above 0")
    fitted = p.train_images - held_out
    require(
        "batch_size", p.batch_size, 1 <= p.batch_size <= fitted, f"1 to {fitted}, the images trained on"
    )


def check_seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds as a tuple; raises UserError unless they are distinct integers from 0, at least one."""
    listed = list(seeds) if isinstance(seeds, list | tuple | ListConfig) else []
    distinct = len(set(listed)) == len(listed) > 0
    if not distinct or not all(type(seed) is int and 0 <= seed < 2**31 for seed in listed):
        given = listed or seeds
        raise UserError(
            f"seeds = {given}: must be a list, as in [0,1], of distinct integers from 0 to 2^31 - 1"
        )
    return tuple(listed)


def plain(number: float) -> str:
    """A number in full, so that no two have one name; 1.0 as 1."""
    return repr(number).removesuffix(".0")


def own_name(protocol: Protocol) -> str:
    """A name for a user's own arm that tells its protocol, e.g. mlp8-elu0_5-glorot_uniform-..."""
    p = protocol
    images = "" if p.train_images == TRAIN_IMAGES else f"-{p.train_images}images"
    parts = [
        "" if p.dataset.name == "mnist" else f"{p.dataset.name}-",
        p.model.name + (f"{p.model.hidden_layers}" if p.model.hidden_layers else ""),
        f"-{p.activation.name}" + ("" if p.activation.alpha is None else plain(p.activation.alpha)),
        f"-{p.initializer.name}" + (plain(p.initializer.stddev) if p.initializer.stddev else ""),
        f"-{p.optimizer.name}{plain(p.optimizer.learning_rate)}",
        "" if p.loss == "cross_entropy" else f"-{p.loss}",
        f"-dropout{plain(p.dropout)}-batch{p.batch_size}-{p.epochs}epochs{images}",
        "" if p.validation_images == 12_000 else f"-validation{p.validation_images}",
        "" if p.patience is None else f"-patience{p.patience}",
    ]
    return "".join(parts).replace(".", "_")
