"""Train the missing runs of an experiment in params.yaml, or of the custom arm; the stage `train`."""

import argparse

from elu_replication import atomic
from elu_replication.config import params
from elu_replication.config.experiments import CUSTOM
from elu_replication.config.schema import Arm
from elu_replication.datasets import fetch
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.training import campaign, checkpoints

OUTPUT = CUSTOM.with_name("arm")  # of the stage `custom`


def share_runs() -> None:
    """In an experiment that DVC runs apart, use the custom arms' runs and the checkpoints of the clone
    where it was asked for: what is trained is not trained again, and outlives the experiment's folder."""
    if clone := params.asking_clone():
        for folder in (CUSTOM, checkpoints.FOLDER):
            if not folder.exists():
                (clone / folder).mkdir(parents=True, exist_ok=True)
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.symlink_to(clone / folder)


def copy_out(arm: Arm) -> None:
    """Copy the runs of the custom arm to the output of its stage. DVC deletes and replaces outputs, so the
    runs themselves are kept in another folder."""
    files = {
        f"{path.parent.name}/{path.name}": path.read_bytes()
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
    share_runs()
    arms = params.stated_arms(values).values()
    chosen = [arm for arm in arms if experiment in (arm.name, params.experiment_of(arm))]
    store.require_whole(chosen)
    campaign.take_published(chosen)
    jobs = campaign.pending(chosen)
    fetch.ensure_all((job.arm.protocol for job in jobs), values.dataset)
    campaign.train(jobs, values.launcher)
    if experiment in values.custom:
        copy_out(chosen[0])


if __name__ == "__main__":
    run_main(main)
