"""Train what the arms of an experiment of params.yaml lack, or the user's own; the DVC stage `train`."""

import argparse

from elu_replication.config import params
from elu_replication.config.schema import Launcher, typed
from elu_replication.errors import UserError, run_main
from elu_replication.training import campaign


def main() -> None:
    parser = argparse.ArgumentParser(description="Bring an experiment of params.yaml up to date.")
    parser.add_argument("experiment", help="its name there, or arm: the user's own arm")
    experiment = parser.parse_args().experiment
    stated = params.read()
    known = [*stated["experiments"], *stated["own"]]
    if experiment not in known:
        raise UserError(f"{experiment}: not in params.yaml; it has {', '.join(known)}")
    arms = params.stated_arms(stated).values()
    chosen = [arm for arm in arms if experiment in (arm.name, params.experiment_of(arm))]
    campaign.train(campaign.pending(chosen), typed(Launcher, stated["launcher"]))


if __name__ == "__main__":
    run_main(main)
