"""What a configuration may hold: protocols, arms, scales, campaigns, launchers, data sets.

Every value is checked once, here. Nothing imports TensorFlow or Hydra, so that a wrong value is refused in
about a second.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from elu_replication.config.documents import STRICT, Strict, must, validated
from elu_replication.config.options import group_option, has, options

GROUPS = ("dataset", "model", "activation", "initializer", "optimizer")
LOSSES = ("cross_entropy", "squared_error", "summed_squared_error")  # mean or sum over the outputs
# The options that have a parameter of their own are those whose file in conf/ names it.
PARAMETERS = {"model": "hidden_layers", "activation": "alpha", "initializer": "stddev"}

Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Count = Annotated[Whole, must("1 or more", lambda n: n >= 1)]
Limit = Annotated[Whole | None, must("null, or 1 or more", lambda n: n is None or n >= 1)]
Positive = Annotated[Number, must("above 0 and finite", lambda x: 0 < x < math.inf)]


def distinct_seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds as a tuple; raises ValueError unless they are distinct integers from 0, at least one."""
    listed = list(seeds) if isinstance(seeds, list | tuple) else []
    distinct = len(set(listed)) == len(listed) > 0
    if not distinct or not all(type(seed) is int and 0 <= seed < 2**31 for seed in listed):
        raise ValueError("must be a list, as in [0,1], of distinct integers from 0 to 2^31 - 1")
    return tuple(listed)


Seeds = Annotated[tuple[int, ...], BeforeValidator(distinct_seeds)]


def option_of(group: str) -> Any:
    """The type of a name that a file of conf/<group> has."""

    def check(name: Any) -> Any:
        if name not in options(group):
            raise ValueError(f"must be one of {', '.join(options(group))}")
        return name

    return Annotated[str, BeforeValidator(check)]


@dataclass(config=STRICT)
class Dataset:
    name: option_of("dataset")  # type: ignore[valid-type]


@dataclass(config=STRICT)
class Model:
    name: option_of("model")  # type: ignore[valid-type]
    hidden_layers: Count | None = None  # of 128 units each


@dataclass(config=STRICT)
class Activation:
    name: option_of("activation")  # type: ignore[valid-type]
    alpha: Annotated[Number, must("0 or more, and finite", lambda x: 0 <= x < math.inf)] | None = None


@dataclass(config=STRICT)
class Initializer:
    name: option_of("initializer")  # type: ignore[valid-type]
    stddev: Positive | None = None


@dataclass(config=STRICT)
class Optimizer:
    name: option_of("optimizer")  # type: ignore[valid-type]
    learning_rate: Positive


class Images(Strict):
    """How many images a data set has."""

    train: Count
    test: Count


class DatasetFacts(Strict):
    """An option of conf/dataset: what the images are, and where they come from."""

    name: str
    image: tuple[Count, Count, Count]  # height, width, channels
    classes: Count
    images: Images
    # A folder with the four IDX files, or an .npz: tried before the mirrors.
    path: Annotated[
        str | None, must("a file or folder that is there", lambda p: not p or Path(p).expanduser().exists())
    ]
    mirrors: tuple[dict[str, str], ...]  # in this order; each is checked against the digests
    digests: dict[str, str]  # SHA-256 of the decoded bytes of each array

    @property
    def digest(self) -> str:
        """One SHA-256 for all of its arrays: what a run's record says it was trained on."""
        return joined(self.digests)


def joined(digests: Mapping[str, str]) -> str:
    """One SHA-256 for the digests of a data set's four arrays."""
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return hashlib.sha256("".join(digests[name] for name in names).encode()).hexdigest()


@cache
def dataset_facts(name: str) -> DatasetFacts:
    """The facts of conf/dataset/<name>.yaml; raises UserError where a fact is missing or wrong."""
    return validated(DatasetFacts, group_option("dataset", name))


@dataclass(config=STRICT)
class Protocol:
    """All that determines a run's numbers, but for its seed, the data and the engine's code."""

    dataset: Dataset
    model: Model
    activation: Activation
    initializer: Initializer
    optimizer: Optimizer
    loss: Annotated[str, must(f"one of {', '.join(LOSSES)}", lambda name: name in LOSSES)]
    dropout: Annotated[Number, must("in [0, 1)", lambda rate: 0 <= rate < 1)]  # share that is dropped
    batch_size: Count
    epochs: Count
    train_images: Count  # the first so many of the data set's, validation included
    validation_images: Annotated[Whole, must("0 or more", lambda n: n >= 0)]  # the last of train_images
    patience: Limit = None  # epochs without a lower validation loss before it stops; None: never

    @model_validator(mode="after")
    def _possible(self) -> "Protocol":
        """Refuse values that do not go together, naming the first key that is wrong."""

        def require(key: str, value: Any, possible: bool, allowed: str) -> None:
            if not possible:
                raise ValueError(f"{key} = {value}: must be {allowed}")

        for group, parameter in PARAMETERS.items():
            option = getattr(self, group)
            value, key = getattr(option, parameter), f"{group}.{parameter}"
            if has(group, option.name, parameter):
                require(key, value, value is not None, f"given for {option.name}")
            else:
                require(key, value, value is None, f"left out: {option.name} has no {parameter}")
        if self.activation.name == "elu":  # with 0 it would be ReLU (Clevert et al. 2015, equation 15)
            require(
                "activation.alpha", self.activation.alpha, self.activation.alpha != 0, "above 0 for elu"
            )
        if self.model.name == "autoencoder":
            require("loss", self.loss, self.loss != LOSSES[0], f"one of {', '.join(LOSSES[1:])}")
        if self.model.name == "from_scratch":
            plain = {"optimizer": self.optimizer.name, "loss": self.loss, "dropout": self.dropout}
            for key, possible in (("optimizer", "sgd"), ("loss", "cross_entropy"), ("dropout", 0.0)):
                require(key, plain[key], plain[key] == possible, f"{possible} for model from_scratch")
            learned = self.activation.name == "prelu"
            require("activation", "prelu", not learned, "one without parameters for from_scratch")
        most = dataset_facts(self.dataset.name).images.train
        require("train_images", self.train_images, self.train_images <= most, f"1 to {most}")
        validation, most = self.validation_images, self.train_images - 1
        require("validation_images", validation, validation <= most, f"0 to {most} (train_images - 1)")
        stops = self.patience is None or validation > 0
        require("patience", self.patience, stops, "null, unless validation_images is above 0")
        fitted = self.train_images - validation
        possible = self.batch_size <= fitted
        require("batch_size", self.batch_size, possible, f"1 to {fitted}, the images trained on")
        return self

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
REQUIRED_KEYS = tuple(key for key in PROTOCOL_KEYS if key != "patience")


@dataclass(config=STRICT)
class Scale:
    """How far published protocols are cut; None leaves a thing as it was published."""

    name: option_of("scale")  # type: ignore[valid-type]
    max_epochs: Limit = None
    max_seeds: Limit = None
    max_train_images: Limit = None

    @model_validator(mode="after")
    def _whole_if_published(self) -> "Scale":
        # A cut run under the published name would replace the run of hours.
        if self.name == "published" and (self.max_epochs or self.max_train_images):
            raise ValueError("scale = published: is never cut; take scale=quick with scale.max_epochs")
        return self


PUBLISHED = Scale("published")


@dataclass(config=STRICT)
class Campaign:
    """Which declared arms are trained: names of arms and of whole experiments, ["all"] being every one,
    less those that a pattern of `exclude` fits, as in "mlp_depth-*_2"."""

    name: str
    arms: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    max_seeds: Limit = None  # the first so many of each arm's declared seeds


@dataclass(config=STRICT)
class Launcher:
    """Where runs are trained: processes of this machine, or an engine that places them on others."""

    name: option_of("launcher")  # type: ignore[valid-type]
    processes: Limit = None  # on this machine; None: one for each core
    address: str | None = None  # of a Ray cluster's head
    folder: str | None = None  # in which a worker elsewhere works
    partition: str | None = None  # of a Slurm cluster
    minutes: Count | None = None  # time limit of a Slurm job
    gpus_per_run: Annotated[Whole, must("0 or more", lambda n: n >= 0)] | None = None


LOCAL = Launcher("local")


@dataclass(config=STRICT)
class Arm:
    """A named protocol and the seeds it is trained with; its runs are stored in `folder`."""

    name: str
    protocol: Protocol
    seeds: Seeds
    folder: Path
    save_model: Annotated[bool, Field(strict=True)] = False  # as model.keras beside the record

    def as_params(self) -> dict[str, Any]:
        """The arm as params.yaml holds it."""
        saving = {"save_model": True} if self.save_model else {}
        return {"folder": str(self.folder), **saving, **self.protocol.as_dict(), "seeds": list(self.seeds)}


def arm_from(name: str, values: Mapping[str, Any]) -> Arm:
    """The arm that params.yaml holds; raises UserError on a wrong key, type or value."""
    rest = {key: value for key, value in values.items() if key not in PROTOCOL_KEYS}
    return validated(Arm, {"name": name, "protocol": protocol_from(values), **rest})


def protocol_from(values: Mapping[str, Any]) -> Protocol:
    """The protocol among nested values; raises UserError on a wrong key, type or value."""
    parts = {key: values[key] for key in PROTOCOL_KEYS if key in values}
    if isinstance(parts.get("dataset"), Mapping):
        parts["dataset"] = {"name": parts["dataset"].get("name")}  # its mirrors do not change the numbers
    return validated(Protocol, parts)


def custom_name(protocol: Protocol) -> str:
    """A name for a custom arm that tells its protocol, e.g. mlp8-elu0_5-glorot_uniform-..."""

    def plain(number: float | None) -> str:
        """In full, so that no two numbers have one name; 1.0 as 1, and nothing for None."""
        return "" if number is None else repr(number).removesuffix(".0")

    p, every = protocol, dataset_facts(protocol.dataset.name).images.train
    parts = [
        "" if p.dataset.name == "mnist" else f"{p.dataset.name}-",
        f"{p.model.name}{plain(p.model.hidden_layers)}",
        f"-{p.activation.name}{plain(p.activation.alpha)}",
        f"-{p.initializer.name}{plain(p.initializer.stddev)}",
        f"-{p.optimizer.name}{plain(p.optimizer.learning_rate)}",
        "" if p.loss == "cross_entropy" else f"-{p.loss}",
        f"-dropout{plain(p.dropout)}-batch{p.batch_size}-{p.epochs}epochs",
        "" if p.train_images == every else f"-{p.train_images}images",
        "" if p.validation_images == 12_000 else f"-validation{p.validation_images}",
        "" if p.patience is None else f"-patience{p.patience}",
    ]
    return "".join(parts).replace(".", "_")


class Stage(Strict):
    """An experiment as params.yaml states it for DVC's stage `train`."""

    dataset: str
    folder: str
    arms: int
    protocols: str  # digest of the arms' protocols and seeds, so that the stage runs when one changes


class Configuration(Strict):
    """The top level of conf/config.yaml: a custom arm, and what is trained beside it."""

    dataset: DatasetFacts
    model: Model
    activation: Activation
    initializer: Initializer
    campaign: Campaign
    optimizer: Optimizer
    scale: Scale
    launcher: Launcher
    loss: str
    dropout: Number
    batch_size: Whole
    epochs: Whole
    train_images: Whole
    validation_images: Whole
    patience: Whole | None
    seeds: Seeds
    save_model: Annotated[bool, Field(strict=True)]

    @property
    def protocol(self) -> Protocol:
        """The custom arm's protocol; raises UserError where its values do not go together."""
        return protocol_from({**dict(self), "dataset": {"name": self.dataset.name}})


class Params(Configuration):
    """params.yaml: the configuration, and what DVC's stages do because of it."""

    datasets: dict[str, str]  # the digest of each data set that the arms need
    experiments: dict[str, Stage]
    custom: dict[str, dict[str, Any]]
    reports: dict[str, dict[Literal["runs"], str]]
