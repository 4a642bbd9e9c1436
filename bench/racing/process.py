"""Running a command and everything that it starts: wall time, CPU time, peak memory."""
import ctypes
import os
import subprocess
import sys
import time
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36
_servers = set()  # children of ours that are no part of what is measured


@dataclass
class Usage:
    seconds: float
    cpu_seconds: float  # user and system, of all processes of the tree that have been waited for
    peak_bytes: int     # of the largest process


def become_subreaper():
    """From now on daemons that a command leaves behind become our children, so that settle() finds them."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def start_server(command, **options):
    """A process that goes on while others are measured; the caller ends it."""
    server = subprocess.Popen(command, **options)
    _servers.add(server.pid)
    return server


def stop_server(server):
    server.terminate()
    server.wait()
    _servers.discard(server.pid)


def run(command, log):
    """Runs to the end. A command that fails ends the race with its output."""
    started = time.monotonic()
    with open(log, "w") as output:
        pid = os.posix_spawnp(command[0], command, os.environ,
                              file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)])
        _, status, used = os.wait4(pid, 0)
    seconds = time.monotonic() - started
    if status != 0:
        with open(log) as output:
            sys.exit(f"{' '.join(command)} failed:\n{output.read()}")
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _orphans():
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        return {int(pid) for pid in children.read().split()} - _servers


def settle():
    """Waits for what the last run deletes aside, which is not to disturb the next one."""
    while orphans := _orphans():
        for pid in orphans:
            os.waitpid(pid, 0)
    os.sync()
