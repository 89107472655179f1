"""What Hydra finds by itself wherever it composes, DVC's `exp run` included: our resolvers."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from elu_replication.config import params

for resolver in (params.experiments, params.custom, params.datasets, params.reports):

    def resolve(*, _root_: DictConfig, resolver: Any = resolver) -> DictConfig:
        return OmegaConf.create(resolver(_root_))

    OmegaConf.register_new_resolver(resolver.__name__, resolve, replace=True)
