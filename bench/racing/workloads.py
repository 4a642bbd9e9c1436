"""What is built: a context and a Dockerfile for each workload."""
import os
import shutil
import subprocess
from dataclasses import dataclass

BASE = "FROM {registry}/race/base\n"
COPIED_FILES = 40_000
COPIED_BYTES = 560e6
SMALL_FILE = 4_000


@dataclass
class Workload:
    dockerfile: str
    layers: bool = False  # buildah keeps a layer for each instruction, as kiln does
    raced: bool = True


WORKLOADS = {
    "echo": Workload(BASE + "RUN echo hello > /hello\n"),
    "ten": Workload(BASE + "".join(f"RUN head -c 200000 /dev/urandom > /data{i} && echo line {i} >> /log\n" for i in range(1, 11)),
                    layers=True),
    "copy": Workload(BASE + "COPY files /files\n"),
    "two": Workload("".join(f"FROM {{registry}}/race/base AS {name}\nRUN head -c 20000000 /dev/urandom > /{name}\n"
                            for name in ("one", "other")) + "FROM scratch\nCOPY --from=one /one /\nCOPY --from=other /other /\n"),
    "unpack": Workload(BASE + 'RUN ["/bin/true"]\n'),
    "big": Workload("FROM scratch\nCOPY file /file\n", raced=False),
}


def make_context(name, work, registry, base):
    """Gives the directory; the caller deletes it."""
    context = f"{work}/{name}"
    if name == "copy":
        subprocess.run(["cp", "-al", copy_context(work, base), context], check=True)
    else:
        os.mkdir(context)
    if name == "big":
        subprocess.run(["sh", "-c", f"head -c 3000000000 /dev/urandom > '{context}/file'"], check=True)
    with open(f"{context}/Dockerfile", "w") as dockerfile:
        dockerfile.write(WORKLOADS[name].dockerfile.format(registry=registry))
    return context


def copy_context(work, base):
    """Files of the base's /usr, several times; made once and kept beside the base."""
    cached = os.path.join(os.path.dirname(base), "race-copy-files")
    if not os.path.isdir(cached):
        bundle, fresh = f"{work}/bundle", f"{cached}.new"
        subprocess.run(["umoci", "unpack", "--image", f"{base}:latest", bundle], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(fresh, ignore_errors=True)
        _copy_files(f"{bundle}/rootfs/usr", f"{fresh}/files")
        os.rename(fresh, cached)
        shutil.rmtree(bundle)
    return cached


def _copy_files(source, target):
    files = size = 0
    for turn in range(4):
        for path in _regular_files(source):
            length = os.path.getsize(path)
            if files >= COPIED_FILES or (size + length > COPIED_BYTES and length > SMALL_FILE):
                continue
            destination = os.path.join(target, str(turn), os.path.relpath(path, source))
            os.makedirs(os.path.dirname(destination), exist_ok=True)
            shutil.copyfile(path, destination)
            files += 1
            size += length


def _regular_files(directory):
    for parent, _, names in os.walk(directory):
        for path in (os.path.join(parent, name) for name in names):
            if os.path.isfile(path) and not os.path.islink(path):
                yield path
