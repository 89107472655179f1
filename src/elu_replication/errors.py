"""Errors that are meant for a person: one line, what was given, what to do."""

import os
import sys
from collections.abc import Callable


class UserError(Exception):
    """A problem the user can mend; its text is the one line that is shown."""


def one_line(error: BaseException | str) -> str:
    """The error's text with every run of white space made a single space."""
    return " ".join(str(error).split()) or type(error).__name__


def brief(error: UserError | OSError) -> str:
    """Either kind of error as one line: a system's own with the file that it is about."""
    if isinstance(error, UserError):
        return one_line(error)
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or one_line(error)}{where}"


def run_main(main: Callable[[], int | None]) -> None:
    """Run a command's main(); a UserError or a full disk becomes one line, exit 1 (Ctrl-C: 130)."""
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {brief(error)}")
    except KeyboardInterrupt:
        print("\nstopped: finished runs and checkpoints are kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"error: {brief(error)}; no file is left half written")
