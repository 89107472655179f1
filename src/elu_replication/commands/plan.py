"""`make plan`: how many of the declared fresh seeds are stored, and the hours that the rest take."""

from elu_replication.config import experiments
from elu_replication.config.options import option, require_root
from elu_replication.config.schema import LOCAL, PUBLISHED, Campaign
from elu_replication.console import say, table
from elu_replication.errors import run_main
from elu_replication.runs import store
from elu_replication.training import campaign, cost


def main() -> None:
    require_root()
    store.require_whole(experiments.every_arm(PUBLISHED))
    arms = experiments.selected(PUBLISHED, option(Campaign, "campaign", "fresh")).values()
    left, rows = campaign.pending(arms), []
    for batch in dict.fromkeys(map(campaign.batch, arms)):
        missing = [job for job in left if campaign.batch(job.arm) == batch]
        seeds = [seed for arm in arms if campaign.batch(arm) == batch for seed in arm.seeds]
        stored_seeds = f"{len(seeds) - len(missing)} of {len(seeds)}"
        size = f"{len(seeds) // batch[1]} x {batch[1]}"
        rows.append([batch[0], size, stored_seeds, f"{campaign.minutes(missing, LOCAL) / 60:.1f}"])
    table("The fresh seeds, in this order", ["Experiment", "Arms x seeds", "Stored", "Hours left"], rows)
    say(f"Left: {len(left)} runs, {campaign.minutes(left, LOCAL) / 60:.1f} hours on {cost.cores()} cores")
    say("`make replicate SET='campaign=fresh'` trains them, with ARMS='...' those of some experiments")


if __name__ == "__main__":
    run_main(main)
