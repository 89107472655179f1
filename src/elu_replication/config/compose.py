"""How conf/ becomes a configuration: composed by Hydra, checked by the schema, refused in one line."""

from collections.abc import Iterable
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from elu_replication.config.documents import validated
from elu_replication.config.options import CONF, require_root
from elu_replication.config.schema import Configuration
from elu_replication.errors import UserError, one_line

# What Hydra raises on a wrong override or file; the last two on model=3, say, or activation=[1].
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError)
DERIVED = ("datasets", "experiments", "custom", "reports")  # nobody sets them: resolvers make them


def composed(overrides: Iterable[str] = ()) -> DictConfig:
    """conf/config.yaml composed by Hydra with overrides, interpolations left as they are.

    Raises UserError on an override that cannot be read, an unknown key or an unknown option."""
    require_root()
    try:
        with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
            return compose("config", overrides=list(overrides))
    except COMPOSITION_ERRORS as error:
        raise UserError(explain(error)) from error


def configuration(config: DictConfig) -> Configuration:
    """A composed configuration, checked but for what is derived from it; raises UserError."""
    values = {key: config._get_node(key) for key in config if key not in (*DERIVED, "hydra")}
    return validated(Configuration, {key: _plain(node) for key, node in values.items()})


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node._value()


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
        known = [str(name) for name in error.parent_node if name not in (*DERIVED, "hydra")]
        return f"{key}: unknown key; known here: {', '.join(known)}"
    text = one_line(str(error).partition("full_key:")[0])
    if not isinstance(error, HydraException | OmegaConfBaseException):
        groups = sorted(path.name for path in CONF.iterdir() if path.is_dir())
        return f"{', '.join(groups)}: each takes the name of an option, as in model=mlp ({text})"
    return f"{key}: {text}" if key and key not in text else text
