#!/usr/bin/env python3
"""Golden cases against buildah: the same Dockerfile built by both must give the same files and the same config, or the difference
is in differences.txt with the rule that says who is right. A listed difference that is no longer there fails too, unless it is
listed as one that comes and goes ("~" before what).

Compared: type, mode, owner, size, content, link, device, xattrs, hard links, and times that the build did not make; of the config
what a container is run with. Cases that must fail, and those with a flag that buildah has no word for, are left out."""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import golden
import image

FLAGS = {"--build-arg": "--build-arg", "--target": "--target", "--label": "--label", "--custom-platform": "--platform"}
FIELDS = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Healthcheck", "OnBuild", "Shell")
NODE_FIELDS = ("type", "mode", "uid", "gid", "size", "link", "device", "xattrs", "data", "same")


def buildah_flags(case):
    """The case's flags in buildah's words, or None when one has none."""
    result = []
    words = list(case.flags)
    while words:
        name, equals, value = words.pop(0).partition("=")
        if name not in FLAGS:
            return None
        result += [FLAGS[name], value if equals else words.pop(0)]
    return result


class Buildah:
    def __init__(self, work, registry):
        self.work = work
        self.storage = ["--storage-driver", "vfs", "--root", work + "/root", "--runroot", work + "/runroot"]
        os.makedirs(work)
        self.conf = work + "/registries.conf"
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write('unqualified-search-registries = ["docker.io"]\n')
            file.write(f'[[registry]]\nprefix = "docker.io"\nlocation = "{registry.address}"\ninsecure = true\n')

    def build(self, case, flags, context):
        """Gives the directory of an OCI layout, or None and the error."""
        directory = tempfile.mkdtemp(prefix=case.name + ".", dir=self.work)
        with open(directory + "/Dockerfile", "w", encoding="utf-8", newline="") as file:
            file.write(case.text)
        command = ["buildah", *self.storage, "bud", "--isolation", "chroot", "--layers=false", "--format", "docker", "-f", directory + "/Dockerfile"]
        if case.ignore:
            with open(directory + "/ignore", "w", encoding="utf-8") as file:
                file.write("\n".join(case.ignore) + "\n")
            command += ["--ignorefile", directory + "/ignore"]
        command += ["--iidfile", directory + "/id", *flags, context]
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        environment["CONTAINERS_REGISTRIES_CONF"] = self.conf
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
        if done.returncode != 0:
            return None, done.stdout.decode("utf-8", "replace")[-600:]
        with open(directory + "/id", encoding="utf-8") as file:
            identity = file.read().strip()
        # A docker manifest in an OCI layout keeps Docker's config, Healthcheck and all.
        push = ["buildah", *self.storage, "push", "--quiet", "--format", "v2s2", "-D", identity, f"dir:{directory}/image"]
        subprocess.run(push, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=True)
        subprocess.run(["buildah", *self.storage, "rmi", "--force", identity], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
        return directory + "/image", None


def read_dir_image(directory):
    """Config and layers of an image in skopeo's "dir" form."""
    with open(directory + "/manifest.json", "rb") as file:
        manifest = json.load(file)

    def blob(descriptor):
        with open(f"{directory}/{descriptor['digest'].split(':')[1]}", "rb") as file:
            return file.read()

    return json.loads(blob(manifest["config"])), [image.inflate(blob(layer)) for layer in manifest["layers"]]


def differences(ours, theirs, started):
    """(what, kiln's, buildah's) of two pairs (config, layers)."""
    found = []
    for field in FIELDS:
        mine, other = (config.get("config", {}).get(field) or None for config, _ in (ours, theirs))
        if field == "Labels":
            mine, other = ({k: v for k, v in (labels or {}).items() if k != "io.buildah.version"} for labels in (mine, other))
        if field == "WorkingDir":
            mine, other = mine or "/", other or "/"
        if field == "Env":
            mine, other = sorted(mine or []), sorted(other or [])
        if mine != other:
            found.append((f"config {field}", mine, other))
    for field in ("architecture", "os", "author"):
        mine, other = ours[0].get(field) or "", theirs[0].get(field) or ""
        if mine != other:
            found.append((f"config {field}", mine, other))
    mine, other = image.flatten(ours[1]), image.flatten(theirs[1])
    for path in sorted(set(mine) | set(other)):
        if not path:
            continue
        if path not in mine or path not in other:
            found.append((f"tree /{path}", "there" if path in mine else "not there", "there" if path in other else "not there"))
            continue
        a, b = mine[path], other[path]
        for field in NODE_FIELDS:
            if field == "size" and a.type != "f":
                continue
            if field == "mode":
                a, b = a._replace(mode=a.mode & 0o7777), b._replace(mode=b.mode & 0o7777)
            if getattr(a, field) != getattr(b, field):
                found.append((f"tree /{path} {field}", getattr(a, field), getattr(b, field)))
        if int(a.mtime) != int(b.mtime) and not (a.mtime >= started and b.mtime >= started):
            found.append((f"tree /{path} mtime", image.time_text(a.mtime, started), image.time_text(b.mtime, started)))
    return found


def load_list():
    """{(case, what): rule}; a what that ends in "*" stands for all that begin so."""
    listed = {}
    with open(golden.HERE + "/differences.txt", encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                case, what, rule = (part.strip() for part in line.split("|", 2))
                listed[case, what] = rule
    return listed


def matches(listed, what):
    listed = listed.removeprefix("~")
    return what == listed or (listed.endswith("*") and what.startswith(listed[:-1]))


def compare(runner, buildah, case, flags):
    started = time.time() - 1
    case.env.setdefault("SOURCE_DATE_EPOCH", "")  # times as they are
    case.keep_times = True
    code, log, layout = runner.build(case, runner.work + "/context", "kiln")
    if code != 0:
        return [("kiln does not build", golden.error_of(log, runner.work), "")]
    directory, error = buildah.build(case, flags, runner.work + "/context")
    if directory is None:
        return [("buildah does not build", "", error.strip().split("\n")[-1])]
    built = image.Layout(layout)
    found = differences((built.config, built.layer_tars()), read_dir_image(directory), started)
    shutil.rmtree(directory)
    return found


def judge(case, found, listed):
    """Problems as text, with what is listed taken out."""
    problems = []
    for what, mine, other in found:
        if not any(name in (case.name, "*") and matches(pattern, what) for name, pattern in listed):
            problems.append(f"{what}: kiln {mine!r}, buildah {other!r}")
    for name, pattern in listed:
        if name == case.name and not pattern.startswith("~") and not any(matches(pattern, what) for what, _, _ in found):
            problems.append(f"listed, and not there: {pattern}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build directory with the executor")
    parser.add_argument("patterns", nargs="*", help="only cases whose name matches one of these expressions")
    parser.add_argument("--short", action="store_true", help="every third case")
    arguments = parser.parse_intermixed_args()
    cases = [(case, buildah_flags(case)) for case in golden.load_cases(arguments.patterns) if not case.fails and not case.name.startswith(("epoch-", "reproducible-"))]
    cases = [(case, flags) for case, flags in cases if flags is not None]
    if arguments.short:
        cases = cases[::3]
    listed = load_list()
    work = tempfile.mkdtemp(prefix="kiln-compare.", dir="/var/tmp")
    failures = 0
    try:
        runner = golden.Runner(arguments.build, work)
        buildah = Buildah(work + "/buildah", runner.registry)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda entry: compare(runner, buildah, *entry), cases))
        for (case, flags), found in zip(cases, results):
            # Builds share buildah's store, where one that deletes its image now and then takes a layer of another along.
            problems = judge(case, found, listed) and judge(case, compare(runner, buildah, case, flags), listed)
            if problems:
                failures += 1
                print(f"FAILED: {case.name}: {case.rule}\n" + "\n".join("    " + problem for problem in problems))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"compared with buildah: {len(cases) - failures} as expected, {failures} not")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
