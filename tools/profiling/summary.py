"""Tables of where the time went."""
import collections

from profiling import phases

LONGEST_NAME = 90
FUNCTIONS = 15


def text(samples, spans):
    parts = []
    if spans:
        parts.append(_phases(samples, spans))
    if samples:
        total = len(samples.samples) * samples.period
        parts.append(f"CPU time of the process tree: {total:.2f} s in {len(samples.samples)} samples")
        parts.append(_share("process", samples, lambda sample: sample.process))
        parts.append(_share("library", samples, lambda sample: sample.stack[0][1]))
        parts.append(_share("function of the kernel", samples, lambda sample: _leaf(sample, kernel=True), FUNCTIONS))
        parts.append(_share("function outside of the kernel", samples, lambda sample: _leaf(sample, kernel=False), FUNCTIONS))
    return "\n\n".join(parts)


def _phases(samples, spans):
    wall = phases.wall_seconds(spans)
    cpu = phases.cpu_seconds(spans, samples) if samples else {}
    lines = ["  wall s    CPU s  phase"]
    for kind in sorted(wall, key=wall.get, reverse=True):
        lines.append(f"{wall[kind]:8.3f} {_seconds(cpu.get(kind, 0) if samples else None)}  {kind}")
    if None in cpu:
        lines.append(f"{'':8} {cpu[None]:8.3f}  (no phase)")
    return "\n".join(lines)


def _seconds(value):
    return f"{value:8.3f}" if value is not None else f"{'n/a':>8}"


def _leaf(sample, kernel):
    function, library = sample.stack[0]
    if (library == "[kernel]") != kernel:
        return None
    return function if kernel else f"{function} ({library})"


def _share(title, samples, key_of, limit=None):
    counts = collections.Counter(key for sample in samples.samples if (key := key_of(sample)) is not None)
    lines = [f"   CPU s   share  {title}"]
    for key, count in counts.most_common(limit):
        name = key if len(key) <= LONGEST_NAME else key[:LONGEST_NAME - 3] + "..."
        lines.append(f"{count * samples.period:8.3f} {count / len(samples.samples):6.1%}  {name}")
    return "\n".join(lines)
