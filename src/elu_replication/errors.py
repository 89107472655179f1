"""Errors for people: one line that names what is wrong and what to do."""

import os
import sys
from collections.abc import Callable


class UserError(Exception):
    """A problem that the user can solve; its text is shown as one line."""


def one_line(error: BaseException | str) -> str:
    """The error's text on one line, or the name of its type if it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def brief(error: UserError | OSError) -> str:
    """The error as one line, with the file of an OSError."""
    if isinstance(error, UserError):
        return one_line(error)
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or one_line(error)}{where}"


def run_main(main: Callable[[], None]) -> None:
    """Run a command's main(). A UserError or OSError, such as a full disk, becomes
    one line and exit code 1; Ctrl-C becomes exit code 130, as shells expect."""
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {brief(error)}")
    except KeyboardInterrupt:
        print("\nstopped: finished runs and checkpoints are kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"error: {brief(error)}; no file is half written")
