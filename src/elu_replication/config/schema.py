"""What a configuration may hold: protocols, arms, scales, campaigns, launchers, data sets.

Every value is checked once, here. Nothing imports TensorFlow or Hydra, so that a wrong value is refused in
about a second.
"""

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from elu_replication.config.documents import STRICT, Strict, must, validated
from elu_replication.config.options import has, option, options

GROUPS = ("dataset", "model", "activation", "initializer", "optimizer")
LOSSES = ("cross_entropy", "squared_error", "summed_squared_error")  # mean or sum over the outputs
# The options that have a parameter of their own are those whose file in conf/ names it.
PARAMETERS = {"model": "hidden_layers", "activation": "alpha", "initializer": "stddev"}

Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Count = Annotated[Whole, must("1 or more", lambda n: n >= 1)]
Natural = Annotated[Whole, must("0 or more", lambda n: n >= 0)]
Limit = Annotated[Whole | None, must("null or at least 1", lambda n: n is None or n >= 1)]
Finite = Annotated[Number, must("a finite number", math.isfinite)]
Positive = Annotated[Number, must("above 0 and finite", lambda x: 0 < x < math.inf)]


def distinct_seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds as a tuple; raises ValueError unless they are one or more distinct integers from 0."""
    values = list(seeds) if isinstance(seeds, list | tuple) else []
    possible = all(type(seed) is int and 0 <= seed < 2**31 for seed in values)
    if not values or not possible or len(set(values)) < len(values):
        raise ValueError("must be a list, as in [0,1], of distinct integers from 0 to 2^31 - 1")
    return tuple(values)


Seeds = Annotated[tuple[int, ...], BeforeValidator(distinct_seeds)]


def option_of(group: str) -> Any:
    """The type of an option's name: that of a file in conf/<group>."""

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
    """Numbers of images of a data set."""

    train: Count
    test: Count


ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
PLACES = {"idx": "url", "npz": "url", "npm": "package", "path": "path"}  # by kind, what says where it is
Mirror = Annotated[
    dict[str, str],
    must(
        "a kind and where it is: " + ", ".join(f"{kind} and {place}" for kind, place in PLACES.items()),
        lambda mirror: mirror.keys() == {"kind", PLACES.get(mirror.get("kind", ""))},
    ),
]
Digests = Annotated[
    dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]],
    must(f"for {', '.join(ARRAYS)}", lambda digests: digests.keys() == {*ARRAYS}),
]


def _is_there(path: str | None) -> bool:
    """Whether a path that may begin with a user's home is there."""
    return not path or os.path.exists(os.path.expanduser(path))


class DatasetFacts(Strict):
    """An option of conf/dataset: what the images are, and where they come from."""

    name: str
    image: tuple[Count, Count, Count]  # height, width, channels
    classes: Count
    images: Images
    # A folder with the four IDX files, or an .npz: tried before the mirrors.
    path: Annotated[str | None, must("a file or folder that is there", _is_there)]
    mirrors: tuple[Mirror, ...]  # tried in this order
    digests: Digests  # SHA-256 of the decoded bytes of each array

    @property
    def digest(self) -> str:
        """One SHA-256 for all of its arrays, which a run's record states."""
        return hashlib.sha256("".join(self.digests[name] for name in ARRAYS).encode()).hexdigest()


@cache
def dataset_facts(name: str) -> DatasetFacts:
    """The facts of conf/dataset/<name>.yaml; raises UserError where a fact is missing or wrong."""
    return option(DatasetFacts, "dataset", name)


@dataclass(config=STRICT)
class Protocol:
    """Everything that determines a run's numbers except the seed, the data and the engine."""

    dataset: Dataset
    model: Model
    activation: Activation
    initializer: Initializer
    optimizer: Optimizer
    loss: Annotated[str, must(f"one of {', '.join(LOSSES)}", lambda name: name in LOSSES)]
    dropout: Annotated[Number, must("in [0, 1)", lambda rate: 0 <= rate < 1)]  # share of dropped units
    batch_size: Count
    epochs: Count
    train_images: Count  # the first N images of the data set, validation images included
    validation_images: Natural  # the last of train_images
    patience: Limit = None  # epochs without a lower validation loss after which a run stops; None: never

    @model_validator(mode="after")
    def _possible(self) -> "Protocol":
        """Raise ValueError, naming the first wrong key, where values do not go together."""

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
        alpha = self.activation.alpha
        # With alpha 0, ELU would be ReLU (Clevert et al. 2015, equation 15).
        require("activation.alpha", alpha, self.activation.name != "elu" or alpha != 0, "above 0 for elu")
        if self.model.name == "autoencoder":
            require("loss", self.loss, self.loss != LOSSES[0], f"one of {', '.join(LOSSES[1:])}")
        if self.model.name == "from_scratch":
            flat, name = self.flat(), self.activation.name
            for key, possible in (("optimizer", "sgd"), ("loss", "cross_entropy"), ("dropout", 0.0)):
                require(key, flat[key], flat[key] == possible, f"{possible} for model from_scratch")
            require("activation", name, name != "prelu", "one without parameters for from_scratch")
        most = dataset_facts(self.dataset.name).images.train
        require("train_images", self.train_images, self.train_images <= most, f"1 to {most}")
        validation, most = self.validation_images, self.train_images - 1
        require("validation_images", validation, validation <= most, f"0 to {most} (train_images - 1)")
        if self.patience is not None and not validation:
            raise ValueError(
                f"patience = {self.patience} needs validation_images above 0; or set patience=null"
            )
        batch, fitted = self.batch_size, self.train_images - validation
        require("batch_size", batch, batch <= fitted, f"1 to {fitted}, the images trained on")
        return self

    def as_dict(self) -> dict[str, Any]:
        """The values that are set, nested as in params.yaml."""
        return asdict(self, dict_factory=lambda pairs: {k: v for k, v in pairs if v is not None})

    def flat(self) -> dict[str, Any]:
        """The same values by the keys that set them, e.g. activation and activation.alpha."""
        values: dict[str, Any] = {}
        for key, value in self.as_dict().items():
            within = value if isinstance(value, dict) else {"name": value}
            values |= {key if part == "name" else f"{key}.{part}": within[part] for part in within}
        return values


PROTOCOL_KEYS = tuple(f.name for f in fields(Protocol))
REQUIRED_KEYS = tuple(key for key in PROTOCOL_KEYS if key != "patience")


@dataclass(config=STRICT)
class Scale:
    """How far published protocols are cut. None: as published."""

    name: option_of("scale")  # type: ignore[valid-type]
    max_epochs: Limit = None
    max_seeds: Limit = None
    max_train_images: Limit = None

    @model_validator(mode="after")
    def _whole_if_published(self) -> "Scale":
        # A cut run under the published name would overwrite a full run that took hours.
        if self.name == "published" and (self.max_epochs or self.max_seeds or self.max_train_images):
            raise ValueError("scale = published: is never cut; use scale=quick, or campaign.max_seeds")
        return self


PUBLISHED = Scale("published")


@dataclass(config=STRICT)
class Campaign:
    """Names of arms or of experiments (["all"]: every arm), without those that match a pattern in
    `exclude`, e.g. "mlp_depth-*_2"."""

    name: str
    arms: Annotated[tuple[str, ...], must("arms or experiments, or [all]", bool)]
    exclude: tuple[str, ...] = ()
    max_seeds: Limit = None  # the first N of each arm's declared seeds
    fresh: Annotated[bool, Field(strict=True)] = False  # the fresh seeds instead of exploration's


@dataclass(config=STRICT)
class Launcher:
    """Where runs are trained: in processes of this machine, or on a cluster."""

    name: option_of("launcher")  # type: ignore[valid-type]
    processes: Limit = None  # on this machine; None: one per core
    address: str | None = None  # of a Ray cluster's head
    folder: str | None = None  # working folder on the machines of a cluster
    partition: str | None = None  # of a Slurm cluster
    minutes: Count | None = None  # time limit of a Slurm job
    gpus_per_run: Natural | None = None


LOCAL = Launcher("local")


@dataclass(config=STRICT)
class Arm:
    """A named protocol with its seeds; its runs are stored in `folder`. The `fresh_seeds` replace the seeds
    of exploration once they are complete (runs/evidence.py)."""

    name: str
    protocol: Protocol
    seeds: Seeds
    folder: Path
    save_model: Annotated[bool, Field(strict=True)] = False  # as model.keras beside the record
    fresh_seeds: tuple[int, ...] = ()

    @property
    def every_seed(self) -> tuple[int, ...]:
        """The seeds and the fresh seeds, each once."""
        return tuple(dict.fromkeys((*self.seeds, *self.fresh_seeds)))

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
    """A name for a custom arm that spells out its protocol, e.g. mlp8-elu0_5-glorot_uniform-..."""

    def plain(number: float | None) -> str:
        """All digits, so that different numbers have different names; 1.0 as 1, None as nothing."""
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
    protocols: str  # digest of the arms' protocols and seeds: the stage runs when it changes


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

    @model_validator(mode="after")
    def _facts_of_the_data(self) -> "Configuration":
        """Raise ValueError where a fact of the data set is not that of its file, which alone is used."""
        facts = dataset_facts(self.dataset.name)
        for key in ("image", "classes", "images", "digests"):
            if getattr(self.dataset, key) != getattr(facts, key):
                raise ValueError(f"dataset.{key}: can be changed in conf/dataset/{facts.name}.yaml only")
        return self

    @property
    def protocol(self) -> Protocol:
        """The custom arm's protocol; raises UserError where its values do not go together."""
        return protocol_from({**dict(self), "dataset": {"name": self.dataset.name}})


class Params(Configuration):
    """params.yaml: the configuration, and what DVC's stages read that follows from it."""

    datasets: dict[str, str]  # the digest of each data set that the arms need
    experiments: dict[str, Stage]
    custom: dict[str, dict[str, Any]]
    reports: dict[str, dict[Literal["runs"], str]]
