"""Lines and tables in the terminal, or in a log."""

import sys

from rich.console import Console
from rich.table import Table

# A log has no width of its own; rich would break its lines at 80 columns.
console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)


def say(line: str) -> None:
    """Print one line; the terminal wraps it, so that a log and a copied line stay whole."""
    console.print(line, soft_wrap=True)


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table whose first column is never wrapped."""
    grid = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        grid.add_column(column, no_wrap=index == 0)
    for row in rows:
        grid.add_row(*row)
    console.print(grid)
