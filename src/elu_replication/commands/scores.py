"""`make scores`: the test scores of every arm that has runs."""

from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED
from elu_replication.console import say
from elu_replication.errors import run_main


def show(scope: str) -> None:
    """Print the summary of a scale's arms that have runs, and the number of the others."""
    from elu_replication.reports import tables  # imports pandas, for which an error need not wait
    from elu_replication.reports.arms import declared

    summary = tables.summary(declared(scope))
    ran = summary[summary.status != "not run"]
    cut = " (cut: for trying the pipeline, not a result)" if scope == "quick" else ""
    tables.show(ran, f"Scale {scope}{cut}: last epoch, mean ± standard deviation over seeds")
    if missing := len(summary) - len(ran):
        say(
            f"{missing} declared arms are not run: ARMS='experiment-arm ...' trains those named, "
            "SET='campaign=full' all but clevert_fig3"
        )


def main() -> None:
    require_root()
    show(PUBLISHED.name)


if __name__ == "__main__":
    run_main(main)
