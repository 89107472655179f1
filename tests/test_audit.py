"""The audit tells identical, near and different runs apart."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import tiny

from elu_replication.commands import audit
from elu_replication.config.schema import LOCAL, Arm
from elu_replication.engine import kernels
from elu_replication.errors import UserError
from elu_replication.runs import store
from elu_replication.training import campaign
from elu_replication.training.launchers import local


@pytest.fixture(scope="module")
def arm(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Arm:
    """Two really trained runs."""
    made = Arm("tried", tiny(), (0, 1), tmp_path_factory.mktemp("runs") / "tried")
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


def shift_loss(arm: Arm, by: float, row: int = 0) -> None:
    """Change a stored loss of seed 0, the first, by a share of it, under a valid checksum."""
    record = store.load(arm, 0)
    assert record is not None
    with store.history_path(arm, 0).open() as file:
        _, *rows = list(csv.reader(file))
    rows[row][3] = f"{float(rows[row][3]) * (1 + by):.9g}"
    history = [(int(epoch), split, float(loss), float(acc)) for _, epoch, split, loss, acc in rows]
    probes: dict[str, list[object]] = {kind: [] for kind in store.PROBES}
    store.store(arm, record, history, probes)


def test_stored_runs_are_found_identical_to_the_bit(arm: Arm) -> None:
    findings = audit.audit(audit.stored_jobs([arm], 2))
    assert [(finding.outcome, finding.detail) for finding in findings] == [("identical", "")] * 2


def test_any_difference_is_different_but_with_other_kernels(copy: Arm) -> None:
    (job,) = audit.stored_jobs([replace(copy, seeds=(0,))], 1)
    (event,) = local.launch([job], LOCAL)
    shift_loss(copy, 1e-6)
    result = audit.compare(job, event.rows)
    assert result.outcome == "different"
    assert result.detail.startswith("epoch 1, train loss: stored ")
    shift_loss(copy, audit.TOLERANCE / 2)
    assert audit.compare(job, event.rows, to_the_bit=False).outcome == "close"
    shift_loss(copy, audit.TOLERANCE * 2)
    assert audit.compare(job, event.rows, to_the_bit=False).outcome == "apart"


def test_another_evaluation_of_the_same_training_is_different(copy: Arm) -> None:
    (job,) = audit.stored_jobs([replace(copy, seeds=(0,))], 1)
    (event,) = local.launch([job], LOCAL)
    shift_loss(copy, audit.TOLERANCE * 2, row=2)
    result = audit.compare(job, event.rows)
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
        (kernels.WITHOUT_ONEDNN, "Haswell", "to the bit"),
        ("GPU", "Skylake-X", "by tolerance"),
    ],
)
def test_old_runs_are_audited_by_the_means_that_a_processor_has(
    kind: str, processor: str, means: str
) -> None:
    assert audit.means(kind, PROCESSORS[processor]) == means


def test_runs_of_other_kernels_are_trained_again_with_those(mnist: Path, tmp_path: Path) -> None:
    made = Arm("tried", tiny(epochs=1), (0,), tmp_path / "tried")
    with audit.environment(**{kernels.VARIABLE: kernels.WITHOUT_ONEDNN}):
        campaign.train(campaign.pending([made]))
    (job,) = audit.stored_jobs([made], 1)
    assert audit.kind_of(job) == kernels.WITHOUT_ONEDNN
    assert [finding.outcome for finding in audit.audit([job])] == ["identical"]
    (portable,) = local.launch([job], LOCAL)
    assert audit.compare(job, portable.rows).outcome == "different"
