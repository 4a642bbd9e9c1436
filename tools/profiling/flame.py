"""A flame graph: stacks as boxes upon each other, as wide as their share of the CPU time (B. Gregg). Self-contained SVG."""
import html

WIDTH, ROW, NARROWEST, LETTER = 1600, 16, 0.4, 6.6
STYLE = "text{font:11px monospace;pointer-events:none}rect{stroke:#fff;stroke-width:.4}rect:hover{stroke:#000}"


class Box:
    def __init__(self):
        self.count = 0
        self.children = {}


def svg(samples):
    root = Box()
    for sample in samples.samples:
        box = root
        box.count += 1
        for name in [sample.process, *(f"{function} ({library})" for function, library in reversed(sample.stack))]:
            box = box.children.setdefault(name, Box())
            box.count += 1
    scale = WIDTH / max(root.count, 1)
    height = (_depth(root, scale) + 1) * ROW
    boxes = "".join(_draw(root, 0, height - ROW, scale, samples.period))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
            f"<style>{STYLE}</style>\n{boxes}</svg>\n")


def _visible(box, scale):
    return [(name, child) for name, child in sorted(box.children.items()) if child.count * scale >= NARROWEST]


def _depth(box, scale):
    return 1 + max((_depth(child, scale) for _, child in _visible(box, scale)), default=0)


def _draw(box, x, y, scale, period):
    for name, child in _visible(box, scale):
        width = child.count * scale
        shown = html.escape(name[:int(width / LETTER)]) if width > 4 * LETTER else ""
        tooltip = html.escape(f"{name}: {child.count * period:.3f} s")
        yield (f'<g><title>{tooltip}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}" fill="{_colour(name)}"/>'
               f'<text x="{x + 2:.1f}" y="{y + 12}">{shown}</text></g>\n')
        yield from _draw(child, x, y - ROW, scale, period)
        x += width


def _colour(name):
    if "[kernel]" in name:
        return "#e8a15a"
    return "#7aa6d8" if "kiln" in name else "#a8cf8e"
