#!/usr/bin/env python3
"""Random steps (of a fixed seed), and whether the image holds what the last RUN saw.

    random_steps.py --executor PROGRAM --registry HOST:PORT --work DIRECTORY [--seed N] [--rounds N]

Each round makes a Dockerfile of two stages whose RUNs remove, make, move, link and copy what is in a few nested directories, builds it
with every kind of root file system and detector, and compares the tree that umoci unpacks with the listing that the last RUN wrote.
Every line of output that begins with DIFFERENCE or FAILURE is one.
"""
import argparse
import json
import os
import random
import shutil
import stat
import subprocess
import sys

PLACES = ["/n", "/n/s", "/n/s/t", "/n/s/t/u", "/opt", "/opt/data", "/usr", "/usr/bin", "/n/q", "/opt/data/one", "/n/s/x", "/n/s/t/y"]
TOPS = ["n", "opt", "usr", "copied"]
VARIANTS = [
    [],
    ["--single-snapshot"],
    ["--no-overlay"],
    ["--no-overlay", "--single-snapshot"],
    ["--no-overlay", "--snapshot-mode", "watch"],
    ["--no-overlay", "--snapshot-mode", "full"],
]
TYPES = {"directory": stat.S_IFDIR, "regular": stat.S_IFREG, "symbolic": stat.S_IFLNK, "character": stat.S_IFCHR}


def operation(numbers):
    a, b = numbers.sample(PLACES, 2)
    return numbers.choice([
        f"rm -rf {a}", f"rm -rf {a}; mkdir -p {a}", f"rm -rf {a}; mkdir -p {b}", f"mkdir -p {a}", f"chmod 711 {a}",
        f"rm -rf {a}; echo {numbers.randint(0, 9)} > {a}", f"rm -rf {a}; ln -s {b} {a}", f"touch {a}/f{numbers.randint(0, 2)}",
        f"mv {a} {b}", f"mv {a} {a}.m; mv {a}.m {a}", f"cp -rp {a} {b}", f"ln {a} {b}",
    ])


def dockerfile(numbers):
    def runs():
        lines = []
        for _ in range(numbers.randint(2, 4)):
            lines.append("RUN " + "; ".join(operation(numbers) for _ in range(numbers.randint(1, 3))) + "; true")
        return lines

    lines = ["FROM busybox AS a", *runs(), *numbers.choice([["FROM busybox", "COPY file /n/s/x"], ["FROM a"]]), *runs()]
    lines += numbers.choice([[], ["COPY --from=a / /copied/"]])
    lines.append("RUN find /" + " /".join(TOPS) + " -exec stat -c '%n|%F|%a|%u|%s' {} + > /listing; true")
    return "\n".join(lines) + "\n"


def listed(root):
    entries = {}
    with open(f"{root}/listing") as file:
        for line in file:
            name, kind, mode, user, size = line.rstrip("\n").split("|")
            kind = TYPES[kind.split()[0]]
            entries[name.strip("/")] = (kind, int(mode, 8) if kind != stat.S_IFLNK else 0, int(user), int(size) if kind == stat.S_IFREG else 0)
    return entries


def unpacked(root):
    entries = {}

    def add(path):
        status = os.lstat(path)
        kind = stat.S_IFMT(status.st_mode)
        entries[os.path.relpath(path, root)] = (kind, stat.S_IMODE(status.st_mode) if kind != stat.S_IFLNK else 0, status.st_uid,
                                                status.st_size if kind == stat.S_IFREG else 0)

    for top in TOPS:
        path = os.path.join(root, top)
        if not os.path.lexists(path):
            continue
        add(path)
        if os.path.islink(path):
            continue  # os.walk() would follow it
        for directory, directories, files in os.walk(path):
            for name in directories + files:
                add(os.path.join(directory, name))
    return entries


def name_image(index):
    """umoci wants a name, which layouts of Kaniko's --oci-layout-path do not have."""
    with open(index) as file:
        content = json.load(file)
    content["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    with open(index, "w") as file:
        json.dump(content, file)


def build_and_compare(arguments, context, variant):
    layout, bundle = f"{arguments.work}/layout", f"{arguments.work}/bundle"
    for directory in (layout, bundle):
        shutil.rmtree(directory, ignore_errors=True)
    build = [arguments.executor, "--registry-map", f"docker.io={arguments.registry}", "-c", context, "-f", f"{context}/Dockerfile",
             "--no-push", "--oci-layout-path", layout, *variant]
    done = subprocess.run(build, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        print("FAILURE", variant, done.stderr[-500:])
        return
    name_image(f"{layout}/index.json")
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:latest", bundle], check=True, capture_output=True, timeout=60)
    want, got = listed(f"{bundle}/rootfs"), unpacked(f"{bundle}/rootfs")
    for name in sorted(want.keys() | got.keys()):
        if want.get(name) != got.get(name):
            print("DIFFERENCE", variant, name, "seen", want.get(name), "in the image", got.get(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--executor", "--registry", "--work"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    numbers = random.Random(arguments.seed)
    context = f"{arguments.work}/random"
    os.makedirs(context)
    with open(f"{context}/file", "w") as file:
        file.write("content")
    for number in range(arguments.rounds):
        text = dockerfile(numbers)
        with open(f"{context}/Dockerfile", "w") as file:
            file.write(text)
        print(f"round {number}\n{text}")
        for variant in VARIANTS:
            build_and_compare(arguments, context, variant)
    print(f"compared {arguments.rounds * len(VARIANTS)} images")


if __name__ == "__main__":
    sys.exit(main())
