#!/usr/bin/env python3
"""Golden images: builds tests/golden/cases/*.Dockerfile with kiln, offline, and compares what comes out with *.expected.

A case begins with lines "#: KEY VALUE", which are taken out before the rest is built as the Dockerfile:
  #: rule TEXT       what the case shows, and where the rule is from (required)
  #: flags ARGS      for the executor
  #: env NAME=VALUE  for the executor
  #: ignore PATTERN  a line of Dockerfile.dockerignore
  #: keep-times      without --rewrite-timestamp, which all others have: then no time in a layer is after SOURCE_DATE_EPOCH
  #: fails           the build must fail; the expected file holds the exit code and the error
  #: twice           built again in another directory, with other file owners, umask and order: the digest must be the same
The expected file holds the manifest's types, the config (JSON, in the order of the bytes, layers of the base named so) and every
entry of kiln's own layers: type, mode, owner, time, path, size, start of the content's sha256, link target, device, xattrs.
"now" is any time after the start of the build. Expectations follow the rules, not the program: read what --update writes.
"""

import argparse
import concurrent.futures
import difflib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import bases
import image

HERE = os.path.dirname(os.path.abspath(__file__))
EPOCH = 1700000000  # 2023-11-14T22:13:20Z: SOURCE_DATE_EPOCH of every case that does not say otherwise
FILE_TIME = 1683356889  # 2023-05-06T07:08:09Z: of everything in the context


class Case:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[: -len(".Dockerfile")]
        self.expected_path = path[: -len("Dockerfile")] + "expected"
        self.rule, self.flags, self.env, self.ignore = "", [], {}, []
        self.fails = self.twice = self.keep_times = False
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")
        while lines and lines[0].startswith("#: "):
            key, _, value = lines.pop(0)[3:].partition(" ")
            if key == "rule":
                self.rule = value
            elif key == "flags":
                self.flags += shlex.split(value)
            elif key == "env":
                name, _, text = value.partition("=")
                self.env[name] = text
            elif key == "ignore":
                self.ignore.append(value)
            elif key in ("fails", "twice", "keep-times"):
                setattr(self, key.replace("-", "_"), True)
            else:
                raise SystemExit(f"{path}: unknown key '{key}'")
        if not self.rule:
            raise SystemExit(f"{path}: no '#: rule'")
        self.text = "\n".join(lines)


def make_context(directory, reverse=False):
    """The files that all cases copy from. `reverse`: the same with another order of creation, other owners, other umask."""
    old = os.umask(0o077 if reverse else 0o022)
    files = {
        "hello.txt": (0o644, b"hello\n"), "run.sh": (0o755, b"#!/bin/sh\necho run\n"), "a1.txt": (0o644, b"a1\n"), "a2.txt": (0o600, b"a2\n"),
        "dir/one": (0o644, b"one\n"), "dir/two": (0o640, b"two\n"), "dir/sub/three": (0o4755, b"three\n"), "dir/sub/deep/four.md": (0o644, b"four\n"),
        "other/one": (0o644, b"other one\n"), "other/five": (0o644, b"five\n"), "with space.txt": (0o644, b"space\n"), "[x].txt": (0o644, b"brackets\n"),
        "node_modules/m/index.js": (0o644, b"js\n"), ".hidden": (0o644, b"hidden\n"), "empty": (0o644, b""), "dir/.dot": (0o644, b"dot\n"),
    }
    os.makedirs(directory)
    for name in sorted(files, reverse=reverse):
        mode, data = files[name]
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)
    os.makedirs(directory + "/dir/vacant")
    os.chmod(directory + "/dir/sub/deep", 0o700)
    os.link(directory + "/dir/one", directory + "/dir/hard")
    os.symlink("one", directory + "/dir/link")
    os.symlink("dir", directory + "/linkdir")
    os.symlink("/hello.txt", directory + "/absolute")
    os.symlink("nowhere", directory + "/dangling")
    os.mkfifo(directory + "/dir/pipe", 0o600)
    os.setxattr(directory + "/dir/two", "user.kiln", b"context")
    make_archives(directory)
    for folder, directories, names in os.walk(directory):
        for name in directories + names:
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path) and not path.endswith("/deep"):
                os.chmod(path, 0o755)
            if reverse:
                mode = os.lstat(path).st_mode & 0o7777
                os.chown(path, 1234, 4321, follow_symlinks=False)
                if not os.path.islink(path):
                    os.chmod(path, mode)
            os.utime(path, (FILE_TIME, FILE_TIME), follow_symlinks=False)
    for name in os.listdir(directory):
        if name.startswith("archive.") or name == "text.gz":
            os.chmod(os.path.join(directory, name), 0o644)
            os.utime(os.path.join(directory, name), (FILE_TIME, FILE_TIME))
    os.umask(old)


def make_archives(directory):
    tar = bases._tar([("packed", "d", 0o750, 7, 8, None), ("packed/file", "f", 0o640, 7, 8, b"packed\n"), ("packed/link", "l", 0o777, 7, 8, "file")])
    for name, command in (("tgz", ["gzip", "-nc"]), ("tar.bz2", ["bzip2", "-c"]), ("tar.xz", ["xz", "-c"]), ("tar.zst", ["zstd", "-c"]), ("tar", ["cat"])):
        with open(f"{directory}/archive.{name}", "wb") as file:
            subprocess.run(command, input=tar, stdout=file, check=True)
    with open(directory + "/text.gz", "wb") as file:
        subprocess.run(["gzip", "-nc"], input=b"no archive\n", stdout=file, check=True)


class Runner:
    def __init__(self, build, work):
        self.executor = os.path.join(os.path.abspath(build), "executor")
        self.work = work
        self.registry = bases.Registry()
        bases.fill(self.registry)
        make_context(work + "/context")
        make_context(work + "/reverse/elsewhere/context", reverse=True)
        self.base_layers = {layer["digest"] for kind, data in self.registry.manifests.values() for layer in json.loads(data).get("layers", [])}

    def build(self, case, context, tag, umask=0o022):
        """Runs the executor; gives (exit code, stderr, directory of the layout)."""
        directory = tempfile.mkdtemp(prefix=f"{case.name}.{tag}.", dir=self.work)
        with open(directory + "/Dockerfile", "w", encoding="utf-8", newline="") as file:
            file.write(case.text)
        if case.ignore:
            with open(directory + "/Dockerfile.dockerignore", "w", encoding="utf-8") as file:
                file.write("\n".join(case.ignore) + "\n")
        layout = directory + "/layout"
        command = [self.executor, "--context", context, "--dockerfile", directory + "/Dockerfile", "--no-push", "--oci-layout-path", layout]
        command += ["--registry-map", "docker.io=" + self.registry.address, "--skip-default-registry-fallback", "--work-dir", directory, "--log-format", "text"]
        if not any("platform" in flag.lower() for flag in case.flags):
            command += ["--custom-platform", "linux/amd64"]
        if not case.keep_times:
            command += ["--rewrite-timestamp"]
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        environment.update({"SOURCE_DATE_EPOCH": str(EPOCH), "KILN_FOREGROUND_CLEANUP": "1"})
        environment.update(case.env)
        done = subprocess.run(command + case.flags, env={k: v for k, v in environment.items() if v != ""}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False, umask=umask)
        return done.returncode, done.stderr.decode("utf-8", "replace"), layout

    def describe(self, layout, started):
        built = image.Layout(layout)
        manifest = built.manifest
        lines = ["manifest " + manifest["mediaType"].split("/")[1], "config " + manifest["config"]["mediaType"].split("/")[1]]
        if built.manifest_descriptor["mediaType"] != manifest["mediaType"]:
            lines.append("index entry " + built.manifest_descriptor["mediaType"])
        if "annotations" in manifest:
            lines.append("annotations " + json.dumps(manifest["annotations"]))
        tars = built.layer_tars()
        config = json.loads(built.config_bytes)
        if built.config_bytes.decode() != image.as_go_writes(config):
            raise ValueError("the config's bytes are not as Go writes them: " + built.config_bytes.decode())
        for number, (layer, tar) in enumerate(zip(manifest["layers"], tars)):
            kind = layer["mediaType"].split("/")[1]
            if layer["digest"] in self.base_layers:
                config["rootfs"]["diff_ids"][number] = "base"
                lines.append("layer of the base " + kind)
                continue
            listing = [image.entry_line(path, node, started) for path, node in image.entries(tar)]
            if any(" now " in line for line in listing):
                config["rootfs"]["diff_ids"][number] = "not fixed"
            lines.append("layer " + kind)
            lines += ["  " + line for line in listing]
        text = json.dumps(config, indent=1, ensure_ascii=False)
        # Short lists of texts on one line.
        text = re.sub(r"\[\s+((?:\"(?:[^\"\\]|\\.)*\",?\s*)+)\]", lambda m: "[" + re.sub(r"\",\s+\"", '", "', m.group(1).strip()) + "]", text)
        return "\n".join(lines) + "\n" + text + "\n"

    def outcome(self, case):
        started = time.time() - 1
        code, log, layout = self.build(case, self.work + "/context", "one")
        if case.fails:
            if code == 0:
                return "", "built, and should have failed"
            return f"exit {code}\n{error_of(log, self.work)}\n", None
        if code != 0:
            return "", f"exit {code}: {error_of(log, self.work)}"
        text = self.describe(layout, started)
        if case.twice:
            time.sleep(1.1)
            code, log, second = self.build(case, self.work + "/reverse/elsewhere/context", "two", umask=0o077)
            if code != 0:
                return text, f"the second build failed: {error_of(log, self.work)}"
            one, two = image.Layout(layout).manifest_descriptor["digest"], image.Layout(second).manifest_descriptor["digest"]
            if one != two:
                other = self.describe(second, started).split("\n")
                return text, "the second build differs:\n" + "\n".join(difflib.unified_diff(text.split("\n"), other, "first", "second", lineterm="", n=0))
        return text, None

    def run(self, case, update):
        """An empty text when the case is as expected."""
        try:
            text, problem = self.outcome(case)
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            return f"{type(error).__name__}: {error}"
        if problem:
            return problem
        expected = ""
        if os.path.exists(case.expected_path):
            with open(case.expected_path, encoding="utf-8") as file:
                expected = file.read()
        if text == expected:
            return ""
        if update:
            with open(case.expected_path, "w", encoding="utf-8") as file:
                file.write(text)
            print("updated", case.name)
            return ""
        return "\n".join(difflib.unified_diff(expected.split("\n"), text.split("\n"), "expected", "built", lineterm="", n=1))


def error_of(log, work):
    """The error at the end of a log, without what is before its text."""
    lines = log.rstrip().split("\n")
    starts = [number for number, line in enumerate(lines) if re.match(r"FATA\[\d+\] ", line)]
    text = "\n".join(line.rstrip() for line in lines[starts[-1] if starts else -1 :])
    return re.sub(re.escape(work) + r"/[^/ :]*", "WORK", re.sub(r"^FATA\[\d+\] ", "", text))


def load_cases(patterns):
    cases = [Case(f"{HERE}/cases/{name}") for name in sorted(os.listdir(HERE + "/cases")) if name.endswith(".Dockerfile")]
    if patterns:
        cases = [case for case in cases if any(re.search(pattern, case.name) for pattern in patterns)]
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build directory with the executor")
    parser.add_argument("patterns", nargs="*", help="only cases whose name matches one of these expressions")
    parser.add_argument("--update", action="store_true", help="write the expected files")
    parser.add_argument("--keep", action="store_true", help="keep the work directory")
    arguments = parser.parse_intermixed_args()
    work = tempfile.mkdtemp(prefix="kiln-golden.", dir="/var/tmp")
    failures = 0
    try:
        cases = load_cases(arguments.patterns)
        runner = Runner(arguments.build, work)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for case, problem in zip(cases, pool.map(lambda case: runner.run(case, arguments.update), cases)):
                if problem:
                    failures += 1
                    print(f"FAILED: {case.name}: {case.rule}\n" + "\n".join("    " + line for line in problem.split("\n")))
    finally:
        if arguments.keep:
            print("kept:", work)
        else:
            shutil.rmtree(work, ignore_errors=True)
    print(f"golden: {len(cases) - failures} passed, {failures} failed")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
