"""The documents: all of them resolve, and share runs only where they say so."""

import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from conftest import ROOT

from elu_replication.commands.sweep import applicable
from elu_replication.config import experiments, params
from elu_replication.config.compose import composed, configuration
from elu_replication.config.documents import validated
from elu_replication.config.options import group_option, option
from elu_replication.config.schema import PUBLISHED, Activation, Campaign, Scale
from elu_replication.errors import UserError
from elu_replication.training import campaign


@pytest.mark.parametrize("name", experiments.names())
def test_every_document_shows_every_arm_in_a_panel(name: str) -> None:
    document = experiments.load(name)
    paneled = sorted(arm for arms in document.panels.values() for arm in arms)
    assert paneled == sorted(document.arms)
    assert document.ambiguities


def test_equal_protocols_share_their_runs() -> None:
    arms = [arm for arms in experiments.declared(PUBLISHED).values() for arm in arms.values()]
    for one, other in combinations(arms, 2):
        assert (one.protocol == other.protocol) == (one.folder == other.folder), (one.name, other.name)


def test_the_article_s_protocol_is_as_published() -> None:
    arm = experiments.arm("machinecurve_25-glorot_elu01", PUBLISHED)
    protocol = arm.protocol
    assert (protocol.activation.name, protocol.activation.alpha) == ("elu", 0.1)
    assert (protocol.batch_size, protocol.epochs, protocol.dropout) == (250, 25, 0.25)
    assert (protocol.optimizer.name, protocol.optimizer.learning_rate) == ("adam", 0.001)
    assert (protocol.train_images, protocol.validation_images) == (60_000, 12_000)


def test_another_option_of_a_group_drops_what_the_protocol_set_within_it() -> None:
    arm = experiments.arm("asu_mlp-adam_elu", PUBLISHED)
    assert (arm.protocol.optimizer.name, arm.protocol.optimizer.learning_rate) == ("adam", 0.001)


def test_quick_scale_cuts_everything_and_stays_apart() -> None:
    quick = validated(Scale, group_option("scale", "quick"))
    for arms in experiments.declared(quick).values():
        for arm in arms.values():
            assert arm.name.startswith("quick-")
            assert arm.folder.is_relative_to("results/quick")
            assert arm.protocol.epochs <= 2
            assert arm.protocol.train_images <= 3000
            assert len(arm.seeds) <= 2


def test_the_default_campaign_is_of_stored_runs() -> None:
    core = option(Campaign, "campaign", "core")
    chosen = experiments.selected(PUBLISHED, core)
    assert {"machinecurve_25-he_elu1", "asu_mlp-sgd_elu", "clevert_fig2-lrelu"} <= set(chosen)
    assert campaign.pending(chosen.values()) == []


def test_a_whole_experiment_can_be_named() -> None:
    chosen = experiments.selected(PUBLISHED, Campaign("named", ("clevert_fig2",), max_seeds=2))
    assert list(chosen) == ["asu_mlp-sgd_elu", "clevert_fig2-lrelu", "asu_mlp-sgd_relu"]
    assert {arm.seeds for arm in chosen.values()} == {(0, 1)}


def test_what_extends_another_may_leave_its_protocol_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = experiments.load("asu_mlp").protocol
    (tmp_path / "asu_mlp.yaml").write_text(Path("experiments/asu_mlp.yaml").read_text())
    (tmp_path / "like.yaml").write_text("extends: asu_mlp\nprotocol:\n")
    monkeypatch.setattr(experiments, "FOLDER", tmp_path)
    assert experiments.load("like").protocol == whole
    experiments.load.cache_clear()


def test_set_keeps_what_is_in_quotes_and_brackets_together() -> None:
    words = params.words("""  model=mlp dataset.path="~/a b/é" seeds=[0, 1] '+x=a b'""")
    assert words == ["model=mlp", 'dataset.path="~/a b/é"', "seeds=[0, 1]", "'+x=a b'"]
    assert composed(words[:3]).dataset.path == "~/a b/é"
    assert composed(words[:3]).seeds == [0, 1]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another folder with the repository's conf/, experiments/ and params.yaml."""
    for name in ("conf", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_params_yaml_is_one_process_s_at_a_time(elsewhere: Path) -> None:
    command = [sys.executable, "-m", "elu_replication.config.params"]
    with params.alone():
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: another `make replicate` is under way here")
    subprocess.run(command, check=True)
    assert (elsewhere / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()


def test_a_killed_command_s_overrides_are_taken_back_by_the_next(elsewhere: Path) -> None:
    killed = (
        "import os, signal\nfrom elu_replication.config import params\n"
        "with params.alone(), params.replaced(['epochs=7']): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", killed])
    assert done.returncode == -9
    assert "epochs: 7" in (elsewhere / "params.yaml").read_text()
    with params.alone():
        params.check()
    assert (elsewhere / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_params_yaml_is_what_conf_and_experiments_make() -> None:
    params.check()


def test_the_defaults_are_no_custom_arm_but_any_change_is() -> None:
    assert params.custom(composed()) == {}
    assert params.custom(composed(["activation.alpha=0.5"]))["arm"]["activation"]["alpha"] == 0.5
    assert params.custom(composed(["seeds=[0,7]"]))["arm"]["seeds"] == [0, 7]


def test_an_exclusion_takes_arms_away_and_names_one_that_is_there() -> None:
    campaign = Campaign("few", ("mlp_depth",), exclude=("mlp_depth-*_4",))
    names = set(experiments.selected(PUBLISHED, campaign))
    assert {"mlp_depth-relu_2", "mlp_depth-elu_2"} <= names
    assert not [name for name in names if name.endswith("_4")]
    with pytest.raises(UserError, match=r"campaign.exclude: mlp_depth-x matches no arm of the campaign"):
        experiments.selected(PUBLISHED, Campaign("few", ("mlp_depth",), exclude=("mlp_depth-x",)))


def test_params_yaml_changes_for_an_experiment_when_one_of_its_arms_does() -> None:
    scale, changed = Scale("quick", max_epochs=2), Scale("quick", max_epochs=3)
    campaign = Campaign("two", ("clevert_fig3_short", "mlp_depth"), exclude=("mlp_depth-*_8",))
    before, after = params.stages(scale, campaign), params.stages(changed, campaign)
    assert before.keys() == after.keys()
    assert before != after
    fewer = Campaign("one", ("clevert_fig3_short",))
    assert params.stages(scale, fewer)["quick-clevert_fig3_short"] == before["quick-clevert_fig3_short"]


def test_a_model_brings_its_own_source_s_protocol() -> None:
    report = experiments.arm("asu_mlp-sgd_elu", PUBLISHED).protocol
    assert configuration(composed(["model=mlp"])).protocol == report
    article = experiments.arm("machinecurve_25-he_elu1", PUBLISHED).protocol
    assert configuration(composed()).protocol == article
    changed = configuration(composed(["model=mlp", "optimizer=adam", "dropout=0.5"])).protocol
    assert (changed.optimizer.name, changed.dropout, changed.batch_size) == ("adam", 0.5, 64)


@pytest.mark.parametrize(
    "name", ["asu_mlp-adam_relu_normal", "mlp_noise-lrelu03", "clevert_fig3-elu_1e4_sum"]
)
def test_a_published_arm_is_where_a_custom_one_may_start(name: str) -> None:
    published = experiments.arm(name, PUBLISHED).protocol
    assert configuration(composed([f"arm={name}"])).protocol == published
    changed = configuration(composed([f"arm={name}", "activation=relu", "epochs=7"])).protocol
    assert changed == replace(published, activation=Activation("relu"), epochs=7)


def test_in_a_sweep_a_parameter_is_for_the_options_that_have_it() -> None:
    jobs = [["activation=elu", "activation.alpha=0.5"], ["activation=relu", "activation.alpha=0.5"]]
    configs = [composed(job) for job in jobs]
    assert applicable(jobs, configs) == [jobs[0], ["activation=relu"]]
    assert applicable(jobs[1:], configs[1:]) == jobs[1:]


def test_an_arm_to_begin_with_brings_all_of_its_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in Path("experiments").glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    few = "extends: asu_mlp\nprotocol: {train_images: 600, validation_images: 100, patience: 2}\n"
    (tmp_path / "few.yaml").write_text(few)
    monkeypatch.setattr(experiments, "FOLDER", tmp_path)
    experiments.load.cache_clear()
    assert (
        configuration(composed(["arm=few-sgd_elu"])).protocol
        == experiments.arm("few-sgd_elu", PUBLISHED).protocol
    )
    experiments.load.cache_clear()
    experiments.arm.cache_clear()
