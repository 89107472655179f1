"""Real clusters on this machine, for as long as a test lasts: Ray with two worker nodes, Slurm with one."""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from submitit.slurm.slurm import SlurmJob

from elu_replication.config.schema import Launcher

SLURM_DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")


@dataclass
class Cluster:
    """A launcher whose cluster is up, and what takes a node away from it in the middle of its work."""

    launcher: Launcher
    kill_node: Callable[[], None]


@contextmanager
def ray_cluster(folder: Path, tmp: Path, workers: int = 2) -> Iterator[Cluster]:
    """A head that runs nothing and nodes with one CPU each."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "CHECKPOINT_SECONDS": "0.5"}
    import ray
    from ray.cluster_utils import Cluster as RayCluster

    cluster = RayCluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(workers)]
    cluster.wait_for_nodes()
    launcher = Launcher("ray", address=cluster.address, folder=str(folder), gpus_per_run=0)

    def kill_node() -> None:
        """One that the driver is not on: with its own, a driver dies too."""
        drivers = ray.get_runtime_context().get_node_id()
        victim = next(node for node in nodes if node.node_id != drivers)
        cluster.remove_node(victim, allow_graceful=False)

    try:
        yield Cluster(launcher, kill_node)
    finally:
        cluster.shutdown()


@contextmanager
def slurm_cluster(folder: Path, tmp: Path, workers: int = 2) -> Iterator[Cluster]:
    """A controller with accounting and one node with a CPU for each worker, all of it on the loopback."""
    if missing := [name for name in SLURM_DAEMONS if not shutil.which(name)]:
        pytest.skip(f"no {missing[0]}: install slurm-wlm, slurmdbd, munge and mariadb-server")
    os.environ |= {"SLURM_CONF": str(tmp / "slurm.conf"), "CHECKPOINT_SECONDS": "0.5"}
    SlurmJob.watcher.clear()  # jobs of an earlier cluster of this process had the same numbers
    with ExitStack() as running:

        def start(*command: str) -> subprocess.Popen[bytes]:
            log = running.enter_context((tmp / f"{command[0]}.log").open("ab"))
            process = subprocess.Popen(command, stdout=log, stderr=log)
            running.callback(process.wait)
            running.callback(process.terminate)
            return process

        database = configure(tmp, workers)
        files = ("key-file", "pid-file", "seed-file", "log-file", "socket")
        munge = [f"--{name}={tmp / 'munge' / name}" for name in files]
        start("munged", "--foreground", "--force", *munge)
        start("mariadbd", "--no-defaults", "--skip-grant-tables", "--bind-address=127.0.0.1", *database)
        start("slurmdbd", "-D")
        until(["sacctmgr", "--immediate", "add", "cluster", "test"])
        start("slurmctld", "-D")
        node = start("slurmd", "-D")
        until(["srun", "--ntasks=1", "true"])

        def kill_node() -> None:
            """The daemon and its jobs die at once; the daemon comes back, as after a power cut."""
            steps = [p for p in psutil.process_iter(["name"]) if p.info["name"] == "slurmstepd"]
            jobs = [child for step in steps for child in step.children(recursive=True)]
            for process in (psutil.Process(node.pid), *steps, *jobs):
                process.kill()
            node.wait()
            start("slurmd", "-D")

        yield Cluster(Launcher("slurm", folder=str(folder), minutes=10, gpus_per_run=0), kill_node)


def configure(tmp: Path, workers: int) -> list[str]:
    """Write what Slurm and its database need into `tmp`; returns the database's own arguments."""
    (tmp / "munge").mkdir(mode=0o700)
    (tmp / "munge/key-file").write_bytes(secrets.token_bytes(1024))
    (tmp / "munge/key-file").chmod(0o600)
    user, host = getpass.getuser(), socket.gethostname()
    controller, daemon, accounts, database = free_ports(4)
    munge = f"AuthType=auth/munge\nAuthInfo=socket={tmp / 'munge/socket'}\nSlurmUser={user}\n"
    (tmp / "slurmdbd.conf").write_text(
        munge + f"DbdHost=localhost\nDbdPort={accounts}\nPidFile={tmp / 'slurmdbd.pid'}\n"
        "StorageType=accounting_storage/mysql\nStorageHost=127.0.0.1\n"
        f"StoragePort={database}\nStorageUser=slurm\nStoragePass=slurm\nStorageLoc=slurm\n"
    )
    (tmp / "slurmdbd.conf").chmod(0o600)
    (tmp / "slurm.conf").write_text(
        munge + f"SlurmdUser={user}\nClusterName=test\nSlurmctldHost={host}(127.0.0.1)\n"
        f"SlurmctldPort={controller}\nSlurmdPort={daemon}\n"
        f"StateSaveLocation={tmp / 'state'}\nSlurmdSpoolDir={tmp / 'spool'}\n"
        f"SlurmctldPidFile={tmp / 'slurmctld.pid'}\nSlurmdPidFile={tmp / 'slurmd.pid'}\n"
        "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n"
        "SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\n"
        "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=localhost\n"
        f"AccountingStoragePort={accounts}\nAccountingStoragePass={tmp / 'munge/socket'}\n"
        "JobAcctGatherType=jobacct_gather/none\nReturnToService=2\nSlurmdTimeout=10\n"
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs={workers} State=UNKNOWN\n"
        f"PartitionName=all Nodes={host} Default=YES State=UP\n"
    )
    for name in ("state", "spool", "database"):
        (tmp / name).mkdir()
    own = [f"--datadir={tmp / 'database'}", f"--socket={tmp / 'database/socket'}", f"--user={user}"]
    subprocess.run(["mariadb-install-db", "--no-defaults", *own], check=True, capture_output=True)
    return [*own, f"--port={database}"]


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [opened.getsockname()[1] for opened in sockets]


def until(command: Sequence[str], seconds: float = 60) -> None:
    """Try a command until it succeeds: the daemon that it asks may only be starting."""
    deadline = time.monotonic() + seconds
    while (result := subprocess.run(command, capture_output=True, text=True)).returncode:
        if time.monotonic() > deadline:
            raise AssertionError(f"{command[0]}: {result.stderr or result.stdout}")
        time.sleep(0.3)
