"""`make overhead`: seconds of a run beside its training, by launcher and number of workers."""

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import clusters
import pandas as pd
from conftest import tiny

from elu_replication import atomic
from elu_replication.config.experiments import RESULTS
from elu_replication.config.schema import Arm, Launcher
from elu_replication.datasets import fetch
from elu_replication.errors import UserError
from elu_replication.runs import store
from elu_replication.training import campaign

RUNS = 12


def measured(name: str, workers: int) -> dict[str, object]:
    """A row of the table: a campaign of RUNS short runs, all seeds of one arm."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as running:
        tmp = Path(temporary)
        worker = tmp / "worker"
        worker.mkdir()
        (worker / "data").symlink_to(Path("data").resolve())
        folder = RESULTS / "overhead" / tmp.name
        arm = Arm("overhead", tiny(epochs=10), tuple(range(RUNS)), folder)
        jobs = campaign.pending([arm])
        launcher = Launcher("local", processes=workers)
        if name != "local":
            start_cluster = {"ray": clusters.ray_cluster, "slurm": clusters.slurm_cluster}[name]
            launcher = running.enter_context(start_cluster(worker, tmp, workers)).launcher
        start = time.perf_counter()
        if failed := [event for event in campaign.launch(jobs, launcher) if event.kind == "failed"]:
            raise UserError(f"overhead: {failed[0].job}: {failed[0].detail}")
        elapsed = time.perf_counter() - start
        training = sum(record.wall_seconds + record.probe_seconds for record in store.current(arm))
        shutil.rmtree(folder.parent)
    return {
        "launcher": name,
        "workers": workers,
        "runs": RUNS,
        "runs per minute": round(RUNS / elapsed * 60, 1),
        "seconds of training per run": round(training / RUNS, 2),
        "seconds beside it per run": round((workers * elapsed - training) / RUNS, 2),
    }


if __name__ == "__main__":
    fetch.ensure_all([tiny()])
    lines = [measured(name, workers) for name in ("local", "ray", "slurm") for workers in (1, 2)]
    text = pd.DataFrame(lines).to_markdown(index=False)
    atomic.write_text(RESULTS / "bench/launchers.md", text + "\n")
    print(text)
