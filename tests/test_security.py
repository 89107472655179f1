"""Strange input: names, documents, archives and settings are text and numbers, never commands."""

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from elu_replication.claims import results
from elu_replication.commands import stamp
from elu_replication.config import experiments, params
from elu_replication.config.compose import composed, configuration
from elu_replication.config.options import group_option
from elu_replication.config.schema import PUBLISHED
from elu_replication.datasets import fetch
from elu_replication.errors import UserError
from elu_replication.reports import page, paper, tables
from elu_replication.reports.arms import Row
from elu_replication.runs import evidence
from elu_replication.training import checkpoints

MAKE_SETS = (
    "SET",
    "ARM",
    "ARMS",
    "ID",
    "REASON",
    "EPOCHS",
    "FROM",
    "MODULES",
    "AUDIT",
    "CHECK",
    "V",
    "MAKEFLAGS",
    "MAKELEVEL",
)
MOST = 2**26  # bytes of an array
COMMANDS = """$(shell touch sprung)$(touch sprung)${HOME}`touch sprung`"; touch sprung; '; touch sprung #"""


class Trap:
    """An object whose pickle runs code when it is loaded."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Any, ...]:
        return self.sprung.touch, ()


def made(folder: Path, *words: str, **settings: str) -> list[str]:
    """What `make` with some words and an environment's settings hands to Python, in a folder of its own."""
    shutil.copy(ROOT / "Makefile", folder)
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    for name in ("requirements.txt", "pyproject.toml", ".venv/installed-requirements.txt"):
        (folder / name).touch()
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    # Where make runs this test, its settings are in the environment, empty.
    kept = {name: value for name, value in os.environ.items() if name not in MAKE_SETS}
    return subprocess.check_output(
        ["make", "-s", *words], cwd=folder, env=kept | settings, text=True
    ).splitlines()


@pytest.mark.parametrize(
    ("target", "setting"),
    [
        *(("replicate", name) for name in ("SET", "ARM", "ARMS")),
        *(("audit", name) for name in ("ARMS", "EPOCHS")),
        *(("stamp", name) for name in ("FROM", "ARMS")),
        *(("claim", "ID"), ("freeze", "REASON"), ("params", "SET")),
    ],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_make_hands_settings_on_as_they_are(target: str, setting: str, by: str, tmp_path: Path) -> None:
    given = [f"{setting}={COMMANDS}"] if by == "argument" else []
    assert COMMANDS in made(tmp_path, target, *given, **({} if given else {setting: COMMANDS}))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("replicate", "AUDIT=0"), "--no-audit"),
        (("claim", "ID=C7", "V=1"), "-v"),
        (("freeze", "CHECK=1"), "--check"),
    ],
)
def test_make_hands_its_flags_on_where_they_are_set(
    words: tuple[str, ...], option: str, tmp_path: Path
) -> None:
    assert option in made(tmp_path, *words)
    assert option not in made(tmp_path, words[0])


@pytest.mark.parametrize("commit", ["--help", "--exec=touch sprung", "-h", "HEAD; touch x", "$(x)", ""])
def test_a_commit_is_no_option_of_git(commit: str) -> None:
    with pytest.raises(UserError, match=r"no such commit in this repository"):
        stamp.full_hash(commit)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of experiments/ to which documents may be added."""
    copied = tmp_path / "experiments"
    copied.mkdir()
    for path in experiments.FOLDER.glob("*.yaml"):
        shutil.copy(path, copied)
    monkeypatch.setattr(experiments, "FOLDER", copied)
    experiments.load.cache_clear()
    experiments.arm.cache_clear()
    yield copied
    experiments.load.cache_clear()
    experiments.arm.cache_clear()


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write a document "wrong" that has nothing but this."""
    content |= {"published": {}, "panels": {}, "fresh_seeds": []}
    (folder / "wrong.yaml").write_text(yaml.safe_dump(content))
    experiments.load.cache_clear()


@pytest.mark.parametrize("name", ["x;touch sprung", "$(touch sprung)", "${oc.env:HOME}", "a b", "<b>"])
def test_an_experiment_s_name_is_no_command(name: str, folder: Path) -> None:
    """DVC's stages name experiments in commands of the shell."""
    (folder / f"{name}.yaml").touch()
    with pytest.raises(UserError, match=r"rename it without .*, in letters, digits and '_'"):
        composed()["experiments"]


@pytest.mark.parametrize("name", ["../other", "../experiments/asu_mlp", "published/../asu_mlp", "/etc/x"])
def test_an_experiment_s_name_leads_nowhere_else(name: str, folder: Path) -> None:
    shutil.copy(folder / "asu_mlp.yaml", folder.parent / "other.yaml")
    with pytest.raises(UserError, match="must be one of asu_mlp"):
        experiments.arm(f"{name}-sgd_elu", PUBLISHED)
    for content in (
        {"extends": name},
        {"extends": "asu_mlp", "arms": {"x": {"activation": "elu", "same_as": f"{name}-sgd_elu"}}},
    ):
        write(folder, content)
        with pytest.raises(UserError, match="must be one of asu_mlp"):
            experiments.arm("wrong-x", PUBLISHED)


def test_an_option_s_name_leads_nowhere_else() -> None:
    with pytest.raises(UserError, match=r"dataset = '../config': must be one of fashion_mnist, mnist"):
        group_option("dataset", "../config")


@pytest.mark.parametrize("folder", ["../elsewhere", "/tmp", "results/published/runs/asu_mlp/sgd_elu"])
def test_params_yaml_sends_no_run_to_another_folder(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = yaml.safe_load(params.text(["epochs=7"]))
    monkeypatch.setattr(params, "FILE", tmp_path / "params.yaml")
    params.FILE.write_text(yaml.safe_dump(values))
    assert params.read().epochs == 7
    values["custom"]["arm"]["folder"] = folder
    params.FILE.write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=rf"custom.arm.folder is {folder}, should be results/custom/runs/"):
        params.read()


@pytest.mark.parametrize(
    "override", ["+model._target_=os.system", "+activation._target_=os.abort", "+_target_=os.abort"]
)
def test_no_setting_names_code(override: str) -> None:
    with pytest.raises(UserError, match="_target_: unknown key"):
        configuration(composed([override]))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model._target_": "os.system"}, "_target_: unknown key"),
        ({"activation": "${oc.env:HOME}"}, r"activation = '\${oc.env:HOME}': must be one of"),
        ({"loss": "${oc.env:HOME}"}, r"loss = \${oc.env:HOME}: must be one of"),
    ],
)
def test_a_document_names_neither_code_nor_variables(
    overrides: dict[str, str], message: str, folder: Path
) -> None:
    write(folder, {"extends": "asu_mlp", "arms": {"x": {"activation": "elu", **overrides}}})
    with pytest.raises(UserError, match=message):
        experiments.arm("wrong-x", PUBLISHED)


def test_yaml_makes_no_object(folder: Path) -> None:
    (folder / "wrong.yaml").write_text("title: !!python/object/apply:os.system ['touch sprung']\n")
    with pytest.raises(UserError, match=r"wrong\.yaml: line 1: could not determine a constructor"):
        experiments.load("wrong")
    assert not Path("sprung").exists()


def test_a_pickle_in_a_checkpoint_is_not_opened(tmp_path: Path) -> None:
    path, sprung = tmp_path / "checkpoint.npz", tmp_path / "sprung"
    np.savez(path, np.array("{}"), np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="allow_pickle=False"):
        checkpoints.load(path)
    assert not sprung.exists()


def test_sizes_that_a_header_only_claims_are_one_line() -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**15,)}
    )
    npz = io.BytesIO()
    with zipfile.ZipFile(npz, "w") as archive:
        for name in fetch.NPZ_NAMES.values():
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.raises(fetch.MirrorError, match=r"not an \.npz"):
        fetch.decode_npz(npz.getvalue(), MOST)
    dimensions = 100
    with pytest.raises(fetch.MirrorError, match="not an IDX file"):
        fetch.decode_idx(bytes([0, 0, 8, dimensions]) + np.ones(dimensions, ">u4").tobytes() + b"x", MOST)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_a_package_of_npm_runs_nothing(tmp_path: Path) -> None:
    package, brought = tmp_path / "package", tmp_path / "brought"
    package.mkdir()
    brought.mkdir()
    scripts = '{"prepack": "touch ../sprung", "prepare": "touch ../sprung"}'
    (package / "package.json").write_text(f'{{"name": "x", "version": "1.0.0", "scripts": {scripts}}}')
    assert fetch.npm_package(str(package), brought).suffix == ".tgz"
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(fetch.MirrorError, match="npm pack failed"):
        fetch.npm_package(f"--pack-destination={tmp_path}", brought)


MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def hostile(text: str) -> results.Results:
    """The stored verdicts with a strange statement, note and reason in each claim."""
    stored = results.load()
    strange = {"statement": text, "note": text, "reason": text}
    return stored.model_copy(update={"claims": [c.model_copy(update=strange) for c in stored.claims]})


def test_the_page_shows_markup_as_text(folder: Path) -> None:
    document = yaml.safe_load((folder / "asu_mlp.yaml").read_text())
    for key in ("title", "source", "question", "published_account"):
        document[key] = MARKUP
    document["ambiguities"] = [MARKUP]
    (folder / "asu_mlp.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (arm,) = evidence.counted(["asu_mlp-sgd_elu"]).values()
    rows = [Row("asu_mlp", "sgd_elu", arm, None)]
    text = page.render(rows, hostile(MARKUP))
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x") > 100
    assert "alert(1)</script>" not in text
    assert "<img src=x" not in text


def test_the_data_of_the_page_cannot_end_its_script() -> None:
    chart = {"id": MARKUP, "arms": [], "views": [{"title": MARKUP}]}
    assert "<" not in page.payload([chart])


def test_a_text_is_no_command_of_latex() -> None:
    latex = paper.latex(hostile(r"\input{/etc/passwd} \write18{x} $x$ & % # _ ~ ^"))
    assert r"\input" not in latex
    assert r"\write" not in latex
    assert r"\textbackslash input\{/etc/passwd\}" in latex


@pytest.mark.parametrize("text", ["=HYPERLINK(0)", "@SUM(1)", "+1+1", "-1+1", "\t=1", "\r=1"])
def test_a_text_is_no_formula_of_a_spreadsheet(text: str, tmp_path: Path) -> None:
    plain = ["plain = text", "-1 ± 0.0001", "-2.5e3", "-"]
    frame = pd.DataFrame({"text": [text, *plain], "number": -0.5})
    (tmp_path / "table.csv").write_text(tables.csv(frame, 6), newline="")
    read = pd.read_csv(tmp_path / "table.csv", lineterminator="\n")
    assert read.text.tolist() == [f"'{text}", *plain]
    assert read.number.tolist() == [-0.5] * 5
    assert f"'{text}" in tables.csv(pd.DataFrame({"statement": [text]}), 8)
