"""`make freeze`: write the plan, experiments/plan.lock, or amend it with a reason."""

import argparse

from elu_replication.claims import identification, plan, schema
from elu_replication.config.options import require_root
from elu_replication.console import say
from elu_replication.errors import run_main
from elu_replication.runs import store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the plan differs")
    parser.add_argument("--reason", default="", help="why something changes that has fresh runs")
    options = parser.parse_args()
    require_root()
    schema.load_ledger()  # a mistake here or there would stop the verdicts, and the plan does not show it
    identification.load_curves()
    if options.check:
        plan.check()
    else:
        names = plan.freeze(options.reason.strip())
        say(f"{store.PLAN}: {', '.join(names) if 0 < len(names) < 10 else f'{len(names)} entries'} renewed")


if __name__ == "__main__":
    run_main(main)
