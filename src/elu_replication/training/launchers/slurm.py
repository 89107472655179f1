"""Jobs of a Slurm cluster, which requeues them when a node dies; by submitit."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import submitit
from submitit.core.utils import UncompletedJobError

from elu_replication.config.schema import Launcher
from elu_replication.engine import kernels
from elu_replication.errors import UserError, one_line
from elu_replication.training.job import Event, Job
from elu_replication.training.launchers import remote

POLL_SECONDS = 2.0  # between two readings of the jobs' logs
TIMEOUTS = 100  # of a job, each after `launcher.minutes`
MIN_MINUTES = 5  # Slurm warns a job 90 to 150 seconds before its limit, and it must run by then
ARRAY_JOBS = 1000  # Slurm's default limit of an array is 1,001


class Run(submitit.helpers.Checkpointable):
    """The work of a Slurm job; at its time limit it is requeued and resumes from its checkpoint."""

    def __call__(self, task: remote.Task) -> remote.Result:
        return remote.run(task, lambda epoch: print(f"epoch {epoch}", flush=True))


def launch(jobs: Sequence[Job], launcher: Launcher) -> Iterator[Event]:
    """Run each of `jobs` as a Slurm job, yielding their events as they come.

    Raises UserError if there is no Slurm or the time limit is too short. Queued and running jobs end when
    this generator does.
    """
    if launcher.minutes is not None and launcher.minutes < MIN_MINUTES:
        raise UserError(f"launcher.minutes = {launcher.minutes}: must be {MIN_MINUTES} or more")
    submitted = _submit(jobs, launcher)
    reached = dict.fromkeys(submitted, 0)
    try:
        while submitted:
            for handle, job in list(submitted.items()):
                if _done(handle):
                    del submitted[handle]
                    try:
                        yield remote.received(job, handle.result())
                    except UncompletedJobError as error:
                        yield Event(job, "failed", detail=one_line(error))
                elif (epoch := _epoch(handle)) > reached[handle]:
                    reached[handle] = epoch
                    yield Event(job, "epoch", epoch)
            if submitted:
                time.sleep(POLL_SECONDS)
    finally:
        for handle in submitted:
            handle.cancel(check=False)


def _submit(jobs: Sequence[Job], launcher: Launcher) -> dict["submitit.Job[remote.Result]", Job]:
    folder = str(launcher.folder)
    try:
        logs = Path(folder).expanduser() / "slurm"
        subprocess.run("sacct", check=True, capture_output=True)  # submitit needs it for the jobs' states
        executor = submitit.AutoExecutor(logs, cluster="slurm", slurm_max_num_timeout=TIMEOUTS)
        executor.update_parameters(
            name="elu-replication",
            timeout_min=launcher.minutes,
            cpus_per_task=1,
            gpus_per_node=launcher.gpus_per_run or None,
            slurm_partition=launcher.partition,
            slurm_setup=[f"export {name}='{value}'" for name, value in kernels.AVX2_OF_NUMPY.items()],
            slurm_additional_parameters={"requeue": True},
        )
        submitted: dict[submitit.Job[remote.Result], Job] = {}
        for start in range(0, len(jobs), ARRAY_JOBS):
            batch = jobs[start : start + ARRAY_JOBS]
            handles = executor.map_array(Run(), [remote.task(job, folder) for job in batch])
            submitted |= dict(zip(handles, batch, strict=True))
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        raise UserError(
            f"launcher = slurm: {one_line(error)}; is this a node of a Slurm cluster that keeps accounts?"
        ) from error
    return submitted


def _done(handle: "submitit.Job[remote.Result]") -> bool:
    """Whether a job has ended for good; a job whose node failed is about to be requeued."""
    if not handle.done():
        return False
    # done() saw the cached state; a new one may be that of the requeued job.
    state = handle.watcher.get_state(handle.job_id, mode="cache")
    if state != "NODE_FAIL" or handle.paths.result_pickle.exists():
        return True
    handle.watcher.clear()  # submitit asks Slurm no more about a job that is done
    return False


def _epoch(handle: "submitit.Job[remote.Result]") -> int:
    """The last epoch in the job's log; 0 before the first."""
    lines = [line for line in (handle.stdout() or "").splitlines() if line.startswith("epoch ")]
    return int(lines[-1].split()[1]) if lines else 0
