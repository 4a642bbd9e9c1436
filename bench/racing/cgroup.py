"""A cgroup with a memory limit, of whichever version the machine has. Its limit counts the page cache too, as a pod's does."""
import os

ROOT = "/sys/fs/cgroup"


class MemoryLimit:
    """A command that is started with `prefix` in front of it runs in the group, and so does everything that it starts."""

    def __init__(self, size):
        self._size = size
        name = f"kiln-race-{os.getpid()}"
        if os.path.exists(f"{ROOT}/cgroup.controllers"):
            self._limit_file = "memory.max"
            _write(f"{ROOT}/cgroup.subtree_control", "+memory")
            self._directory = f"{ROOT}/{name}"
        else:
            self._limit_file = "memory.limit_in_bytes"
            self._directory = f"{ROOT}/memory/{name}"

    def __enter__(self):
        os.mkdir(self._directory)
        _write(f"{self._directory}/{self._limit_file}", str(self._size))
        return self

    def __exit__(self, *_):
        os.rmdir(self._directory)

    @property
    def prefix(self):
        return ["sh", "-c", f'echo $$ > {self._directory}/cgroup.procs && exec "$@"', "sh"]


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


def parse_size(text):
    """'256m': k, m and g are powers of 1024."""
    units = {"k": 2**10, "m": 2**20, "g": 2**30}
    digits, unit = (text[:-1], text[-1].lower()) if text[-1:].lower() in units else (text, "")
    return int(digits) * units.get(unit, 1)
