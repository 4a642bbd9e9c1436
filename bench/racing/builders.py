"""The builders: each builds a context and pushes the image to a repository of its own, whose layers the registry does not know there."""
import json
import subprocess
from dataclasses import dataclass, field
from typing import Optional

from racing.process import run
from racing.workloads import WORKLOADS


@dataclass
class Run:
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    pushed_bytes: Optional[int]
    trace: list = field(default_factory=list, repr=False)  # kiln's trace events


class Kiln:
    """`limit`: the cgroup.MemoryLimit that it runs under; None: all of the machine's memory."""

    def __init__(self, registry, work, program, limit=None):
        self._registry, self._work, self._program = registry, work, program
        self.name = "limited" if limit else "kiln"
        self._prefix = limit.prefix if limit else []

    def build(self, workload, number, context):
        trace = f"{self._work}/trace.json"
        with self._registry.count_received() as received:
            used = run([*self._prefix, self._program, "--context", context,
                        "--destination", f"{self._registry.address}/race/{self.name}-{workload}-{number}:latest",
                        "--log-format", "text", "--trace-file", trace], f"{self._work}/kiln.log")
        with open(trace) as events:
            return Run(used.seconds, used.cpu_seconds, used.peak_bytes, received.total(), json.load(events)["traceEvents"])


class Buildah:
    name = "buildah"

    def __init__(self, registry, work):
        self._registry, self._work = registry, work

    def build(self, workload, number, context):
        store = f"{self._work}/store-{workload}-{number}"  # kept until the end: deleting slows down whoever is next
        buildah = ["buildah", "--root", f"{store}/root", "--runroot", f"{store}/run", "--storage-driver", "overlay"]
        layers = str(WORKLOADS[workload].layers).lower()
        log = f"{self._work}/buildah.log"
        with self._registry.count_received() as received:
            built = run([*buildah, "bud", "--isolation", "chroot", "--tls-verify=false", f"--layers={layers}", "-t", "race", context], log)
            pushed = run([*buildah, "push", "--tls-verify=false", "race",
                          f"docker://{self._registry.address}/race/buildah-{workload}-{number}:latest"], log)
        subprocess.run([*buildah, "rm", "-a"], check=False, capture_output=True)
        subprocess.run(["umount", "-l", f"{store}/root/overlay"], check=False, capture_output=True)
        return Run(built.seconds + pushed.seconds, built.cpu_seconds + pushed.cpu_seconds, max(built.peak_bytes, pushed.peak_bytes),
                   received.total())
