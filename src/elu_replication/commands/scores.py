"""`make scores`: the test scores of every arm that has runs."""

from collections.abc import Collection

from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED
from elu_replication.console import say
from elu_replication.errors import run_main


def show(scope: str, folders: Collection[str] = ()) -> None:
    """Print the scores of a scope's arms that have runs, or of those whose runs are in some `folders`, and
    the number of the others."""
    from elu_replication.reports import tables  # imports pandas, for which an error need not wait
    from elu_replication.reports.arms import declared

    summary = tables.summary(declared(scope))
    ran = summary[summary.status != "not run"]
    shown = ran[ran.runs.isin(list(folders))] if folders else ran
    cut = " (cut: for trying the pipeline, not a result)" if scope == "quick" else ""
    arms = "Custom arm" if scope == "custom" else f"Scale {scope}{cut}"
    if len(shown):
        tables.show(shown, arms)
    if folders:
        say(f"{len(ran) - len(shown)} more arms have runs")
    elif missing := len(summary) - len(ran):
        say(
            f"{missing} declared arms are not run: ARMS='experiment-arm ...' trains those named, "
            "SET='campaign=full' all but clevert_fig3"
        )


def main() -> None:
    require_root()
    show(PUBLISHED.name)


if __name__ == "__main__":
    run_main(main)
