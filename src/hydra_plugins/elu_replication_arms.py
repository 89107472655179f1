"""Hydra's group `arm`: arm=asu_mlp-sgd_elu starts from a published arm, which other overrides change."""

from typing import Any

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf

from elu_replication.config.experiments import arm, arm_names
from elu_replication.config.schema import PUBLISHED

# These groups have an option with the arm's name and values, so that activation=relu replaces all of them
# and activation.alpha=0.5 changes one.
SET_BY_ARMS = ("model", "activation", "initializer", "optimizer")


class PublishedArms(ConfigSource):
    """Every declared arm as an option, made from its document on demand."""

    @staticmethod
    def scheme() -> str:
        return "arms"

    def load_config(self, config_path: str) -> ConfigResult:
        """The content that a file conf/<group>/<arm>.yaml would have."""
        group, _, name = config_path.removesuffix(".yaml").partition("/")
        values: dict[str, Any] = arm(name, PUBLISHED).protocol.as_dict()
        header = {"package": "_global_" if group == "arm" else None}
        if group == "arm":
            defaults = [{f"override /{key}": name} for key in SET_BY_ARMS]
            defaults.append({"override /dataset": values["dataset"]["name"]})
            plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
            values = {group: {"defaults": defaults, **plain}}
        config = OmegaConf.create(values[group])
        return ConfigResult(f"{self.scheme()}://{config_path}", self.provider, config, header)

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return config_path in ("", "arm", *SET_BY_ARMS)

    def is_config(self, config_path: str) -> bool:
        group, _, name = config_path.removesuffix(".yaml").partition("/")
        return group in ("arm", *SET_BY_ARMS) and name in arm_names()

    def list(self, config_path: str, results_filter: ObjectType | None) -> Any:
        """The arms, as options of the group `arm` only."""
        return arm_names() if config_path == "arm" and results_filter != ObjectType.GROUP else []
