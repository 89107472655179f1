"""Whatever is done to a store of runs and in whatever order, each declared run is current, missing, or
refused with a reason, and tables show the numbers that today's protocol and engine give for current ones.

The machine keeps its own account of what was trained. Its networks are the NumPy one on a few images of
MNIST, and its engine is the file of that network, in two variants that give other numbers.
"""

import gc
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache, wraps
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import CLAIM, ROOT, keep
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from elu_replication import atomic
from elu_replication.claims import contrasts, plan, schema
from elu_replication.commands import stamp
from elu_replication.config import experiments, options
from elu_replication.config.schema import PUBLISHED, Arm, Campaign, dataset_facts
from elu_replication.datasets import prepared
from elu_replication.engine import kernels
from elu_replication.errors import UserError
from elu_replication.reports.arms import declared_at
from elu_replication.reports.tables import summary
from elu_replication.runs import code_version, frames, store
from elu_replication.training import campaign, cost, worker
from elu_replication.training.job import Job

TRIAL = {
    "title": "Trial",
    "source": "ours",
    "question": "?",
    "published_account": "none",
    "ambiguities": [],
    "claims": [],
    "minutes_per_run": 1,
    "panels": {"Trial": ["elu", "relu"]},
}
PROTOCOL = {
    "dataset": "few",
    "model": "from_scratch",
    "model.hidden_layers": 1,
    "initializer": "he_normal",
    "optimizer": "sgd",
    "optimizer.learning_rate": 0.1,
    "loss": "cross_entropy",
    "dropout": 0.0,
    "batch_size": 10,
    "train_images": 240,
    "validation_images": 40,
}
ENGINE = Path("src/elu_replication/engine")
NETWORK = ENGINE / "numpy_mlp/trainer.py"
ARMS = ("elu", "relu")
Key = tuple[str, int]  # an arm of the trial and a seed
EXAMPLES: Counter[str] = Counter()
STEPS: Counter[str] = Counter()  # by rule
RUNS: Counter[str] = Counter()  # by what the store says of them, after every step


@dataclass(frozen=True)
class Tree:
    """What is committed: the documents and the engine."""

    seeds: int = 2
    fresh: int = 1
    epochs: int = 2
    alpha: float = 1.0
    expect: str = "higher"
    numbers: int = 0  # an engine with others gives other numbers
    style: int = 0  # an engine with another reads otherwise and gives the same numbers

    @property
    def engine(self) -> tuple[int, int]:
        return self.numbers, self.style

    def protocol(self, arm: str) -> tuple[str, int, float]:
        return arm, self.epochs, self.alpha if arm == "elu" else 0.0

    def source(self) -> str:
        """The engine's file."""
        rate = "self.protocol.optimizer.learning_rate"
        text = (ROOT / NETWORK).read_text()
        assert text.count(rate) == 1
        return text.replace(rate, f"{rate} * {1 + self.numbers}") + f"STYLE = {self.style}\n"

    def write(self) -> None:
        document = {**TRIAL, "seeds": self.seeds, "protocol": {**PROTOCOL, "epochs": self.epochs}}
        document["fresh_seeds"] = [{"number": self.fresh, "because": "as many"}]
        document["arms"] = {"elu": {"activation": "elu", "activation.alpha": self.alpha}}
        document["arms"]["relu"] = {"activation": "relu"}
        (experiments.FOLDER / "trial.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        (schema.FOLDER / "trial.yaml").write_text(CLAIM.replace("higher", self.expect))
        NETWORK.write_text(self.source())


CHANGES: list[dict[str, Any]] = [
    *({"seeds": 1}, {"seeds": 3}, {"fresh": 2}, {"fresh": 1}),
    *({"epochs": 3}, {"epochs": 2}, {"alpha": 0.5}, {"alpha": 1.0}),
    *({"expect": "lower"}, {"expect": "higher"}),
]


@dataclass
class Run:
    """The account of a stored run."""

    seed: int
    protocol: tuple[str, int, float]
    engine: tuple[int, int]  # that made it, or that it was stamped for
    plan: str | None
    files: dict[str, bytes]
    spoiled: bool = False


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def forget_runs() -> None:
    """Know no more of what stored runs hold, as a new process."""
    for function in (contrasts._counted, contrasts.stored, contrasts.values_of, store._verified):
        function.cache_clear()


def forget() -> None:
    """Know no more of what any file of the repository holds."""
    forget_runs()
    cached: tuple[Any, ...] = (
        *(experiments.load, experiments.arm, schema.documented, options.options, options.group_option),
        *(code_version.version, code_version.parts, cost.measured, cost.seconds_per_image),
    )
    for function in cached:
        function.cache_clear()


@cache
def trainer(source: str) -> type[Any]:
    """The trainer of an engine's file."""
    names: dict[str, Any] = {"__name__": "engine"}
    exec(compile(source, str(NETWORK), "exec"), names)  # noqa: S102 - the engine of this repository
    return names["FromScratchTrainer"]


@cache
def expected(protocol: tuple[str, int, float], seed: int, numbers: int) -> list[tuple[Any, ...]]:
    """The observations that an engine gives for a run, without workers, checkpoints and stores."""
    name, epochs, alpha = protocol
    own = {"activation.alpha": alpha} if name == "elu" else {}
    declared = experiments.resolved({**PROTOCOL, "epochs": epochs, "activation": name, **own})
    parts, _ = worker.data.load_splits(declared)
    alone = trainer(Tree(numbers=numbers).source())(declared, parts)
    alone.begin(seed)
    return [tuple(row) for epoch in range(1, epochs + 1) for row in alone.epoch(seed, epoch)]


class Killed(BaseException):
    """The process ends here."""


DEAD = 2**22 + 1  # above the largest number of a process


@contextmanager
def killed(at: int) -> Iterator[None]:
    """Kill what is done within, before its disk operation number `at`, if it has as many. What the disk
    holds then is what is left, since a killed process cleans nothing up."""
    folders = [Path("results"), Path(".checkpoints"), experiments.FOLDER]
    operations = count()
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:

        def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any, **keywords: Any) -> Any:
                if next(operations) == at:
                    for folder in filter(Path.exists, folders):
                        shutil.copytree(folder, temporary / folder)
                    raise Killed
                return operation(*arguments, **keywords)

            return run

        for name in ("fsync", "replace"):
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            yield
        except Killed:
            patch.undo()
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
                if (temporary / folder).exists():
                    shutil.copytree(temporary / folder, folder)
                for part in sorted(folder.rglob(f".*.{os.getpid()}*"), reverse=True):  # inner ones first
                    part.rename(part.with_name(part.name.replace(f".{os.getpid()}", f".{DEAD}")))


class InProcess:
    """The engine of a checkout, as stamp.start gives it, without the seconds that a process takes."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.stdout = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(self.stdout):
            patch.chdir(folder)
            patch.setattr(worker, "FromScratchTrainer", trainer(NETWORK.read_text()))
            forget()
            stamp.write_traces(names)
        forget()
        self.stdout.seek(0)

    def kill(self) -> None:
        pass

    communicate = kill


def number(path: Path, loss: str) -> None:
    """Write another loss into the first row of a history."""
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], loss, *cells[4:]])
    path.write_text("\n".join([*lines, ""]))


def without_last_epoch(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    last = lines[-1].split(",")[1]
    path.write_text("".join(line for line in lines if line.split(",")[1] != last))


def record(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=1))


SPOIL: dict[str, Callable[[Path], object]] = {
    "the run is deleted": shutil.rmtree,
    "a number": lambda run: number(run / "history.csv", "0.1234"),
    "a NaN": lambda run: number(run / "history.csv", "nan"),
    "an epoch is missing": lambda run: without_last_epoch(run / "history.csv"),
    "a line more": lambda run: (run / "activity.csv").write_text("\n\n"),
    "half a record": lambda run: os.truncate(run / "record.json", 300),
    "another code version": lambda run: record(run / "record.json", code_version="f" * 16),
    "another plan": lambda run: record(run / "record.json", plan="f" * 16),
    "a score": lambda run: record(
        run / "record.json",
        final={"epoch": 2, **{f"{s}_{n}": 0.5 for s in ("train", "test") for n in ("loss", "accuracy")}},
    ),
    **{
        f"{name} is deleted": lambda run, name=name: (run / name).unlink()
        for name in ("record.json", "history.csv", "perturbations.csv")
    },
}


def step(**strategies: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule whose steps are counted."""

    def decorated(method: Callable[..., None]) -> Callable[..., None]:
        @wraps(method)
        def counted(self: "Store", **arguments: Any) -> None:
            STEPS[method.__name__] += 1
            forget_runs()
            method(self, **arguments)

        return rule(**strategies)(counted)

    return decorated


class Store(RuleBasedStateMachine):
    """An experiment of two arms in a repository of its own, and all that users may do to its runs."""

    def __init__(self, template: Path) -> None:
        super().__init__()
        EXAMPLES["examples"] += 1
        self.temporary = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        shutil.copytree(template, self.temporary.name, symlinks=True, dirs_exist_ok=True)
        self.patch.chdir(self.temporary.name)
        self.patch.setattr(code_version, "ENGINE", ENGINE)
        self.patch.setattr(stamp, "start", InProcess)
        self.patch.setattr(worker, "use_one_thread", lambda: None)  # this process has begun already
        self.patch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
        self.tree = Tree()
        self.patch.setattr(worker, "FromScratchTrainer", trainer(self.tree.source()))
        self.commits = [(git("rev-parse", "HEAD"), self.tree)]
        self.runs: dict[Key, Run] = {}
        self.begun: dict[tuple[Any, ...], str | None] = {}  # the plan with which a killed run was begun
        self.plan: str | None = None
        self.frozen: Tree | None = None
        self.amendments = 0
        forget()

    def teardown(self) -> None:
        self.patch.undo()
        self.temporary.cleanup()
        forget()

    # What is true by the account.

    def seeds(self, arm: str = "", fresh: bool = False) -> list[Key]:
        """Exploration's or the fresh seeds of an arm, or of all."""
        numbers = range(100, 100 + self.tree.fresh) if fresh else range(self.tree.seeds)
        return [(name, seed) for name in ARMS if arm in ("", name) for seed in numbers]

    def declared(self, arm: str = "") -> list[Key]:
        return self.seeds(arm) + self.seeds(arm, fresh=True)

    def status(self, key: Key) -> str | None:
        """What the store is to say of a run."""
        arm, seed = key
        run = self.runs.get(key)
        if run is None:
            return "not run"
        if run.spoiled:
            return "altered"
        if run.protocol != self.tree.protocol(arm) or run.seed != seed:
            return "protocol changed"
        return None if run.engine == self.tree.engine else "engine changed"

    def with_status(self, status: str | None, keys: list[Key]) -> list[Key]:
        return [key for key in keys if self.status(key) == status]

    def counted(self, arm: str = "") -> list[Key]:
        """The runs that are asked for and shown, if they are there."""
        fresh = self.seeds(fresh=True)
        return self.seeds(arm, self.with_status(None, fresh) == fresh and portable())

    def needs_reason(self) -> bool:
        """Whether what has changed since it was frozen bears on stored fresh runs."""
        with_fresh_runs = {arm for arm, seed in self.runs if seed >= 100}
        then, now = self.frozen, self.tree
        if then is None or then.expect != now.expect:
            return bool(with_fresh_runs)
        changed = {
            arm for arm in ARMS if (then.protocol(arm), then.fresh) != (now.protocol(arm), now.fresh)
        }
        return bool(changed & with_fresh_runs)

    # What is there.

    @staticmethod
    def folder(key: Key) -> Path:
        return Path("results/published/runs/trial", key[0], f"seed-{key[1]}")

    def files(self, key: Key) -> dict[str, bytes]:
        """The files of a run by name; none where it has no folder."""
        folder = self.folder(key)
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

    @staticmethod
    def arms(fresh: bool = False) -> list[Arm]:
        named = Campaign("named", ("trial",), fresh=fresh)
        return [*experiments.selected(PUBLISHED, named).values()]

    def begin(self, job: Job) -> tuple[Key, Run]:
        """The account of a run that is about to be trained; checkpoints keep the plan of the beginning."""
        key = (job.arm.folder.name, job.seed)
        protocol = self.tree.protocol(key[0])
        begun_with = self.begun.get((protocol, key, self.tree.engine), self.plan)
        return key, Run(job.seed, protocol, self.tree.engine, begun_with, {})

    def train(self, job: Job, on_epoch: Callable[[Any], None] = lambda progress: None) -> None:
        """Train a run in a worker."""
        key, run = self.begin(job)
        worker.Worker().train(job, on_epoch)
        self.begun.pop((run.protocol, key, run.engine), None)
        self.runs[key] = replace(run, files=self.files(key))

    def train_and_kill(self, job: Job, at: int) -> None:
        """Begin to train a run. Killed, it has stored all of it or nothing, once the next command has put
        what was between two renames in its place."""
        key, run = self.begin(job)
        before, checkpoints = self.files(key), self.checkpoints()
        with killed(at):
            worker.Worker().train(job, lambda progress: None)
        atomic.sweep(atomic.hidden(experiments.RESULTS))
        if self.checkpoints() > checkpoints:
            self.begun[run.protocol, key, run.engine] = run.plan
        elif self.checkpoints() < checkpoints:
            del self.begun[run.protocol, key, run.engine]
        if (files := self.files(key)) != before:
            self.runs[key] = replace(run, files=files)

    @staticmethod
    def checkpoints() -> set[Path]:
        return {*Path(".checkpoints").glob("*.npz")}

    def commit(self, tree: Tree) -> None:
        self.tree = tree
        tree.write()
        git("commit", "--quiet", "--all", "--allow-empty", "--message", "changed")
        self.commits.append((git("rev-parse", "HEAD"), tree))
        self.patch.setattr(worker, "FromScratchTrainer", trainer(tree.source()))
        forget()

    # What users do.

    @initialize(most=st.integers(0, 4))
    def begin_with(self, most: int) -> None:
        for job in self.pending(fresh=False)[:most]:
            self.train(job)

    @step(fresh=st.booleans(), most=st.integers(1, 6))
    def train_some(self, fresh: bool, most: int) -> None:
        """`make replicate`, stopped after some runs."""
        jobs = self.pending(fresh)
        for job in jobs[:most]:
            self.train(job)

    def pending(self, fresh: bool) -> list[Job]:
        """The runs to train, or none where one is refused."""
        arms = self.arms(fresh)
        declared = self.seeds(fresh=True) if fresh else self.declared()
        if self.with_status("altered", declared):
            with pytest.raises(UserError, match="not as it was stored"):
                store.require_whole(arms)
            return []
        store.require_whole(arms)
        asked = self.seeds(fresh=True) if fresh else self.counted()
        jobs = campaign.pending(arms)
        due = [key for key in asked if self.status(key)]
        assert sorted((job.arm.folder.name, job.seed) for job in jobs) == sorted(due)
        return jobs

    @step(fresh=st.booleans(), at=st.integers(0, 25))
    def kill_training(self, fresh: bool, at: int) -> None:
        for job in self.pending(fresh)[:1]:
            self.train_and_kill(job, at)

    @step(arm=st.sampled_from(ARMS), at=st.none() | st.integers(0, 25))
    def retrain(self, arm: str, at: int | None) -> None:
        """`make retrain ARMS=...`, which also mends what is refused, unless it is killed."""
        (declared,) = [a for a in self.arms() if a.folder.name == arm]
        jobs = campaign.pending([declared], again=True)
        due = {*self.counted(arm), *self.with_status("altered", self.declared(arm))}
        assert {(job.arm.folder.name, job.seed) for job in jobs} == due
        if at is not None:
            self.train_and_kill(jobs[0], at)
            return
        for job in jobs:
            self.train(job)
        assert not self.with_status("altered", self.declared(arm))

    @step(fresh=st.booleans(), freezes=st.booleans())
    def two_commands_at_once(self, fresh: bool, freezes: bool) -> None:
        """Another command trains the same run from beginning to end while one trains it, or freezes."""
        if not (jobs := self.pending(fresh)):
            return
        commands: list[Callable[[], object]] = [
            (lambda: self.freeze(reason="meanwhile", at=None)) if freezes else (lambda: self.train(jobs[0]))
        ]
        self.train(jobs[0], lambda progress: commands.pop()() if commands else None)

    @step(change=st.sampled_from(CHANGES))
    def edit(self, change: dict[str, Any]) -> None:
        """Edit the experiment or the claim."""
        self.commit(replace(self.tree, **change))

    @step(numbers=st.sampled_from([0, 0, 1]), style=st.integers(0, 2), back=st.none() | st.integers(0, 3))
    def change_engine(self, numbers: int, style: int, back: int | None) -> None:
        self.commit(replace(self.tree, numbers=numbers, style=style))
        if back is not None:
            self.stamp(back=back)

    @step(back=st.integers(0, 3))
    def stamp(self, back: int) -> None:
        """`make stamp FROM=...`, a commit of the last few."""
        commit, then = self.commits[-1 - min(back, len(self.commits) - 1)]
        if not (stale := self.with_status("engine changed", self.declared())):
            return
        made = [key for key in stale if self.runs[key].engine == then.engine]
        arms = {arm for arm, _ in made}
        alike = then.numbers == self.tree.numbers and all(
            then.protocol(arm) == self.tree.protocol(arm) for arm in arms
        )
        if not made or not alike:
            with pytest.raises(UserError, match="not identical to the bit" if made else "made none"):
                stamp.stamp(commit, self.arms())
            return
        stamp.stamp(commit, self.arms())
        for key in made:
            self.runs[key].engine, self.runs[key].files = self.tree.engine, self.files(key)

    def whole(self) -> list[Key]:
        return [key for key, run in self.runs.items() if not run.spoiled]

    @precondition(whole)
    @step(which=st.integers(0, 9), how=st.sampled_from([*SPOIL]))
    def spoil(self, which: int, how: str) -> None:
        whole = self.whole()
        key = whole[which % len(whole)]
        SPOIL[how](self.folder(key))
        self.runs[key].spoiled = True
        if not self.folder(key).exists():
            del self.runs[key]

    @precondition(whole)
    @step(which=st.integers(0, 9), arm=st.sampled_from(ARMS), seed=st.sampled_from([0, 1, 100, 101]))
    def copy(self, which: int, arm: str, seed: int) -> None:
        """Put a run where another one is declared."""
        whole = self.whole()
        source, target = whole[which % len(whole)], (arm, seed)
        if source != target:
            shutil.rmtree(self.folder(target), ignore_errors=True)
            shutil.copytree(self.folder(source), self.folder(target))
            self.runs[target] = replace(self.runs[source])

    @precondition(lambda self: len(self.whole()) < len(self.runs))
    @step()
    def restore(self) -> None:
        """`git checkout` of the runs that are refused."""
        for key, run in self.runs.items():
            if run.spoiled:
                for name, content in run.files.items():
                    (self.folder(key) / name).write_bytes(content)
                run.spoiled = False

    @step(reason=st.sampled_from(["", "seen"]), at=st.none() | st.integers(0, 3))
    def freeze(self, reason: str, at: int | None) -> None:
        """`make freeze`, with a reason or without, to its end or killed on the way."""
        amended, before = self.needs_reason(), store.plan_digest()
        if amended and not reason:
            with pytest.raises(UserError, match="fresh runs are stored"):
                plan.freeze(reason)
            return
        with killed(1000 if at is None else at):
            plan.freeze(reason)
        self.plan = store.plan_digest()
        if self.plan != before:
            self.frozen = self.tree
            self.amendments += amended
        assert at is not None or not self.needs_reason()

    # What must be true after every step.

    @invariant()
    def every_run_is_current_missing_or_refused(self) -> None:
        forget_runs()
        for arm in self.arms():
            for seed in arm.every_seed:
                status = self.status((arm.folder.name, seed))
                assert store.why_not_current(arm, seed) == status
                RUNS[status or "current"] += 1

    @invariant()
    def what_is_shown_was_trained(self) -> None:
        if altered := self.with_status("altered", self.declared()):
            with pytest.raises(UserError) as refused:
                declared_at(PUBLISHED)
            named, _, remedy = str(refused.value).removeprefix("not as it was stored: ").partition("; ")
            assert set(named.split(", ")) == {str(self.folder(key)) for key in altered}
            assert "make retrain" in remedy
            return
        rows = declared_at(PUBLISHED)
        table = summary(rows)
        accuracies = {}
        for row, line in zip(rows, table.itertuples(), strict=True):
            current = self.with_status(None, self.counted(row.label))
            observations = {
                seed: expected(self.tree.protocol(arm), seed, self.tree.numbers) for arm, seed in current
            }
            final = {seed: lines[-1] for seed, lines in observations.items()}
            accuracies[row.label] = {seed: accuracy for seed, (*_, accuracy) in final.items()}
            scores = [final[seed][2:] for seed in final] or [(np.nan, np.nan)]
            assert (line.seeds, line.diverged, line.at_chance) == (len(current), 0, 0)
            shown = [line.test_loss, line.test_accuracy]
            np.testing.assert_allclose(shown, np.mean(scores, axis=0), rtol=1e-12)
            lines = [(seed, *line) for seed in observations for line in observations[seed]]
            history = pd.DataFrame(lines, columns=store.HISTORY_COLUMNS)
            pd.testing.assert_frame_equal(frames.history(row.arm), history, check_dtype=False, rtol=1e-8)
            assert [r.plan for r in store.current(row.arm)] == [self.runs[key].plan for key in current]
        (contrast,) = schema.load_claims()["C1"].readings["as published"]
        elu, relu = (accuracies[arm] for arm in ARMS)
        differences = {seed: elu[seed] - relu[seed] for seed in sorted(elu.keys() & relu)}
        assert contrasts.weighted_sums(contrast) == pytest.approx(differences, abs=1e-11)

    @invariant()
    def amendments_are_kept(self) -> None:
        assert len(plan.load().amendments) == self.amendments


@cache
def portable() -> bool:
    """Whether fresh seeds that are trained here may complete an experiment."""
    return worker.environment().kind_of_kernels == kernels.PORTABLE


@pytest.fixture(scope="module")
def template(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The repository as it begins: the package is that of this one but for the engine's file."""
    shared, folder = tmp_path_factory.mktemp("shared"), tmp_path_factory.mktemp("template")
    shutil.copytree(ROOT / "conf", shared / "conf")
    arrays, _ = prepared.load("mnist")
    few = {name: array[: 240 if name.startswith("train") else 100] for name, array in arrays.items()}
    digests = {name: prepared.array_digest(array) for name, array in few.items()}
    facts = {**dataset_facts("mnist").model_dump(), "name": "few", "mirrors": [], "digests": digests}
    facts["images"] = {"train": 240, "test": 100}
    (shared / "data/few").mkdir(parents=True)
    (shared / "conf/dataset/few.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(facts))))
    for name, array in few.items():
        np.save(shared / f"data/few/{name}.npy", array)
    for name in ("conf", "data"):
        (folder / name).symlink_to(shared / name)
    own = (ENGINE.parent, ENGINE, NETWORK.parent)
    for place in own:
        (folder / place).mkdir(parents=True)
        for path in (ROOT / place).iterdir():
            if path.relative_to(ROOT) not in (*own, NETWORK) and path.name != "__pycache__":
                (folder / place / path.name).symlink_to(path)
    for name in ("claims/sources.yaml", "published/curves.yaml"):
        (folder / experiments.FOLDER / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / experiments.FOLDER / name, folder / experiments.FOLDER / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Tree().write()
        git("init", "--quiet", "--template=")
        git("add", "src", "conf", "experiments")
        git("commit", "--quiet", "--message", "as it was")
        yield folder


@pytest.mark.long
def test_no_history_of_a_store_makes_it_show_a_wrong_number(template: Path) -> None:
    """Sequences of steps, the same ones on every machine."""
    gc.freeze()  # a worker collects garbage before each arm, and need not go through all of this process
    unchecked = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    tried = settings(
        max_examples=120,
        stateful_step_count=30,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=unchecked,
    )
    try:
        run_state_machine_as_test(lambda: Store(template), settings=tried)
    finally:
        gc.unfreeze()
    assert {"current", "not run", "altered", "protocol changed", "engine changed"} <= RUNS.keys()
    keep("state_machine", {**EXAMPLES, "steps": STEPS, "runs": RUNS})
