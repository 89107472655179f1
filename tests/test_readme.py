"""README.md and docs/ show today's results, and every link of the manual leads somewhere."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

import renew
from elu_replication.claims.schema import Claim
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED

LINK = re.compile(r"\]\(([^)\s]+)\)")
EXAMPLE = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """The anchors that a code host gives to a document's headings."""
    headings = HEADING.findall(document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_broken(document: Path, link: str) -> bool:
    if link.startswith("https://"):
        return False
    name, _, anchor = link.partition("#")
    target = document.parent / name if name else document
    return not target.exists() or (bool(anchor) and anchor not in anchors(target))


def test_included_results_are_today_s() -> None:
    for document in renew.documents():
        text = document.read_text()
        renewed = renew.with_shown(renew.with_files(text), "output", ROOT)
        assert renewed == text, f"{document} is out of date: `make docs` renews it"
        begun = len(renew.INCLUDE.findall(text)) + len(renew.SHOWN.findall(text))
        assert text.count("<!--") == 2 * begun, f"{document} has a comment that renews nothing"


def test_an_include_is_replaced_by_the_file(tmp_path: Path) -> None:
    file = tmp_path / "table.md"
    file.write_text("new\n")
    around = f"before\n<!-- include {file} -->\n{{}}<!-- end -->\nafter\n"
    assert renew.with_files(around.format("old\n")) == around.format("new\n")


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    documents = [
        *renew.documents(),
        Path("CONTRIBUTING.md"),
        Path("CHANGELOG.md"),
        Path("results/README.md"),
    ]
    links = [(document, link) for document in documents for link in LINK.findall(document.read_text())]
    assert len(links) > 50
    assert [f"{document}: {link}" for document, link in links if is_broken(document, link)] == []


def test_the_readme_is_short() -> None:
    assert len(Path("README.md").read_text().splitlines()) <= 150


def test_the_examples_of_contributing_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, claim = EXAMPLE.findall(Path("CONTRIBUTING.md").read_text())
    Claim.model_validate(yaml.safe_load(claim)["C84"])
    monkeypatch.setattr(experiments, "FOLDER", tmp_path)
    (tmp_path / "example.yaml").write_text(experiment)
    assert experiments.arm("example-elu", PUBLISHED).protocol.model.hidden_layers == 3
