"""The terminal that every command writes to."""

import sys

from rich.console import Console
from rich.table import Table

# A log has no width of its own; rich would take 80 columns for it.
console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)


def say(line: str) -> None:
    """One line, left to the terminal to wrap."""
    console.print(line, soft_wrap=True)


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table whose first column is never broken."""
    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for place, column in enumerate(columns):
        shown.add_column(column, no_wrap=not place)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
