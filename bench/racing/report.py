"""The results as a Markdown table, JSON, and a self-contained HTML page with the phases of kiln's last run of each workload."""
import dataclasses
import html
import json
import os
import platform
import statistics

COLUMNS = [  # heading, what of a run, by what it is divided, digits
    ("s", "seconds", 1, 2),
    ("CPU s", "cpu_seconds", 1, 2),
    ("peak MiB", "peak_bytes", 2**20, 0),
    ("pushed MB", "pushed_bytes", 1e6, 1),
]
STYLE = """:root{color-scheme:light dark;--ink:#1d2330;--paper:#fff;--rule:#d9dde6;--strong:#8a93a6}
@media(prefers-color-scheme:dark){:root{--ink:#dfe3ec;--paper:#161a22;--rule:#323a49;--strong:#6b7487}}
body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--rule)}td{white-space:nowrap}
th{border-bottom:2px solid var(--strong);vertical-align:bottom}
th:first-child,td:first-child{text-align:left}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}.axis{stroke:var(--rule)}"""
COLOURS = {"step": "#8a93a6", "resolve": "#b279a2", "pull": "#4c78c8", "unpack": "#72b7b2", "run": "#e0873a", "snapshot": "#d95f5f",
           "capture": "#54a24b", "push": "#9d755d"}
WIDTH, LABELS, ROW = 1100, 110, 18


def median(runs, what):
    values = [getattr(run, what) for run in runs]
    return statistics.median(values) if values and None not in values else None


def _cell(runs, what, divisor, digits):
    value = median(runs, what)
    return "-" if value is None else f"{value / divisor:.{digits}f}"


def _ratio(builders, one, other, what="seconds"):
    values = [median(builders.get(name, []), what) for name in (one, other)]
    return f"{values[0] / values[1]:.3f}" if None not in values else "-"


def _table(results):
    names = [name for name in ("kiln", "limited", "buildah") if any(name in builders for builders in results.values())]
    ratios = [(f"{what} ratio", lambda builders, field=field: _ratio(builders, "kiln", "buildah", field))
              for what, field in (("time", "seconds"), ("CPU", "cpu_seconds")) if "buildah" in names]
    if "limited" in names:
        ratios.append(("limited / kiln", lambda builders: _ratio(builders, "limited", "kiln")))
    header = ["workload"] + [heading for heading, _ in ratios] + [f"{name} {heading}" for heading, *_ in COLUMNS for name in names]
    rows = [[workload] + [cell(builders) for _, cell in ratios] +
            [_cell(builders.get(name, []), *column[1:]) for column in COLUMNS for name in names]
            for workload, builders in results.items()]
    return header, rows


def markdown(results):
    header, rows = _table(results)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows])


def as_json(results):
    def fields(run):
        return {name: value for name, value in dataclasses.asdict(run).items() if name != "trace"}

    workloads = {workload: {name: [fields(run) for run in runs] for name, runs in builders.items()} for workload, builders in results.items()}
    return json.dumps({"machine": {"kernel": platform.release(), "cores": os.cpu_count()}, "workloads": workloads}, indent=2) + "\n"


def as_html(results):
    header, rows = _table(results)
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    waterfalls = "".join(f"<h2>{html.escape(workload)}: phases of kiln's last run</h2>\n{waterfall(builders['kiln'][-1].trace)}"
                         for workload, builders in results.items() if builders.get("kiln"))
    return (f"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>kiln races buildah</title><style>{STYLE}</style></head>\n"
            f"<body><h1>kiln races buildah</h1>\n<p>Linux {html.escape(platform.release())}, {os.cpu_count()} cores; medians.</p>\n"
            f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>\n{body}</tbody></table></div>\n{waterfalls}</body></html>\n')


def _tick_step(end):
    """1, 2 or 5 times a power of ten, in microseconds, so that there are at most ten steps up to `end`."""
    step = 10_000
    while True:
        for factor in (1, 2, 5):
            if end / (step * factor) <= 10:
                return step * factor
        step *= 10


def waterfall(events):
    """SVG of a trace in Chrome's format: a row a track, a bar a span."""
    spans = [event for event in events if event["ph"] == "X"]
    if not spans:
        return ""
    tracks = {track: row for row, track in enumerate(sorted({span["tid"] for span in spans}))}
    end = max(span["ts"] + span["dur"] for span in spans)
    scale = (WIDTH - LABELS) / end
    height = (len(tracks) + 1) * ROW + 6
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" width="100%" role="img">\n']
    step = _tick_step(end)
    for number in range(int(end / step) + 1):
        x = LABELS + number * step * scale
        parts.append(f'<line class="axis" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - ROW}"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 4}" text-anchor="{"end" if x > WIDTH - 20 else "middle"}">{number * step / 1e6:g} s</text>\n')
    labelled = set()
    for span in spans:
        kind, y = span["cat"], tracks[span["tid"]] * ROW
        if kind not in labelled:
            labelled.add(kind)
            parts.append(f'<text x="0" y="{y + 13}">{html.escape(kind)}</text>')
        tooltip = html.escape(f"{span['name']}: {span['dur'] / 1e6:.3f} s")
        parts.append(f'<rect x="{LABELS + span["ts"] * scale:.1f}" y="{y + 2}" width="{max(span["dur"] * scale, 0.5):.1f}" height="{ROW - 4}" '
                     f'fill="{COLOURS.get(kind, "#bab0ac")}"><title>{tooltip}</title></rect>\n')
    return "".join(parts) + "</svg>\n"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
