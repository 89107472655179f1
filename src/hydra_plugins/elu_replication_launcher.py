"""Hydra's launcher for sweeps: the arms of a batch train side by side before its jobs run."""

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from omegaconf import DictConfig

from elu_replication.commands.sweep import applicable, bring_up_to_date, comparison


class SideBySide(BasicLauncher):
    """Trains the missing runs of a batch on all cores, runs its jobs, and compares their arms."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        assert self.hydra_context is not None
        assert self.config is not None
        loader, config = self.hydra_context.config_loader, self.config

        def compose(jobs: Sequence[Sequence[str]]) -> list[DictConfig]:
            return [loader.load_sweep_config(config, list(job)) for job in jobs]

        jobs = applicable(job_overrides, compose(job_overrides))
        arms = bring_up_to_date(compose(jobs))
        returns = super().launch(jobs, initial_job_idx)
        comparison(arms)
        return returns


ConfigStore.instance().store(
    group="hydra/launcher",
    name="side_by_side",
    node={"_target_": f"{SideBySide.__module__}.{SideBySide.__name__}"},
)
