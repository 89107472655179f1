"""Renew what README.md and docs/ include: `make docs`.

`<!-- include FILE -->` and `<!-- output of COMMAND -->` each own the text up to `<!-- end -->`. A FILE's
path begins at the repository's root. Commands run anew only with --outputs, because some of them train.
"""

import argparse
import os
import re
import subprocess
from pathlib import Path

from elu_replication import atomic
from elu_replication.errors import UserError, run_main

INCLUDE = re.compile(r"(<!-- include (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
OUTPUT = re.compile(r"(<!-- output of (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def documents() -> list[Path]:
    """The files that may include others."""
    return [Path("README.md"), *sorted(Path("docs").glob("*.md"))]


def with_files(text: str) -> str:
    """The text with the present content of every file that it includes."""
    return INCLUDE.sub(lambda match: f"{match[1]}{Path(match[2]).read_text()}{match[3]}", text)


def with_outputs(text: str) -> str:
    """The text with new outputs of the commands that it shows; raises UserError if a command fails."""
    return OUTPUT.sub(_with_output, text)


def _with_output(match: re.Match[str]) -> str:
    # A make started by make would print the folder that it enters.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    result = subprocess.run(  # noqa: S602 - the manual shows commands of a shell
        match[2], shell=True, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        raise UserError(f"{match[2]}: exit {result.returncode}: {result.stdout}")
    lines = "\n".join(line.rstrip() for line in result.stdout.splitlines())
    return f"{match[1]}```text\n$ {match[2]}\n{lines}\n```\n{match[3]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Renew what README.md and docs/ include.")
    parser.add_argument("--outputs", action="store_true", help="run the commands that are shown, too")
    outputs = parser.parse_args().outputs
    for document in documents():
        text = with_files(document.read_text())
        atomic.write_text(document, with_outputs(text) if outputs else text)


if __name__ == "__main__":
    run_main(main)
