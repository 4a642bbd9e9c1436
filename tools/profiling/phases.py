"""The phases of a build, from the trace that it writes."""
import json
import os
from dataclasses import dataclass


@dataclass
class Span:
    kind: str
    begin: float  # seconds, CLOCK_MONOTONIC
    end: float


def with_trace(command, path):
    """The command line with --trace-file: after the command's name for kiln, which has several."""
    at = 2 if os.path.basename(command[0]) == "kiln" else 1
    return [*command[:at], "--trace-file", path, *command[at:]]


def read(path):
    """None when the command has written no trace."""
    if not os.path.exists(path):
        return None
    with open(path) as file:
        trace = json.load(file)
    start = trace["otherData"]["start_us"]
    return [Span(event["cat"], (start + event["ts"]) / 1e6, (start + event["ts"] + event["dur"]) / 1e6)
            for event in trace["traceEvents"] if event["ph"] == "X" and event["cat"] != "step"]


def wall_seconds(spans):
    """{kind: seconds in which something of the kind was going on}"""
    result = {}
    for kind in {span.kind for span in spans}:
        reached = float("-inf")
        total = 0
        for span in sorted((span for span in spans if span.kind == kind), key=lambda span: span.begin):
            total += max(0, span.end - max(span.begin, reached))
            reached = max(reached, span.end)
        result[kind] = total
    return result


def cpu_seconds(spans, samples):
    """{kind: CPU seconds}, each sample divided among the kinds that were going on; None: those of no phase."""
    result = {}
    for sample in samples.samples:
        kinds = {span.kind for span in spans if span.begin <= sample.time <= span.end} or {None}
        for kind in kinds:
            result[kind] = result.get(kind, 0) + samples.period / len(kinds)
    return result
