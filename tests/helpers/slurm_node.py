"""A Slurm of one node for the tests: its daemons run as this user, in a folder and on ports of their own."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
ACCOUNTING = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb-install-db")
LIMIT = 4  # jobs of an array
CORES = 4  # whatever this machine has: jobs of the tests wait for one another more than they compute
START_SECONDS = 60.0
STOP_SECONDS = 10.0

# A daemon ends with the tests, even where these are killed.
WITH_US = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={slurmd}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=1
MaxArraySize={limit}
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=65536 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
STORAGE = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge.socket
"""
DBD_CONFIG = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""
SQL = """
CREATE DATABASE slurm;
CREATE USER slurm@localhost IDENTIFIED BY 'slurm';
GRANT ALL ON slurm.* TO slurm@localhost;
"""


def lacking(*, accounting: bool = False) -> list[str]:
    """Return the programs that are not installed."""
    names = (*PROGRAMS, *ACCOUNTING) if accounting else PROGRAMS
    return [name for name in names if _found(name) is None]


@dataclass(frozen=True)
class SlurmNode:
    """A running Slurm; `env` is what its commands must find in the environment."""

    folder: Path
    env: Mapping[str, str]
    limit: int = LIMIT

    def call(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        environment = {**os.environ, **self.env}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=START_SECONDS
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def queue(self) -> dict[str, str]:
        """Return the state of each job that has not ended, by its number."""
        lines = self.call("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def node_state(self) -> str:
        """Return the state of the node."""
        return self.call("sinfo", "--noheader", "--format=%T").strip()


@contextmanager
def slurm_node(*, accounting: bool = False) -> Iterator[SlurmNode]:
    """Start a Slurm of one node, without accounting or with it, and stop it at the end whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))  # the paths of sockets must be short
    try:
        with ExitStack() as stack:
            yield _started(folder, accounting, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, accounting: bool, stack: ExitStack) -> SlurmNode:
    ctld, slurmd, dbd, sql = _free_ports(4)
    names = {"host": socket.gethostname(), "user": getpass.getuser(), "folder": folder, "cores": CORES, "limit": LIMIT}
    names |= {"ctld": ctld, "slurmd": slurmd, "dbd": dbd, "sql": sql}
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    config = folder / "slurm.conf"
    config.write_text((CONFIG + (STORAGE if accounting else "")).format(**names))
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    node = SlurmNode(folder, {"SLURM_CONF": str(config)})
    _munge(folder, stack)
    if accounting:
        _accounting(node, names, stack)
    stack.enter_context(_daemon(node, "slurmctld", "-D", "-i", "-f", str(config)))
    stack.enter_context(_daemon(node, "slurmd", "-D", "-f", str(config), "-N", "node"))
    stack.callback(_no_jobs, node)
    _await(lambda: node.node_state() == "idle", node)
    return node


def _munge(folder: Path, stack: ExitStack) -> None:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    options = [f"--{option}={folder}/munge.{ending}" for option, ending in names.items()]
    node = SlurmNode(folder, {})
    stack.enter_context(_daemon(node, "munged", "--foreground", *options))
    _await((folder / "munge.socket").exists, node)


def _accounting(node: SlurmNode, names: Mapping[str, object], stack: ExitStack) -> None:
    folder, data = node.folder, node.folder / "sql"
    user = f"--user={names['user']}"
    node.call(
        "mariadb-install-db", "--no-defaults", f"--datadir={data}", user, "--auth-root-authentication-method=normal"
    )
    start = folder / "start.sql"
    start.write_text(SQL)
    options = [f"--datadir={data}", f"--socket={folder}/sql.socket", f"--port={names['sql']}", f"--init-file={start}"]
    stack.enter_context(_daemon(node, "mariadbd", "--no-defaults", user, "--bind-address=127.0.0.1", *options))
    _await(lambda: _listens(int(str(names["sql"]))), node)
    (folder / "slurmdbd.conf").write_text(DBD_CONFIG.format(**names))
    (folder / "slurmdbd.conf").chmod(0o600)
    stack.enter_context(_daemon(node, "slurmdbd", "-D"))
    _await(lambda: _listens(int(str(names["dbd"]))), node)
    node.call("sacctmgr", "--immediate", "add", "cluster", "test")


@contextmanager
def _daemon(node: SlurmNode, name: str, *arguments: str) -> Iterator[None]:
    """Run a daemon in the foreground of a session of its own; stop it, and all that it has left."""
    program = _found(name)
    assert program is not None
    with (node.folder / f"{name}.out").open("wb") as out:
        environment = {**os.environ, **node.env}
        command = [*WITH_US, program, *arguments]
        child = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, 9)
        child.wait()


def _no_jobs(node: SlurmNode) -> None:
    """Cancel what a failed test has left: a job's processes are none of the daemons'."""
    node.call("scancel", "--signal=KILL", "--full", f"--user={getpass.getuser()}")
    node.call("scancel", f"--user={getpass.getuser()}")
    _await(lambda: not node.queue(), node)


def _await(holds: Callable[[], object], node: SlurmNode) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        with suppress(AssertionError):  # a daemon that does not answer yet
            if holds():
                return
        assert time.monotonic() < end, [path.read_text()[-2000:] for path in sorted(node.folder.glob("slurm*.*"))]
        time.sleep(0.1)


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
