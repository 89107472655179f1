"""Configurations: composed from conf/ by Hydra and checked by the schema; an error is one line."""

import difflib
from collections.abc import Iterable

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from elu_replication.config.documents import validated
from elu_replication.config.options import CONF, options, require_root
from elu_replication.config.schema import Configuration
from elu_replication.errors import UserError, one_line

# What Hydra raises on a wrong override or file; ValueError and TypeError: on model=3 or activation=[1].
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError)
MOST_NAMED = 20  # options that an error lists; of more, the closest
DERIVED = ("datasets", "experiments", "custom", "reports")  # by resolvers; they cannot be set


def composed(overrides: Iterable[str] = ()) -> DictConfig:
    """conf/config.yaml composed by Hydra with overrides, interpolations unresolved.

    Raises UserError on an unreadable override, an unknown key or an unknown option."""
    require_root()
    try:
        with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
            config = compose("config", overrides=list(overrides))
    except COMPOSITION_ERRORS as error:
        raise UserError(explain(error, overrides)) from error
    require_derived(config)
    return config


def require_derived(config: DictConfig) -> None:
    """Raise UserError if a derived key of a composed configuration was set."""
    for key in config:  # `key in config` would resolve it
        if key in DERIVED and not OmegaConf.is_interpolation(config, key):
            raise UserError(f"{key}: cannot be set; ARMS='...' chooses experiments and arms")


def configuration(config: DictConfig) -> Configuration:
    """A composed configuration, checked, without the derived keys; raises UserError on a wrong value."""
    keys = [str(key) for key in config if key not in (*DERIVED, "hydra")]
    try:
        values = OmegaConf.to_container(OmegaConf.masked_copy(config, keys), resolve=True)
    except OmegaConfBaseException as error:  # of an interpolation
        raise UserError(explain(error)) from error
    return validated(Configuration, values)


def explain(error: Exception, overrides: Iterable[str] = ()) -> str:
    """Hydra's or OmegaConf's error as one line that names the key and what is allowed."""
    if isinstance(error, MissingConfigException):
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        several, such_as = error.options or options(group), ""
        if len(several) > MOST_NAMED:
            such_as = f"{len(several)}, such as "
            several = difflib.get_close_matches(option, several, 5, cutoff=0)
        return f"{group} = {option!r}: must be one of {such_as}{', '.join(several)}"
    unread = [override for override in overrides if override.startswith("=")]
    if isinstance(error, OverrideParseException):
        unread = [error.override]
    if unread:
        return f'{unread[0]}: cannot be read; quote a value with unusual characters, as in key="~/é"'
    if isinstance(error, yaml.YAMLError | UnicodeDecodeError):
        return one_line(error)
    if isinstance(error.__cause__, OmegaConfBaseException):
        error = error.__cause__
    key = getattr(error, "full_key", None)
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and error.parent_node is not None:
        known = [str(name) for name in error.parent_node if name not in (*DERIVED, "hydra")]
        return f"{key}: unknown key; " + (
            f"known here: {', '.join(known)}" if known else "its parent is one value"
        )
    if not isinstance(error, HydraException | OmegaConfBaseException):
        for group, _, value in (override.partition("=") for override in overrides):
            if (CONF / group).is_dir() and value not in options(group):
                return f"{group} = {value}: must be one of {', '.join(options(group))}"
    text = one_line(str(error).partition("full_key:")[0])
    return f"{key}: {text}" if key and key not in text else text
