"""The resolvers of conf/config.yaml, where Hydra finds them, also in DVC's `exp run`."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from elu_replication.config import params

for resolver in (params.experiments, params.custom, params.datasets, params.reports):

    def resolve(*, _root_: DictConfig, resolver: Any = resolver) -> DictConfig:
        return OmegaConf.create(resolver(_root_))

    OmegaConf.register_new_resolver(resolver.__name__, resolve, replace=True)
