"""Train the missing runs of an experiment in params.yaml, or of the custom arm; the stage `train`."""

import argparse
from pathlib import Path

from elu_replication import atomic
from elu_replication.config import params
from elu_replication.config.experiments import CUSTOM
from elu_replication.config.schema import Arm
from elu_replication.datasets import prepared
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.training import campaign

OUTPUT = CUSTOM.with_name("arm")  # of the stage `custom`
EXPERIMENTS = Path(".dvc/tmp/exps")  # where DVC runs an experiment apart, as a clone of its own


def share_custom_runs() -> None:
    """In an experiment that DVC runs apart, make results/custom/runs that of the clone where it was asked
    for: a finished run is not trained again there, and outlives the experiment's folder."""
    for folder in Path.cwd().parents:
        if folder.match(str(EXPERIMENTS)) and not CUSTOM.exists():
            shared = folder.parents[len(EXPERIMENTS.parts) - 1] / CUSTOM
            shared.mkdir(parents=True, exist_ok=True)
            CUSTOM.parent.mkdir(parents=True, exist_ok=True)
            CUSTOM.symlink_to(shared)


def copy_out(arm: Arm) -> None:
    """Copy the runs of the custom arm to the output of its stage. DVC deletes and replaces outputs, so the
    runs themselves are kept in another folder."""
    files = {
        str(path.relative_to(arm.folder)): path.read_bytes()
        for seed in arm.seeds
        for path in sorted(store.run_folder(arm, seed).iterdir())
    }
    atomic.write_folder(OUTPUT, files)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the missing runs of an experiment in params.yaml.")
    parser.add_argument("experiment", help="its name, or arm: the custom arm")
    experiment = parser.parse_args().experiment
    values = params.read()
    known = [*values.experiments, *values.custom]
    if experiment not in known:
        raise UserError(f"{experiment}: not in params.yaml; it has {', '.join(known)}")
    share_custom_runs()
    arms = params.stated_arms(values).values()
    chosen = [arm for arm in arms if experiment in (arm.name, params.experiment_of(arm))]
    store.require_whole(chosen)
    campaign.take_published(chosen)
    jobs = campaign.pending(chosen)
    for dataset in sorted({job.arm.protocol.dataset.name for job in jobs}):
        prepared.load(dataset)  # so that damaged data are one error here, not one of each worker
    campaign.train(jobs, values.launcher)
    if experiment in values.custom:
        copy_out(chosen[0])


if __name__ == "__main__":
    run_main(main)
