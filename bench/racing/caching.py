"""Builds with a layer cache in the registry, and the keys of a large context."""
import json
import os
import statistics
import subprocess
import sys

from racing.process import run, settle
from racing.workloads import copy_context

DOCKERFILE = """\
FROM {registry}/race/base AS build
COPY sources /src
RUN cat /src/* > /built && head -c 20000000 /dev/urandom >> /built
FROM {registry}/race/base
RUN head -c 5000000 /dev/urandom > /data
COPY --from=build /built /app/built
COPY last /last
"""
SOURCES, SOURCE_BYTES = 500, 10_000
LAST_BYTES = 5_000_000


def _make_context(work, registry):
    context = f"{work}/context"
    os.makedirs(f"{context}/sources")
    os.makedirs(f"{context}/last")
    for number in range(SOURCES):
        with open(f"{context}/sources/{number}", "wb") as source:
            source.write(os.urandom(SOURCE_BYTES))
    change_last(context)
    with open(f"{context}/Dockerfile", "w") as dockerfile:
        dockerfile.write(DOCKERFILE.format(registry=registry.address))
    return context


def change_last(context):
    with open(f"{context}/last/file", "wb") as last:
        last.write(os.urandom(LAST_BYTES))


class Builder:
    """Builds the context into a repository that is new each time; tells what the registry saw of it."""

    def __init__(self, registry, work, program):
        self._registry, self._work, self._program = registry, work, program
        self._number = 0
        self.context = _make_context(work, registry)

    def build(self, flags):
        self._number += 1
        trace = f"{self._work}/trace.json"
        settle()
        seen = len(self._registry.requests())
        with self._registry.count_received() as received:
            used = run([self._program, "--context", self.context, "--destination",
                        f"{self._registry.address}/race/cache-{self._number}:latest", "--log-format", "text", "--trace-file", trace, *flags],
                       f"{self._work}/kiln.log")
        requests = self._registry.requests()[seen:]
        with open(trace) as events:
            captures = [event for event in json.load(events)["traceEvents"] if event["ph"] == "X" and event["cat"] == "capture"]
        return {"seconds": used.seconds, "cpu_seconds": used.cpu_seconds, "peak_bytes": used.peak_bytes,
                "blobs_got": sum(1 for method, path in requests if method == "GET" and "/blobs/sha256:" in path),
                "manifests_got": sum(1 for method, path in requests if method == "GET" and "/manifests/" in path),
                "blobs_mounted": sum(1 for method, path in requests if method == "POST" and "mount=" in path),
                "layers_captured": len(captures), "received_bytes": received.total()}


def builds(registry, work, program, rows, runs):
    """{row: [run]}; the runs of the rows alternate."""
    builder = Builder(registry, work, program)
    cache = ["--cache", "--cache-repo", f"{registry.address}/race/cache"]
    builder.build(cache)
    results = {row: [] for row in ["uncached", *rows]}
    for _ in range(runs):
        results["uncached"].append(builder.build([]))
        if "cached" in rows:
            results["cached"].append(builder.build(cache))
        if "last" in rows:
            change_last(builder.context)
            results["last"].append(builder.build(cache))
        for row in results:
            print(f"{row}: {results[row][-1]['seconds']:.2f} s", file=sys.stderr)
    return results


COLUMNS = [  # heading, what of a run, by what it is divided, digits
    ("s", "seconds", 1, 2),
    ("CPU s", "cpu_seconds", 1, 2),
    ("manifests got", "manifests_got", 1, 0),
    ("blobs got", "blobs_got", 1, 0),
    ("layers made", "layers_captured", 1, 0),
    ("MB sent", "received_bytes", 1e6, 2),
    ("peak MiB", "peak_bytes", 2**20, 0),
]


def _median(runs, what):
    values = [run[what] for run in runs]
    return None if None in values else statistics.median(values)


def _table(header, rows):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]) + "\n"


def builds_table(results):
    whole = _median(results["uncached"], "seconds")
    rows = []
    for row, runs in results.items():
        cells = [_median(runs, what) for _, what, _, _ in COLUMNS]
        rows.append([row, f"{_median(runs, 'seconds') / whole:.3f}"]
                    + ["-" if cell is None else f"{cell / divisor:.{digits}f}" for cell, (_, _, divisor, digits) in zip(cells, COLUMNS)])
    return _table(["build", "of uncached"] + [heading for heading, *_ in COLUMNS], rows)


KEYS = [  # what, benchmark, against which
    ("walk, one thread", "bench_statx_walk", "bench_statx_walk"),
    ("key, remembered", "bench_key_remembered", "bench_statx_walk"),
    ("reading once, one thread", "bench_read_once", "bench_read_once"),
    ("key, not remembered", "bench_key_unknown", "bench_read_once"),
    ("reading once, cold", "bench_read_once_cold", "bench_read_once_cold"),
    ("key, not remembered, cold", "bench_key_unknown_cold", "bench_read_once_cold"),
]


def keys(work, base, program, runs):
    """{benchmark: {"milliseconds", "cpu_milliseconds"}}, medians of runs that alternate."""
    context = copy_context(work, base)
    settle()
    output = subprocess.run([program, "--benchmark_filter=statx_walk|read_once|key_", "--benchmark_format=json",
                             f"--benchmark_repetitions={runs}", "--benchmark_enable_random_interleaving=true"],
                            check=True, stdout=subprocess.PIPE, env={**os.environ, "KILN_BENCH_CONTEXT": context}).stdout
    return {entry["run_name"].split("/")[0]: {"milliseconds": entry["real_time"], "cpu_milliseconds": entry["cpu_time"]}
            for entry in json.loads(output)["benchmarks"] if entry.get("aggregate_name") == "median" and "error_occurred" not in entry}


def keys_table(results):
    rows = [[what, f"{results[name]['milliseconds']:.0f}", f"{results[name]['cpu_milliseconds']:.0f}",
             f"{results[name]['milliseconds'] / results[against]['milliseconds']:.2f}"]
            for what, name, against in KEYS if name in results and against in results]
    return _table(["of 40,000 files, 569 MB", "ms", "CPU ms", "ratio"], rows)
