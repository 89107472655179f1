"""Experiments as documents: experiments/*.yaml, with a protocol and named arms."""

import fnmatch
import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictFloat, StrictInt, StrictStr

from elu_replication.config import documents
from elu_replication.config.documents import Strict
from elu_replication.config.options import group_option
from elu_replication.config.schema import (
    GROUPS,
    PROTOCOL_KEYS,
    PUBLISHED,
    REQUIRED_KEYS,
    Arm,
    Campaign,
    Configuration,
    Count,
    Finite,
    Positive,
    Protocol,
    Scale,
    custom_name,
    protocol_from,
)
from elu_replication.errors import UserError

FOLDER = Path("experiments")
RESULTS = Path("results")
CUSTOM = RESULTS / "custom" / "runs"
FIRST_FRESH = 100  # the least of the fresh seeds; exploration's are from 0
Overrides = dict[str, StrictStr | StrictFloat | StrictInt]


class Published(Strict):
    """What the source printed for an arm: scores of one run on the test images after its last epoch."""

    test_loss: Finite | None = None
    test_accuracy: Finite | None = None


class FreshSeeds(Strict):
    """How many fresh seeds some arms have, and why as many; without `arms`, all arms that no other entry
    names."""

    number: Count
    because: str
    arms: list[str] | None = None


class Experiment(Strict):
    """One document. An arm gives overrides of the protocol; its `same_as` names an arm of another
    experiment ("experiment-arm") with the same protocol, so that nothing is trained twice. A document that
    `extends` another inherits its fields and arms, and replaces those that it gives itself."""

    title: str
    source: str
    question: str
    published_account: str
    ambiguities: list[str]
    claims: list[Annotated[str, Field(pattern=r"^C\d+$")]]
    minutes_per_run: Positive
    seeds: Annotated[Count, Field(le=FIRST_FRESH)]  # of exploration
    fresh_seeds: list[FreshSeeds] = Field([])
    protocol: Overrides
    arms: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Overrides], Field(min_length=1)]
    published: dict[str, Published] = Field({})
    panels: dict[str, list[str]] = Field({})

    def fresh_seeds_of(self, arm: str) -> tuple[int, ...]:
        """The fresh seeds of an arm, from FIRST_FRESH on: by the entry that names it, or else by the one
        that names no arms."""
        entries = sorted(self.fresh_seeds, key=lambda entry: entry.arms is None)
        numbers = [entry.number for entry in entries if entry.arms is None or arm in entry.arms]
        return tuple(range(FIRST_FRESH, FIRST_FRESH + numbers[0])) if numbers else ()


def names() -> list[str]:
    """The documents' names; raises UserError on a character other than letters, digits and "_": a dash
    separates experiment and arm, and a name is part of paths and of the shell's commands in dvc.yaml."""
    paths = sorted(FOLDER.glob("*.yaml"))
    for path in paths:
        if wrong := re.sub("[A-Za-z0-9_]", "", path.stem):
            raise UserError(f"{path}: rename it without {wrong[0]!r}, in letters, digits and '_'")
    return [path.stem for path in paths]


@cache
def load(name: str) -> Experiment:
    """A checked document; raises UserError naming the file and the wrong field."""
    if name not in names():
        raise UserError(f"experiment {name!r}: must be one of {', '.join(names())}")
    path = FOLDER / f"{name}.yaml"
    experiment = documents.checked(path, Experiment, _read)
    paneled = [arm for arms in experiment.panels.values() for arm in arms]
    if unknown := sorted({*experiment.published, *paneled} - set(experiment.arms)):
        raise UserError(f"{path}: published or panels name unknown arms: {', '.join(unknown)}")
    listed = [arm for entry in experiment.fresh_seeds for arm in entry.arms or ["the rest"]]
    own = {name for name, overrides in experiment.arms.items() if "same_as" not in overrides}
    if wrong := sorted({arm for arm in listed if arm not in own | {"the rest"} or listed.count(arm) > 1}):
        raise UserError(
            f"{path}: fresh_seeds: must be once, and of an arm trained here: {', '.join(wrong)}"
        )
    return experiment


def _read(path: Path, *extending: Path) -> dict[str, Any]:
    """A document as written, on top of the document that it extends, if any."""
    fields = documents.read(path)
    if "extends" not in fields:
        return fields
    name = str(fields.pop("extends"))
    extended = FOLDER / f"{name}.yaml"
    if extended in (*extending, path):
        raise UserError(f"{path}: extends itself")
    if name not in names():
        raise UserError(f"{path}: extends = {name}: must be one of {', '.join(names())}")
    base = _read(extended, *extending, path)
    own, inherited = fields.get("protocol") or {}, base.get("protocol")
    if isinstance(own, dict) and isinstance(inherited, dict):
        fields["protocol"] = {**inherited, **own}
    return {**base, **fields}


def resolved(overrides: Overrides) -> Protocol:
    """The protocol of flat overrides: a group's option ("activation": "elu"), a value
    in a group ("activation.alpha": 0.1) or a plain value ("dropout": 0.5)."""
    values: dict[str, Any] = {}
    for key, value in sorted(overrides.items(), key=lambda item: item[0].count(".")):
        group, _, part = key.partition(".")
        if group not in PROTOCOL_KEYS or (part and not isinstance(values.get(group), dict)):
            raise UserError(f"{key}: unknown key; known here: {', '.join(PROTOCOL_KEYS)}")
        if part:
            values[group] = {**values[group], part: value}
        else:
            values[group] = dict(group_option(group, str(value))) if group in GROUPS else value
    if missing := [key for key in REQUIRED_KEYS if key not in values]:
        raise UserError(f"the protocol lacks {', '.join(missing)}")
    return protocol_from(values)


def scaled(protocol: Protocol, scale: Scale) -> Protocol:
    """The protocol with epochs and images cut to `scale`; raises UserError if a batch no longer fits."""
    images = min(protocol.train_images, scale.max_train_images or protocol.train_images)
    cut = {
        "train_images": images,
        "validation_images": round(protocol.validation_images * images / protocol.train_images),
        "epochs": min(protocol.epochs, scale.max_epochs or protocol.epochs),
    }
    return protocol_from({**protocol.as_dict(), **cut})


@cache
def arm(full_name: str, scale: Scale) -> Arm:
    """A declared arm at `scale`. An arm with `same_as` is returned as the arm that it names."""
    experiment_name, _, arm_name = full_name.partition("-")
    experiment = load(experiment_name)
    if arm_name not in experiment.arms:
        known = ", ".join(experiment.arms)
        raise UserError(f"arm {full_name!r}: {experiment_name} has the arms {known}")
    where = f"{FOLDER / experiment_name}.yaml: arm {arm_name}"
    overrides = dict(experiment.arms[arm_name])
    same_as = overrides.pop("same_as", None)
    # Another option of a group drops the protocol's values in that group.
    kept = {k: value for k, value in experiment.protocol.items() if k.partition(".")[0] not in overrides}
    try:
        protocol = scaled(resolved({**kept, **overrides}), scale)
        shared = None if same_as is None else _shared(str(same_as), scale)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    if shared:
        different = [k for k in PROTOCOL_KEYS if getattr(protocol, k) != getattr(shared.protocol, k)]
        if different:
            raise UserError(f"{where}: not the same as {same_as}: {', '.join(different)}")
        return shared
    seeds = range(min(experiment.seeds, scale.max_seeds or experiment.seeds))
    prefix = "" if scale.name == "published" else f"{scale.name}-"
    folder = RESULTS / scale.name / "runs" / experiment_name / arm_name
    fresh = () if prefix else experiment.fresh_seeds_of(arm_name)
    return Arm(prefix + full_name, protocol, tuple(seeds), folder, fresh_seeds=fresh)


def _shared(full_name: str, scale: Scale) -> Arm:
    """The arm that a `same_as` names; it has none itself, so that arms cannot name each other in turn."""
    experiment_name, _, arm_name = full_name.partition("-")
    if further := load(experiment_name).arms.get(arm_name, {}).get("same_as"):
        raise UserError(f"same_as = {full_name}: is the same as {further}; name that")
    return arm(full_name, scale)


def arm_names(*experiments: str) -> list[str]:
    """The full names of the arms of some experiments, or of all."""
    return [f"{name}-{arm}" for name in experiments or names() for arm in load(name).arms]


def declared(scale: Scale) -> dict[str, dict[str, Arm]]:
    """Every experiment's arms at `scale`: {experiment: {arm: Arm}}, in the documents' order."""
    return {name: {a: arm(f"{name}-{a}", scale) for a in load(name).arms} for name in names()}


def every_arm(scale: Scale) -> list[Arm]:
    """Every declared arm at `scale`, shared arms once."""
    arms = [arm(name, scale) for name in arm_names()]
    return list({a.folder: a for a in arms}.values())


def selected(scale: Scale, campaign: Campaign) -> dict[str, Arm]:
    """The arms that `campaign` trains, by name; raises UserError on an unknown name."""
    chosen = arm_names()  # reads every document, so that an error shows before hours of training
    if campaign.arms != ("all",):
        chosen = [arm for name in campaign.arms for arm in ([name] if "-" in name else arm_names(name))]
    for pattern in campaign.exclude:
        if not (excluded := fnmatch.filter(chosen, pattern)):
            raise UserError(f"campaign.exclude: {pattern} matches no arm of the campaign")
        chosen = [name for name in chosen if name not in excluded]
    arms = [arm(full_name, scale) for full_name in chosen]
    if campaign.fresh:
        arms = [replace(a, seeds=a.fresh_seeds) for a in arms if a.fresh_seeds]
        if not arms:
            raise UserError(f"campaign.fresh: no arm of it has fresh seeds at scale {scale.name}")
    return {a.name: replace(a, seeds=a.seeds[: campaign.max_seeds]) for a in arms}


def named(text: str) -> list[Arm]:
    """The published arms that a text names: arms or experiments, between spaces or commas; every arm where
    it is empty. Raises UserError on an unknown name."""
    names = tuple(text.replace(",", " ").split()) or ("all",)
    return list(selected(PUBLISHED, Campaign("named", names)).values())


def digest(content: Any) -> str:
    """16 hexadecimal digits for JSON values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def custom_arm(configuration: Configuration) -> Arm:
    """The custom arm, which the top level of the configuration describes."""
    name = custom_name(configuration.protocol)
    return Arm(name, configuration.protocol, configuration.seeds, CUSTOM / name, configuration.save_model)
