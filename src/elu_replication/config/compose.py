"""The protocol of a run: its typed schema, what values are possible, and how conf/ composes it.

Nothing here imports TensorFlow: a wrong value is refused in about a second.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from elu_replication.config import documents
from elu_replication.errors import UserError, one_line

# What Hydra raises on a wrong override or file; the last two on model=3, say, or activation=[1].
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError)
CONF = Path("conf")
NOT_SET_BY_HAND = ("hydra", "datasets", "experiments", "own", "reports")


def require_root() -> None:
    """Raise UserError unless this runs where conf/ is: every path is relative to it."""
    if not (CONF / "config.yaml").is_file():
        raise UserError("conf/config.yaml is not here: run this from the repository's root")


def options(group: str) -> list[str]:
    """The options of a group, e.g. options("activation"): the files of conf/activation."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def group_option(group: str, option: str) -> dict[str, Any]:
    """The content of conf/<group>/<option>.yaml; raises UserError naming the options there are."""
    path = CONF / group / f"{option}.yaml"
    if not path.is_file():
        raise UserError(f"{group} = {option!r}: must be one of {', '.join(options(group))}")
    return documents.read(path)


def composed(overrides: Iterable[str] = ()) -> DictConfig:
    """conf/config.yaml composed by Hydra with overrides, interpolations left as they are."""
    require_root()
    try:
        with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
            return compose("config", overrides=list(overrides))
    except COMPOSITION_ERRORS as error:
        raise UserError(explain(error)) from error


def explain(error: Exception) -> str:
    """Hydra's or OmegaConf's complaint as one line that names the key and what is allowed."""
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{group} = {option!r}: must be one of {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        return f'{error.override}: cannot be read; quote a value with unusual characters, as in key="~/é"'
    if isinstance(error, yaml.YAMLError | UnicodeDecodeError):
        return one_line(error)
    if isinstance(error.__cause__, OmegaConfBaseException):
        error = error.__cause__
    key = getattr(error, "full_key", None)
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and error.parent_node is not None:
        known = [str(name) for name in error.parent_node if name not in NOT_SET_BY_HAND]
        return f"{key}: unknown key; known here: {', '.join(known)}"
    text = one_line(str(error).partition("full_key:")[0])
    if not isinstance(error, HydraException | OmegaConfBaseException):
        groups = sorted(path.name for path in CONF.iterdir() if path.is_dir())
        return f"{', '.join(groups)}: each takes the name of an option, as in model=mlp ({text})"
    return f"{key}: {text}" if key and key not in text else text
