"""What Hydra finds by itself wherever it composes, DVC's `exp run` included: our resolvers."""

from elu_replication.params import register_resolvers

register_resolvers()
