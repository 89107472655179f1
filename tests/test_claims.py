"""The claims as data: all 53, strictly checked, and their outputs from what is stored."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from elu_replication import console
from elu_replication.claims import checks, schema
from elu_replication.claims.contrasts import VERDICTS
from elu_replication.claims.verdicts import ClaimResult, outcomes
from elu_replication.commands import claim
from elu_replication.config import experiments
from elu_replication.errors import UserError


@pytest.fixture(scope="module")
def found() -> list[ClaimResult]:
    return outcomes()


def test_every_claim_is_there_once() -> None:
    assert list(schema.load_claims()) == [f"C{number}" for number in range(1, 54)]


def test_experiments_and_claims_name_each_other() -> None:
    """A document lists the claims that its arms serve, and no others."""
    serves: dict[str, set[str]] = {name: set() for name in experiments.names()}
    for group, held in schema.claim_groups().items():
        for name, published in held.items():
            if group in serves:
                serves[group].add(name)
            for arm in published.arms:
                serves[arm.partition("-")[0]].add(name)
    for name in experiments.names():
        assert set(experiments.load(name).claims) == serves[name], name


def test_the_ledger_covers_what_the_claims_leave_open() -> None:
    covered = {name for reading in schema.load_ledger().ambiguities for name in reading.claims}
    open_claims = {name for name, claim in schema.load_claims().items() if len(claim.readings) > 1}
    readings = {"C16", "C17", "C20", "C24", "C32", "C39"}  # not contradictions
    assert open_claims - covered <= readings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    schema.claim_groups.cache_clear()
    yield tmp_path
    schema.claim_groups.cache_clear()


GOOD = {
    "source": "M",
    "place": "-",
    "statement": "-",
    "kind": "DIR",
    "readings": {"one": [{"metric": "test_loss", "arms": {"asu_mlp-sgd_elu": 1}, "expect": "lower"}]},
}


def one_test(**fields: object) -> dict[str, object]:
    return {"readings": {"one": [{**GOOD["readings"]["one"][0], **fields}]}}  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (one_test(arms={"asu_mlp-sgd_elo": 1}), "arm 'asu_mlp-sgd_elo': asu_mlp has the arms"),
        (one_test(metric="test_los"), "metric 'test_los': must be one of"),
        (one_test(published=0.3), "either `published` or `expect`"),
        ({"kind": "DET"}, "a DET claim names its check"),
        ({"kind": "DET", "check": "no_such"}, "check 'no_such': must be one of"),
        ({"kind": "TXT"}, "two passages or more"),
        ({"readings": {}}, "a DIR claim has readings"),
        ({"source": "X"}, "source X: must be of M, B, A, P"),
        ({"colour": "blue"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_it(
    change: dict[str, object], told: str, folder: Path
) -> None:
    (folder / "wrong.yaml").write_text(yaml.safe_dump({"claims": {"C7": {**GOOD, **change}}}))
    with pytest.raises(UserError, match=told) as refused:
        schema.claim_groups()
    assert str(refused.value).startswith(f"{folder}/wrong.yaml: schema.C7")
    assert "\n" not in str(refused.value)


def test_a_good_entry_is_all_that_a_new_claim_needs(folder: Path) -> None:
    (folder / "new.yaml").write_text(yaml.safe_dump({"claims": {"C54": GOOD}}))
    assert list(schema.claim_groups()["new"]) == ["C54"]


def test_every_check_is_used_and_none_is_empty() -> None:
    used = {claim.check for claim in schema.load_claims().values()} - {None}
    assert used == set(checks.CHECKS)
    assert all(check() for check in checks.CHECKS.values())


def test_what_mathematics_decides_is_as_the_reference_has_it(found: list[ClaimResult]) -> None:
    decided = {each.id: each.verdict for each in found if each.claim.kind == "DET" and not each.readings}
    wrong = {"C21", "C28", "C33", "C34", "C36", "C38", "C40", "C41"}
    assert {name for name, verdict in decided.items() if verdict == "not replicated"} == wrong
    assert {name for name in decided if name not in wrong} == {
        "C18",
        "C25",
        "C27",
        "C35",
        "C37",
        "C52",
        "C53",
    }


def test_every_claim_has_an_outcome_and_its_numbers_are_the_same_everywhere(
    found: list[ClaimResult], tmp_path: Path
) -> None:
    schema.write(found, tmp_path)
    table = pd.read_csv(tmp_path / "claims.csv", keep_default_na=False)
    columns = (
        "id source kind statement arms metric n effect low high margin published verdict reason command"
    )
    assert list(table) == columns.split()
    assert list(table.id) == list(schema.load_claims())
    assert set(table.verdict) <= set(VERDICTS)
    assert (table.reason != "").all()
    content = json.loads((tmp_path / "claims.json").read_text())
    assert [entry["verdict"] for entry in content["claims"]] == list(table.verdict)
    effects = pd.Series([entry["effect"] for entry in content["claims"]], dtype=float)
    np.testing.assert_allclose(effects, pd.to_numeric(table.effect), rtol=1e-7)
    tests = pd.DataFrame([test for entry in content["claims"] for test in entry["tests"]])
    stored = pd.read_csv(tmp_path / "claim_tests.csv")
    np.testing.assert_allclose(tests.p.astype(float), stored.p, rtol=1e-7)
    test = ["id", "arms", "metric", "than"]
    families = stored[stored.p_holm.notna()].assign(
        file=stored.id.map({each.id: each.group for each in found})
    )
    for _, family in families.groupby("file"):  # Holm's smallest: as often as there are tests, each once
        tested = family.drop_duplicates(test[1:])
        assert tested.p_holm.min() == pytest.approx(min(1, tested.p.min() * len(tested)))
    assert sum(content["counts"].values()) == 53
    page = (tmp_path / "claims.md").read_text()
    for each in found:
        assert page.count(f"### {each.id}\n\n**{each.verdict}.**") == 1
    missing = table[table.verdict == "not run"]
    assert missing.reason.str.contains("no runs of|no seed").all()  # naming what is missing
    for name in ("claims.csv", "claims.md"):  # the committed verdicts are those of the committed runs
        assert (tmp_path / name).read_text() == (ROOT / "results" / name).read_text(), name
    schema.write(outcomes(), tmp_path / "again")
    for name in ("claims.csv", "claim_tests.csv", "claims.md", "claims.json", "claims.png", "claims.svg"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


@pytest.mark.parametrize("name", ["C1", "C7", "C38", "C29"])  # NUM, DIR, DET, TXT
def test_a_claim_is_explained_in_the_terminal(name: str, found: list[ClaimResult]) -> None:
    with console.console.capture() as captured:
        claim.explain(next(each for each in found if each.id == name))
    said = captured.get()
    assert said.startswith(f"{name} (")
    verdict = said.rpartition("Verdict: ")[2]
    assert verdict.startswith(VERDICTS)


def test_an_unknown_claim_is_one_line() -> None:
    command = [sys.executable, "-m", "elu_replication.commands.claim", "C99"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: ID=C99: no such claim; ID=C7 is one, and there are C1 to C53\n"
