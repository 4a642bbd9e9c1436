"""Samples of a command and all that it starts, by perf."""
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

_HEADER = re.compile(r"^(?P<process>.+?)\s+\d+\s+(?P<time>\d+\.\d+):")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<function>.*) \((?P<library>[^()]*)(?: \(deleted\))?\)$")
_OFFSET = re.compile(r"\+0x[0-9a-f]+$")


@dataclass
class Sample:
    process: str
    time: float   # seconds, CLOCK_MONOTONIC
    stack: list   # (function, library), innermost first


@dataclass
class Samples:
    period: float  # CPU seconds that each stands for
    samples: list


def record(command, frequency, work):
    """Runs `command`, whose output is ours, to its end; None where perf may not or cannot. A command that fails ends the program."""
    data = f"{work}/perf.data"
    permitted = shutil.which("perf") and subprocess.run(["perf", "record", "-e", "cpu-clock", "-o", data, "--", "true"], check=False,
                                                        capture_output=True).returncode == 0
    if not permitted:
        print("tools/profile: perf is not permitted here (or not installed: linux-perf): the build's trace is all there is", file=sys.stderr)
        _require_success(subprocess.run(command, check=False).returncode)
        return None
    recorded = subprocess.run(["perf", "record", "--quiet", "-e", "cpu-clock", "-F", str(frequency), "--call-graph", "fp",
                               "--clockid", "CLOCK_MONOTONIC", "-o", data, "--", *command], check=False)
    _require_success(recorded.returncode)
    script = subprocess.run(["perf", "script", "-i", data, "-F", "comm,tid,time,ip,sym,symoff,dso"], check=True, text=True, errors="replace",
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return Samples(1 / frequency, list(parse(script.splitlines())))


def _require_success(code):
    if code != 0:
        sys.exit(code)


def parse(lines):
    """Samples of `perf script`: a header line, a line a frame, an empty line."""
    sample = None
    for line in lines:
        frame = _FRAME.match(line)
        header = None if frame else _HEADER.match(line)
        if header:
            sample = Sample(header["process"].strip(), float(header["time"]), [])
        elif frame and sample:
            sample.stack.append((_OFFSET.sub("", frame["function"]), _short(frame["library"])))
        elif not line.strip() and sample:
            if sample.stack:
                yield sample
            sample = None
    if sample and sample.stack:
        yield sample


def _short(library):
    """The kernel and its modules, which perf names in brackets, are one."""
    if library.startswith("[") and library not in ("[unknown]", "[vdso]"):
        return "[kernel]"
    return library.rsplit("/", 1)[-1]
