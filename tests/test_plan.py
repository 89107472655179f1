"""Fresh seeds and the plan: which seeds count, what is frozen, and what git's history shows of it."""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from conftest import CLAIM, ROOT, TRIAL, forget
from test_runs import ENVIRONMENT, stored

from elu_replication.claims import plan, results, schema, verdicts
from elu_replication.claims.contrasts import arms_of, weighted_sums
from elu_replication.commands import plan as plan_command
from elu_replication.config import experiments
from elu_replication.config.documents import validated
from elu_replication.config.options import group_option
from elu_replication.config.schema import PUBLISHED, Arm, Campaign, Scale
from elu_replication.errors import UserError
from elu_replication.reports.arms import declared_at, runs
from elu_replication.reports.tables import summary
from elu_replication.runs import evidence, store
from elu_replication.training import campaign
from elu_replication.training.job import Job

FRESH = validated(Campaign, group_option("campaign", "fresh"))


def train(arm: Arm, *seeds: int) -> None:
    for seed in seeds:
        stored(arm, seed)


def test_a_document_declares_fresh_seeds_by_arm() -> None:
    seeds = {
        name: experiments.arm(name, PUBLISHED).fresh_seeds
        for name in ("asu_mlp-sgd_elu", "asu_mlp-adam_elu")
    }
    assert seeds == {"asu_mlp-sgd_elu": (*range(100, 120),), "asu_mlp-adam_elu": (*range(100, 106),)}
    assert experiments.arm("machinecurve_250-relu_d25", PUBLISHED).fresh_seeds == (100,)
    assert experiments.arm("mlp_learning_rate-relu_001", PUBLISHED).fresh_seeds[-1] == 129
    assert experiments.arm("clevert_fig3-elu_1e2", PUBLISHED).fresh_seeds == ()
    assert experiments.arm("asu_mlp-sgd_elu", Scale("quick", max_seeds=2)).fresh_seeds == ()


def test_every_arm_of_a_claim_has_fresh_seeds_but_those_that_take_days() -> None:
    contrasts = [c for claim in schema.load_claims().values() for r in claim.readings.values() for c in r]
    names = {name for contrast in contrasts for name in contrast.arms}
    without = {name for name in names if not experiments.arm(name, PUBLISHED).fresh_seeds}
    assert {name.partition("-")[0] for name in without} <= {"clevert_fig3"}


def test_fresh_seeds_count_alone_and_only_once_all_are_stored(trial: dict[str, Arm]) -> None:
    elu, relu = trial.values()
    train(elu, 0, 1, 100, 101, 102)
    train(relu, 0, 1, 100)
    assert [arm.seeds for arm in evidence.counting([elu, relu])] == [(0, 1), (0, 1)]
    assert evidence.evidence([elu, relu]) == "exploration; fresh seeds: 4 of 5"
    assert evidence.evidence([elu]) == "exploration; fresh seeds: 3 of 3"  # its experiment is not complete
    train(relu, 101)
    assert [arm.seeds for arm in evidence.counting([elu, relu])] == [(100, 101, 102), (100, 101)]
    assert evidence.evidence([elu, relu]) == "fresh seeds"
    table = summary(declared_at(PUBLISHED)).query("experiment == 'trial'")
    assert table.seeds.tolist() == [3, 2]
    assert set(table.evidence) == {"fresh seeds"}
    (contrast,) = schema.load_claims()["C1"].readings["as published"]
    assert [arm.seeds for arm in arms_of(contrast).values()] == [(100, 101, 102), (100, 101)]
    assert [*weighted_sums(contrast)] == [100, 101]


def test_a_shared_arm_has_the_seeds_that_count_in_the_experiment_that_shows_it(
    trial: dict[str, Arm],
) -> None:
    other = TRIAL.replace("  - {number: 3, arms: [elu], because: more}\n", "")
    other = other.replace("elu: {activation: elu}", "elu: {activation: elu, same_as: trial-elu}", 1)
    (experiments.FOLDER / "other.yaml").write_text(other)
    forget()
    for arm in trial.values():
        train(arm, *arm.seeds, *arm.fresh_seeds)
    rows = [row for row in declared_at(PUBLISHED) if row.experiment in ("other", "trial")]
    table = summary(rows).set_index(["experiment", "arm"])
    assert table.seeds.tolist() == [2, 0, 3, 2]
    assert table.evidence.tolist() == [
        *("exploration; fresh seeds: 3 of 3", "exploration; fresh seeds: 0 of 2"),
        *("fresh seeds", "fresh seeds"),
    ]
    listed = [(arm.folder.name, record.seed) for arm, record in runs(rows)]
    assert sorted(listed) == [*(("elu", s) for s in (0, 1, 100, 101, 102)), ("relu", 100), ("relu", 101)]


def test_a_fresh_seed_of_other_kernels_does_not_complete_an_experiment(trial: dict[str, Arm]) -> None:
    elu, relu = trial.values()
    train(elu, *elu.fresh_seeds)
    train(relu, 100)
    other = ENVIRONMENT.model_copy(update={"kernels": None, "processor": "p"})
    stored(relu, 101, environment=other)
    assert evidence.evidence([elu, relu]) == "exploration; fresh seeds: 4 of 5"


def test_complete_fresh_seeds_leave_nothing_to_train(trial: dict[str, Arm]) -> None:
    core = experiments.selected(PUBLISHED, Campaign("core", ("trial",), max_seeds=1)).values()
    fresh = experiments.selected(PUBLISHED, replace(FRESH, arms=("trial",))).values()
    assert [job.seed for job in campaign.pending(core)] == [0, 0]
    assert [str(job) for job in campaign.pending(fresh)] == [
        *("trial-elu seed 100", "trial-elu seed 101", "trial-elu seed 102"),
        *("trial-relu seed 100", "trial-relu seed 101"),
    ]
    elu, relu = trial.values()
    train(elu, 0, *elu.fresh_seeds)
    train(relu, 100)
    assert store.incomplete(campaign.counted([elu, relu])) == "trial-elu 1 of 2"
    train(relu, 101)  # complete: exploration's seeds are missing no longer
    assert campaign.pending(core) == campaign.pending(fresh) == []
    assert store.incomplete(campaign.counted([elu, relu])) == ""


def test_a_claim_is_open_for_good_where_too_few_seeds_are_planned() -> None:
    claims = results.load().by_id
    assert {name: plan.can_decide(claims[name]) for name in ("C9", "C10", "C44", "C57", "C74")} == {
        **{"C9": True, "C10": True},
        **{"C44": False, "C57": False, "C74": False},  # times; one seed an arm; runs that nothing plans
    }


def test_the_fresh_campaign_trains_every_fresh_seed_in_its_order() -> None:
    arms = experiments.selected(PUBLISHED, FRESH)
    assert set(arms) == {arm.name for arm in experiments.every_arm(PUBLISHED) if arm.fresh_seeds}
    jobs = campaign.pending(arms.values(), again=True)
    begun = [*dict.fromkeys(job.arm.folder.parent.name for job in jobs)]
    assert begun == [*dict.fromkeys(name.partition("-")[0] for name in FRESH.arms)]
    report = [job for job in jobs if job.arm.folder.parent.name == "asu_mlp"]
    pairs = [(job.arm.folder.name, job.seed) for job in report[:4]]
    assert pairs == [("sgd_elu", 100), ("sgd_relu", 100), ("sgd_elu", 101), ("sgd_relu", 101)]
    with pytest.raises(UserError, match="no arm of it has fresh seeds at scale published"):
        experiments.selected(PUBLISHED, replace(FRESH, arms=("clevert_fig3",)))
    with pytest.raises(UserError, match="no arm of it has fresh seeds at scale quick"):
        experiments.selected(Scale("quick", max_seeds=2), FRESH)


def test_make_plan_counts_what_is_left(trial: dict[str, Arm], capsys: pytest.CaptureFixture[str]) -> None:
    every = sum(len(arm.fresh_seeds) for arm in experiments.selected(PUBLISHED, FRESH).values())
    plan_command.main()
    said = capsys.readouterr().out
    assert "0 of 72" in said
    assert f"Left: {every} runs" in said


def test_a_run_carries_the_plan_under_which_it_was_trained(trial: dict[str, Arm], mnist: Path) -> None:
    arm = trial["elu"]
    stored(arm, 0)
    assert "plan" not in json.loads(store.record_path(arm, 0).read_text())
    assert store.load(arm, 0)
    plan.freeze("")
    Path("data").symlink_to(ROOT / "data")
    campaign.train([Job(arm, 100)])
    record = store.load(arm, 100)
    assert record is not None
    assert record.plan == hashlib.sha256(store.PLAN.read_bytes()).hexdigest()[:16]


def edit(name: str, old: str, new: str) -> None:
    path = experiments.FOLDER / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    forget()


def test_prose_is_not_frozen_and_what_decides_is(trial: dict[str, Arm]) -> None:
    plan.freeze("")
    plan.check()
    edit("claims/trial.yaml", "ELU is more accurate.", "ELU has the higher accuracy.")
    edit("claims/trial.yaml", "as published:", "by the text:")
    plan.check()
    assert plan.freeze("") == []
    edit("claims/trial.yaml", "expect: higher", "expect: lower")
    with pytest.raises(UserError, match="not what the tree holds: claim C1; `make freeze`"):
        plan.check()
    edit("trial.yaml", "epochs: 3", "epochs: 4")
    assert plan.freeze("") == ["claim C1", "arm trial-elu", "arm trial-relu"]
    assert plan.load().amendments == []


def test_a_change_that_bears_on_fresh_runs_is_an_amendment_for_ever(trial: dict[str, Arm]) -> None:
    plan.freeze("")
    before = plan.load().entries["claim C1"].digest
    train(trial["elu"], 100, 101)
    assert plan.freeze("") == []
    edit("claims/trial.yaml", "expect: higher", "expect: equal")
    edit("machinecurve_25.yaml", "number: 12", "number: 11")  # nothing of it is trained here
    frozen = store.PLAN.read_bytes()
    with pytest.raises(UserError, match=r"^claim C1: 2 fresh runs are stored; undo the change, or"):
        plan.freeze("")
    assert store.PLAN.read_bytes() == frozen
    plan.freeze("the claim says so")
    (amendment,) = plan.load().amendments
    assert (amendment.reason, amendment.runs) == ("the claim says so", {"trial-elu": [100, 101]})
    assert amendment.changes == {"claim C1": (before, plan.load().entries["claim C1"].digest)}
    edit("trial.yaml", "number: 3", "number: 2")
    plan.freeze("fewer")
    (experiments.FOLDER / "claims/trial.yaml").unlink()
    forget()
    with pytest.raises(UserError, match=r"^claim C1: 2 fresh runs"):  # one that is gone is a change, too
        plan.freeze("")
    plan.freeze("withdrawn")
    assert [each.reason for each in plan.load().amendments] == ["the claim says so", "fewer", "withdrawn"]
    assert plan.load().amendments[-1].changes["claim C1"][1] is None


def test_each_claim_says_whether_it_is_as_planned(trial: dict[str, Arm]) -> None:
    assert plan.status() == {"C1": "not planned"}
    plan.freeze("")
    assert plan.status() == {"C1": "as planned"}
    edit("claims/trial.yaml", "expect: higher", "expect: lower")
    assert plan.status() == {"C1": "not planned"}
    plan.freeze("")
    assert plan.status() == {"C1": "as planned"}  # no fresh run had been seen
    train(trial["relu"], 100)
    edit("claims/trial.yaml", "expect: lower", "expect: higher")
    plan.freeze("seen")
    assert plan.status() == {"C1": "amended after fresh runs"}
    edit("claims/trial.yaml", "expect: higher", "expect: equal")
    assert plan.status() == {"C1": "not planned"}


def test_a_plan_has_claims_rules_and_arms_and_says_what_they_bear_on(trial: dict[str, Arm]) -> None:
    entries = plan.entries()
    rules = {name.removeprefix("rule ") for name in entries if name.startswith("rule ")}
    assert rules == {*plan.RULES, "evidence", "frames"}
    others = {"claim C1", "published curves", f"rules, version {verdicts.VERSION}"}
    arms = {f"arm {arm.name}" for arm in experiments.every_arm(PUBLISHED) if arm.fresh_seeds}
    assert set(entries) == {f"rule {rule}" for rule in rules} | others | arms
    assert entries["claim C1"].bears_on == ["trial"]
    assert entries["arm trial-elu"].bears_on == ["trial-elu"]
    assert entries["rule statistics"].bears_on == entries["published curves"].bears_on == ["everything"]
    assert all(re.fullmatch("[0-9a-f]{16}", entry.digest) for entry in entries.values())
    assert len({entry.digest for entry in entries.values()}) > len(rules)


def test_a_change_bears_on_the_runs_of_its_arm_its_experiment_or_on_all(trial: dict[str, Arm]) -> None:
    began = date.today().isoformat()
    plan.freeze("")
    train(trial["relu"], 1, 100)  # an exploratory run decides nothing
    assert plan.fresh_runs() == {"trial-relu": [100]}
    edit("trial.yaml", "number: 3", "number: 4")  # of elu, which has no fresh run
    assert plan.freeze("") == ["arm trial-elu"]
    edit("trial.yaml", "number: 2", "number: 1")
    with pytest.raises(UserError, match=r"^arm trial-relu: 1 fresh runs are stored; undo"):
        plan.freeze("")
    plan.freeze("fewer")
    edit("published/curves.yaml", "reading_error: 0.0005", "reading_error: 0.0006")
    train(trial["elu"], 101)
    with pytest.raises(UserError, match=r"^published curves: 2 fresh runs are stored"):
        plan.freeze("")
    plan.freeze("read again")
    first, second = plan.load().amendments
    assert (first.runs, second.runs) == (
        {"trial-relu": [100]},
        {"trial-elu": [101], "trial-relu": [100]},
    )
    assert [*second.changes] == ["published curves"]
    assert began <= first.date <= date.today().isoformat()


def test_the_order_of_readings_is_frozen(trial: dict[str, Arm]) -> None:
    reading = "\n        - {metric: test_loss, arms: {trial-elu: 1, trial-relu: -1}, expect: lower}"
    (experiments.FOLDER / "claims/trial.yaml").write_text(f"{CLAIM}      other:{reading}\n")
    forget()
    plan.freeze("")
    claim = CLAIM.replace("    readings:", f"    readings:\n      other:{reading}")
    (experiments.FOLDER / "claims/trial.yaml").write_text(claim)
    forget()
    assert plan.freeze("") == ["claim C1"]


def test_a_damaged_plan_is_one_line(trial: dict[str, Arm]) -> None:
    plan.check()  # nothing is frozen
    store.PLAN.write_text("entries: {}\n")
    with pytest.raises(UserError, match=r"^experiments/plan.lock: amendments: is missing"):
        plan.check()
    store.PLAN.unlink()
    plan.freeze("")
    lines = store.PLAN.read_text().splitlines()
    assert lines[0].startswith("# Written by `make freeze`.")
    assert max(map(len, lines)) <= 120


def test_a_rule_s_digest_is_of_what_it_does(tmp_path: Path) -> None:
    module = tmp_path / "rule.py"
    module.write_text('LIMIT = 5\ndef rule(n: int) -> bool:\n    """Enough."""\n    return n >= LIMIT\n')
    one = plan.of_code(module)
    module.write_text("LIMIT = 5  # the least\ndef rule(n: int) -> bool:\n    return n >= LIMIT\n")
    assert plan.of_code(module) == one
    module.write_text("LIMIT = 6\ndef rule(n: int) -> bool:\n    return n >= LIMIT\n")
    assert plan.of_code(module) != one


def test_the_tree_is_as_frozen() -> None:
    if not store.PLAN.is_file():
        pytest.skip("nothing is frozen yet")
    plan.check()


def test_a_reader_recomputes_a_verdict_from_the_table_of_runs() -> None:
    """With the published files alone: the primary reading of C7 has one contrast."""
    claims = json.loads((ROOT / "results/claims.json").read_text())["claims"]
    (contrast,) = next(claim for claim in claims if claim["id"] == "C7")["readings"][0]["contrasts"]
    script = [sys.executable, str(ROOT / "docs/recompute_a_verdict.py")]
    said = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    low, high = contrast["interval"]
    assert f"{len(contrast['values'])} seeds, mean {contrast['effect']:.4g}\n" in said
    assert said.endswith(f"95% interval [{low:.4g}, {high:.4g}]: {contrast['verdict']}\n")


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"git cannot say: {done.stderr.strip()}")
    return done.stdout


def test_the_plan_stood_before_every_fresh_run_of_the_history() -> None:
    """A commit that adds a fresh run has an earlier one with the plan that its record names."""
    if git("rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("a shallow clone has no history")
    pathspec = "results/published/runs/*/*/seed-1[0-9][0-9]/record.json"
    log = git("log", "--diff-filter=A", "--format=commit %H", "--name-only", "--", pathspec)
    added: dict[str, str] = {}  # the first commit that has the file: the last that the log names
    commit = ""
    for line in filter(None, log.splitlines()):
        commit = line.removeprefix("commit ") if line.startswith("commit ") else commit
        added |= {} if line.startswith("commit ") else {line: commit}
    if not added:
        pytest.skip("no fresh run is committed yet")
    digests = {
        hashlib.sha256(git("show", f"{commit}:{store.PLAN}").encode()).hexdigest()[:16]: commit
        for commit in git("log", "--diff-filter=AM", "--format=%H", "--", str(store.PLAN)).split()
    }
    steps = set()
    for path, commit in added.items():
        record = json.loads(git("show", f"{commit}:{path}"))
        assert record.get("plan") in digests, f"{path} names no plan of the history"
        steps.add((digests[record["plan"]], commit))
    for frozen, trained in steps:
        assert frozen != trained
        done = subprocess.run(["git", "merge-base", "--is-ancestor", frozen, trained], cwd=ROOT)
        assert done.returncode == 0, f"{trained} has fresh runs of a plan that {frozen} froze later"
