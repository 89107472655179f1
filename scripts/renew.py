"""Renew what README.md and docs/ include: `make docs`.

`<!-- include FILE -->`, `<!-- output of COMMAND -->` and `<!-- run of COMMAND -->` each own the text up
to `<!-- end -->`. A FILE's path begins at the repository's root. A command of `output` prints what is
stored. Those of `run` train: they run anew only with --runs, one after another in a clone of the last
commit.
"""

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elu_replication import atomic
from elu_replication.errors import UserError, run_main

INCLUDE = re.compile(r"(<!-- include (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
# make takes the environment as it is: it is that of the Python that runs this.
MAKE = 'make() { command make -o "$(echo .venv/installed-*)" "$@"; }; '
SHOWN = re.compile(r"(<!-- (output|run) of (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def documents() -> list[Path]:
    """The files that may include others."""
    return [Path("README.md"), *sorted(Path("docs").glob("*.md"))]


def with_files(text: str) -> str:
    """The text with the present content of every file that it includes."""
    return INCLUDE.sub(lambda match: f"{match[1]}{Path(match[2]).read_text()}{match[3]}", text)


def with_shown(text: str, kind: str, folder: Path) -> str:
    """The text with new outputs of the commands of a kind, "output" or "run", in `folder`; raises UserError
    if a command fails."""
    return SHOWN.sub(lambda match: _anew(match, folder) if match[2] == kind else match[0], text)


def _anew(match: re.Match[str], folder: Path) -> str:
    opening, _, command, end = match.groups()
    # A make started by make would print the folder that it enters.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    result = subprocess.run(  # noqa: S602 - the manual shows commands of a shell
        MAKE + command,
        shell=True,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if result.returncode:
        raise UserError(f"{command}: exit {result.returncode}: {result.stdout}")
    lines = "\n".join(line.rstrip() for line in result.stdout.splitlines())
    return f"{opening}```text\n$ {command}\n{lines}\n```\n{end}"


@contextmanager
def clone() -> Iterator[Path]:
    """A clone of the last commit as branch main, with the environment and the data of this folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "elu-replication"
        identity = "-c user.name=reader -c user.email=reader@example.org"
        subprocess.run(f"git clone -q {identity} . {folder}".split(), check=True)
        subprocess.run(f"git -C {folder} checkout -q -B main".split(), check=True)
        (folder / ".venv").symlink_to(Path(".venv").resolve())
        (folder / ".git/info/exclude").write_text(".venv\n")  # a link is no folder, which .gitignore names
        if Path("data").exists():
            shutil.copytree("data", folder / "data")
        yield folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Renew what README.md and docs/ include.")
    parser.add_argument("--runs", action="store_true", help="run the commands that train, too")
    runs = parser.parse_args().runs
    for document in documents():
        text = with_files(document.read_text())
        atomic.write_text(document, with_shown(text, "output", Path()))
    if runs:
        with clone() as folder:
            for document in documents():
                atomic.write_text(document, with_shown(document.read_text(), "run", folder))


if __name__ == "__main__":
    run_main(main)
