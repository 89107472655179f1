"""Train the missing runs of an experiment in params.yaml, or of the custom arm; the stage `train`."""

import argparse

from elu_replication.config import params
from elu_replication.errors import UserError, run_main
from elu_replication.training import campaign


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the missing runs of an experiment in params.yaml.")
    parser.add_argument("experiment", help="its name, or arm: the custom arm")
    experiment = parser.parse_args().experiment
    values = params.read()
    known = [*values.experiments, *values.custom]
    if experiment not in known:
        raise UserError(f"{experiment}: not in params.yaml; it has {', '.join(known)}")
    arms = params.stated_arms(values).values()
    chosen = [arm for arm in arms if experiment in (arm.name, params.experiment_of(arm))]
    campaign.train(campaign.pending(chosen), values.launcher)


if __name__ == "__main__":
    run_main(main)
