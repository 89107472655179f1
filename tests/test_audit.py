"""The audit tells identical, near and different runs apart."""

import csv
import math
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, tiny
from test_runs import ENVIRONMENT, stored

from elu_replication.commands import audit
from elu_replication.config import experiments
from elu_replication.config.schema import LOCAL, PUBLISHED, Arm, dataset_facts
from elu_replication.engine import kernels
from elu_replication.errors import UserError
from elu_replication.runs import store
from elu_replication.training import campaign, cost
from elu_replication.training.job import Job
from elu_replication.training.launchers import local

Row = list[str]


def row(epoch: int, loss: str, accuracy: str = "0.9", split: str = "train") -> Row:
    return ["0", str(epoch), split, loss, accuracy]


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        (row(1, "0.5"), row(1, "0.6"), 0.2),
        (row(1, "0.5"), row(1, "0.4"), 0.2),
        (row(4, "0.5"), row(4, "0.6"), 0.05),  # an epoch
        (row(1, "-0.5"), row(1, "-0.6"), 0.2),
        (row(1, "0.5", "0.9"), row(1, "0.6", "0.1"), 0.2),  # losses say more than accuracies
        (row(1, "0.5", "0.9"), row(1, "0.5", "0.8"), 0.1),
        (row(2, "nan", "0.1"), row(2, "nan", "0.2"), 0.05),
        (row(1, "0"), row(1, "0.1"), math.inf),
        (row(1, "nan"), row(1, "0.5"), math.inf),
        (row(1, "0.5"), row(1, "nan"), math.inf),
        (row(1, "0.5"), row(1, "inf"), math.inf),
    ],
)
def test_a_difference_is_relative_and_by_epoch(old: Row, new: Row, difference: float) -> None:
    assert audit.difference((old, new)) == pytest.approx(difference)


@pytest.fixture
def written(tmp_path: Path) -> Arm:
    """An arm with a run of two epochs, which no training made."""
    arm = Arm("written", tiny(), (0,), tmp_path / "written")
    stored(arm, 0, accuracy=0.9, loss=0.8)
    return arm


def test_retrained_rows_are_compared_with_as_many_stored_ones(written: Arm) -> None:
    job = Job(written, 0, 1)
    one, two, *later = store.stored_rows(written, 0)
    assert audit.compare(job, [one, two]) == audit.Finding(job, "identical")
    assert audit.compare(job, [one, two, *later]).outcome == "identical"
    assert audit.compare(job, [two, one]).detail == "other epochs or splits are stored"
    assert audit.compare(job, [one, two, *later, one]).outcome == "different"


def test_the_largest_difference_of_the_training_is_told(written: Arm) -> None:
    """Of what is evaluated only where the training is the same."""
    job = Job(written, 0, 2)
    train, test, train_2, test_2 = store.stored_rows(written, 0)  # losses of 0.8, then of 0.4
    rows = [[*train[:3], "0.81", "0.9"], [*test[:3], "9", "0.9"], [*train_2[:3], "0.5", "0.9"], test_2]
    finding = audit.compare(job, rows, to_the_bit=False)
    assert finding == (job, "apart", "epoch 2, train loss: stored 0.4, trained again 0.5")
    rows[2] = train_2
    finding = audit.compare(job, rows, to_the_bit=False)
    assert finding == (job, "close", "epoch 1, train loss: stored 0.8, trained again 0.81")
    assert audit.compare(job, rows) == (job, "different", finding.detail)
    rows[0] = [*train[:3], "0.79", "0.9"]
    assert audit.compare(job, rows).detail == "epoch 1, train loss: stored 0.8, trained again 0.79"
    rows[0], rows[3] = train, [*test_2[:3], "0.41", "0.9"]
    assert audit.compare(job, rows).detail == "epoch 1, test loss: stored 0.8, trained again 9"


def test_a_difference_of_just_the_tolerance_is_close(written: Arm) -> None:
    job, (train, *_) = Job(written, 0, 1), store.stored_rows(written, 0)
    for by, outcome in ((0.999, "close"), (1.001, "apart")):
        again = [*train[:3], repr(0.8 * (1 + by * audit.TOLERANCE)), train[4]]
        assert audit.compare(job, [again], to_the_bit=False).outcome == outcome


def test_runs_are_audited_that_count_or_only_lack_the_present_code(written: Arm) -> None:
    arm = replace(written, seeds=(0, 1, 2, 3), fresh_seeds=(100, 101))
    stored(arm, 1, code_version="0" * 16)
    stored(arm, 2, data_digest="0" * 64)
    stored(arm, 100)
    assert audit.stored_jobs([arm], 1) == [Job(arm, seed, 1) for seed in (0, 1, 100)]
    assert [job.audited_epochs for job in audit.stored_jobs([arm], 9)] == [2, 2, 2]  # that the runs have


def test_a_sample_has_as_many_runs_as_its_time_allows(written: Arm) -> None:
    jobs = [Job(written, seed, 2) for seed in range(300)]
    each = cost.START_SECONDS + 2 * cost.epoch_seconds(written.protocol)
    drawn = audit.sample(jobs, 10.001 * each / 60 / cost.cores())
    assert len(drawn) == len({job.seed for job in drawn}) == 10
    assert [job.seed for job in drawn] != list(range(10))
    assert len(audit.sample(jobs[:3], 1000.0)) == 3


def test_the_environment_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    before = dict(os.environ)
    with suppress(KeyError), audit.environment(KEPT="2", NEW="3"):
        assert (os.environ["KEPT"], os.environ["NEW"]) == ("2", "3")
        raise KeyError
    assert dict(os.environ) == before


@pytest.fixture
def repository(mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One without runs, and with MNIST alone."""
    for name in ("conf", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist").symlink_to(mnist)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refusal(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The error of `make audit` with some arguments."""

    def of(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["audit", *arguments])
        with pytest.raises(UserError) as refused:
            audit.main()
        return str(refused.value)

    return of


@pytest.mark.parametrize("epochs", ["0", "-1", "1.5", "x", ""])
def test_epochs_are_a_number(epochs: str, refusal: Callable[..., str]) -> None:
    assert refusal(f"--epochs={epochs}") == f"EPOCHS={epochs}: must be a number, 1 or more"


def test_where_nothing_is_stored_nothing_is_audited(refusal: Callable[..., str]) -> None:
    assert refusal() == "audit: no stored runs of any arm"
    assert refusal("--arms=mlp_depth,asu_mlp") == "audit: no stored runs of mlp_depth,asu_mlp"


def test_the_kind_of_a_run_s_kernels_is_that_of_its_record(written: Arm) -> None:
    stored(written, 0, environment=ENVIRONMENT.model_copy(update={"kernels": "other: GPU"}))
    assert audit.kind_of(Job(written, 0)) == "GPU"


@pytest.fixture(scope="module")
def arm(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Arm:
    """Two really trained runs."""
    made = Arm("tried", tiny(model__hidden_layers=2), (0, 1), tmp_path_factory.mktemp("runs") / "tried")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(mnist.parent.parent)
        campaign.train(campaign.pending([made]))
    return made


@pytest.fixture
def copy(arm: Arm, tmp_path: Path) -> Arm:
    """The same runs where they can be spoiled."""
    copied = replace(arm, folder=tmp_path / "copy")
    shutil.copytree(arm.folder, copied.folder)
    return copied


def shift_loss(arm: Arm, by: float, row: int = 0, **changes: object) -> None:
    """Change a stored loss of seed 0, the first, by a share of it, and its record."""
    record = store.load(arm, 0)
    assert record is not None
    with store.history_path(arm, 0).open() as file:
        _, *rows = list(csv.reader(file))
    rows[row][3] = f"{float(rows[row][3]) * (1 + by):.9g}"
    history = [(int(epoch), split, float(loss), float(acc)) for _, epoch, split, loss, acc in rows]
    probes: dict[str, list[object]] = {kind: [] for kind in store.PROBES}
    store.store(arm, record.model_copy(update=changes), history, probes)


@pytest.fixture(scope="module")
def again(arm: Arm) -> list[Row]:
    """What the first epoch of seed 0 gives when it is trained once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        (event,) = local.launch(audit.stored_jobs([replace(arm, seeds=(0,))], 1), LOCAL)
    return event.rows


def test_any_difference_is_different_but_with_other_kernels(copy: Arm, again: list[Row]) -> None:
    job = Job(copy, 0, 1)
    shift_loss(copy, 1e-6)
    result = audit.compare(job, again)
    assert result.outcome == "different"
    assert result.detail.startswith("epoch 1, train loss: stored ")
    shift_loss(copy, audit.TOLERANCE / 2)
    assert audit.compare(job, again, to_the_bit=False).outcome == "close"
    shift_loss(copy, audit.TOLERANCE * 2)
    assert audit.compare(job, again, to_the_bit=False).outcome == "apart"


def test_another_evaluation_of_the_same_training_is_different(copy: Arm, again: list[Row]) -> None:
    shift_loss(copy, audit.TOLERANCE * 2, row=2)
    result = audit.compare(Job(copy, 0, 1), again)
    assert result.outcome == "different"
    assert result.detail.startswith("epoch 1, test loss: stored ")


@pytest.mark.parametrize(("by", "outcome"), [(0.01, "close"), (0.1, "apart")])
def test_where_the_losses_are_the_same_the_accuracies_are_compared(
    copy: Arm, by: float, outcome: str
) -> None:
    (job,) = audit.stored_jobs([replace(copy, seeds=(0,))], 1)
    (*start, accuracy), *rest = store.stored_rows(copy, 0)
    shifted = f"{float(accuracy) + by:.9g}"
    result = audit.compare(job, [[*start, shifted], *rest], to_the_bit=False)
    assert result.outcome == outcome
    assert result.detail == f"epoch 1, train accuracy: stored {accuracy}, trained again {shifted}"


def test_what_differs_fails_the_audit_by_name(copy: Arm) -> None:
    shift_loss(copy, 1.0)
    with pytest.raises(UserError, match=r"1 of 2 runs are not as stored: tried seed 0: epoch 1, train"):
        audit.audit(audit.stored_jobs([copy], 1))


def test_a_sample_keeps_to_its_time(arm: Arm) -> None:
    jobs = audit.stored_jobs([arm], 1)
    assert len(audit.sample(jobs, 60.0)) == 2
    assert len(audit.sample(jobs, 0.0)) == 1


PROCESSORS = {
    "Skylake-X": kernels.LEVEL_3 | {"avx512_vnni"},
    "Haswell": kernels.LEVEL_3,
    "Westmere": frozenset({"sse4_2"}),
    "arm64": frozenset[str](),
}


@pytest.mark.parametrize(
    ("kind", "processor", "means"),
    [
        (kernels.PORTABLE, "Haswell", "to the bit"),
        (kernels.PORTABLE, "arm64", "by tolerance"),
        (kernels.AVX512, "Skylake-X", "to the bit"),
        (kernels.AVX512, "Haswell", "out of reach"),
        (kernels.AVX512, "Westmere", "by tolerance"),
        (kernels.WITHOUT_ONEDNN, "Haswell", "by tolerance"),
        ("GPU", "Skylake-X", "by tolerance"),
    ],
)
def test_old_runs_are_audited_by_the_means_that_a_processor_has(
    kind: str, processor: str, means: str
) -> None:
    assert audit.means(kind, PROCESSORS[processor]) == means


@pytest.mark.long
def test_runs_of_other_kernels_are_trained_again_with_those(mnist: Path, tmp_path: Path) -> None:
    made = Arm("tried", tiny(model__hidden_layers=2, epochs=1), (0,), tmp_path / "tried")
    with audit.environment(**{kernels.VARIABLE: kernels.WITHOUT_ONEDNN}):
        campaign.train(campaign.pending([made]))
    (job,) = audit.stored_jobs([made], 1)
    assert audit.kind_of(job) == kernels.WITHOUT_ONEDNN
    assert [finding.outcome for finding in audit.audit([job])] == ["identical"]
    (portable,) = local.launch([job], LOCAL)
    assert audit.compare(job, portable.rows).outcome == "different"


@pytest.mark.long
def test_a_run_that_cannot_be_trained_is_named_and_the_others_are_audited(
    copy: Arm, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dressed = Arm("dressed", tiny(dataset="fashion_mnist"), (0,), repository / "dressed")
    stored(dressed, 0, data_digest=dataset_facts("fashion_mnist").digest)
    jobs = [*audit.stored_jobs([dressed], 1), *audit.stored_jobs([copy], 2)]
    with pytest.raises(UserError, match="audit: 1 of 3 runs are not as stored: dressed seed 0: ") as error:
        audit.audit(jobs)
    assert "tried" not in str(error.value)
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "audit: tried seed 0, 2 epochs: identical",
        "audit: tried seed 1, 2 epochs: identical",
    ]


def test_stored_runs_are_found_identical_to_the_bit_and_those_out_of_reach_are_counted(
    copy: Arm, written: Arm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(written, 0, environment=ENVIRONMENT.model_copy(update={"kernels": f"other: {kernels.AVX512}"}))
    monkeypatch.setattr(kernels, "processor_features", lambda: PROCESSORS["Haswell"])
    findings = audit.audit([*audit.stored_jobs([written], 1), *audit.stored_jobs([copy], 2)])
    assert [finding[1:] for finding in findings if finding.job.arm == copy] == [("identical", "")] * 2
    *_, last = lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"audit: written seed 0, 1 epoch: out of reach (made with {kernels.AVX512} kernels, which this"
        " processor lacks)"
    )
    assert last == (
        "audit: 2 of 3 stored runs identical to the bit; 1 out of reach: made with kernels that this"
        " processor lacks"
    )


def test_runs_of_a_gpu_are_compared_by_tolerance(copy: Arm, capsys: pytest.CaptureFixture[str]) -> None:
    gpu = ENVIRONMENT.model_copy(update={"kernels": "other: GPU"})
    shift_loss(copy, audit.TOLERANCE / 2, environment=gpu)
    (job,) = audit.stored_jobs([replace(copy, seeds=(0,))], 1)
    assert [finding.outcome for finding in audit.audit([job])] == ["close"]
    assert capsys.readouterr().out.splitlines()[-1] == (
        "audit: 0 of 1 stored runs identical to the bit; 1 close: within 3% of the training loss an epoch,"
        " with other kernels or caches"
    )


@pytest.mark.long
def test_arms_that_are_named_are_audited_whole(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = experiments.arm("asu_mlp-sgd_relu", PUBLISHED)
    stored(arm, 0)
    stored(arm, 1)
    monkeypatch.setattr(audit, "SAMPLE_MINUTES", 0.0)
    assert refusal(f"--arms={arm.name}").startswith("audit: 2 of 2 runs are not as stored: ")
    assert refusal().startswith("audit: 1 of 1 runs are not as stored: ")
