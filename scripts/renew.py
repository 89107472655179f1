"""Renew what README.md shows: included files, and the output of the commands it documents.

`<!-- include FILE -->` and `<!-- output of COMMAND -->` each own the text up to `<!-- end -->`.
"""

import argparse
import os
import re
import subprocess
from pathlib import Path

from elu_replication import atomic
from elu_replication.errors import UserError, run_main

FILE = Path("README.md")
INCLUDED = re.compile(r"(<!-- include (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
OUTPUT = re.compile(r"(<!-- output of (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_files(text: str) -> str:
    """README text with every included file as it is now."""
    return INCLUDED.sub(lambda m: f"{m[1]}{Path(m[2]).read_text()}{m[3]}", text)


def with_outputs(text: str) -> str:
    """README text with the output of every command it shows, run anew; raises UserError when one fails."""

    # A make inside a make would tell its folder.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}

    def shown(match: re.Match[str]) -> str:
        done = subprocess.run(
            match[2],
            shell=True,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            raise UserError(f"README: {match[2]}: {done.stdout}")
        lines = "\n".join(line.rstrip() for line in done.stdout.splitlines())
        return f"{match[1]}```text\n$ {match[2]}\n{lines}\n```\n{match[3]}"

    return OUTPUT.sub(shown, text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Renew the generated parts of README.md.")
    parser.add_argument("--outputs", action="store_true", help="run the commands shown as well")
    text = with_files(FILE.read_text())
    atomic.write_text(FILE, with_outputs(text) if parser.parse_args().outputs else text)


if __name__ == "__main__":
    run_main(main)
