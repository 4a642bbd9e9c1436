"""Reports of bench/race and tools/profile. Run by tools/test: python3 -m unittest discover -s tests/bench -p '*_test.py'"""
import json
import os
import socket
import sys
import threading
import time
import unittest

SOURCE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(SOURCE, "bench"), os.path.join(SOURCE, "tools")]

from profiling import flame, phases, samples, summary  # noqa: E402
from racing import far, report  # noqa: E402
from racing.builders import Run  # noqa: E402
from racing.cgroup import parse_size  # noqa: E402

TRACE = [{"ph": "M", "name": "thread_name", "tid": 1000},
         {"ph": "X", "name": "RUN <x>", "cat": "step", "ts": 0.0, "dur": 3e6, "tid": 1000},
         {"ph": "X", "name": "layer", "cat": "pull", "ts": 1e6, "dur": 1e6, "tid": 2000}]
RESULTS = {"echo": {"kiln": [Run(2, 1, 2**20, 4_000_000, TRACE), Run(4, 3, 2**21, 4_000_000, TRACE), Run(3, 2, 2**20, 4_000_000, TRACE)],
                    "buildah": [Run(12, 9, 2**22, None)]},
           "big": {"kiln": [Run(1, 1, 2**20, 1, TRACE)]}}
SCRIPT = """\
executor 12 123.500:
\tffffffff81 ext4_lookup+0x10 ([kernel.kallsyms])
\t    7f00 write+0x4d (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    5500 kiln::io::run(std::function<void ()>)+0x1 (/work/build/kiln)

two words 7 124.5:
\t    7f01 [unknown] ([unknown])

"""


def answer(listener, size):
    """One connection: a request, and so many bytes."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"x" * size)


class Far(unittest.TestCase):
    def test_requests_wait_and_connections_are_slow(self):
        size, rate = 2_000_000, 10_000_000
        with socket.create_server(("127.0.0.1", 0)) as near, socket.create_server(("127.0.0.1", 0)) as distant:
            threading.Thread(target=answer, args=(near, size), daemon=True).start()
            threading.Thread(target=far.serve, args=(distant, near.getsockname()[1], 0.1, rate), daemon=True).start()
            with socket.create_connection(distant.getsockname()) as client:
                started = time.monotonic()
                client.sendall(b"GET")
                received = 0
                while count := len(client.recv(1 << 16)):
                    received += count
            self.assertEqual(received, size)
            self.assertGreater(time.monotonic() - started, 0.1 + 0.8 * size / rate)


class Race(unittest.TestCase):
    def test_medians_in_markdown(self):
        lines = report.markdown(RESULTS).splitlines()
        self.assertTrue(lines[2].startswith("| echo | 0.250 | 0.222 | 3.00 | 12.00 | 2.00 | 9.00 | 1 | 4 | 4.0 | - |"), lines[2])
        self.assertTrue(lines[3].startswith("| big | - | - | 1.00 | - |"), lines[3])

    def test_limited_runs_are_a_column(self):
        table = report.markdown({"echo": {"kiln": RESULTS["echo"]["kiln"], "limited": [Run(3.3, 2, 2**20, 1, TRACE)]}}).splitlines()
        self.assertTrue(table[0].startswith("| workload | limited / kiln | kiln s | limited s |"), table[0])
        self.assertTrue(table[2].startswith("| echo | 1.100 | 3.00 | 3.30 |"), table[2])

    def test_sizes(self):
        self.assertEqual([parse_size(text) for text in ("256m", "1G", "4096")], [256 << 20, 1 << 30, 4096])

    def test_json_has_every_run_and_no_trace(self):
        runs = json.loads(report.as_json(RESULTS))["workloads"]["echo"]
        self.assertEqual([run["seconds"] for run in runs["kiln"]], [2, 4, 3])
        self.assertNotIn("trace", runs["kiln"][0])
        self.assertIsNone(runs["buildah"][0]["pushed_bytes"])

    def test_page_stands_alone(self):
        page = report.as_html(RESULTS)
        self.assertNotIn("://", page)
        self.assertIn("RUN &lt;x&gt;: 3.000 s", page)
        self.assertEqual(page.count("<svg"), 2)

    def test_times_on_the_axis_are_round(self):
        self.assertEqual([report._tick_step(end) for end in (30_000, 3_000_000, 11_000_000, 90_000_000)], [10_000, 500_000, 2_000_000, 10_000_000])


class Profile(unittest.TestCase):
    def setUp(self):
        self.samples = samples.Samples(0.5, list(samples.parse(SCRIPT.splitlines())))

    def test_stacks(self):
        first, second = self.samples.samples
        self.assertEqual((first.process, first.time), ("executor", 123.5))
        self.assertEqual(first.stack, [("ext4_lookup", "[kernel]"), ("write", "libc.so.6"), ("kiln::io::run(std::function<void ()>)", "kiln")])
        self.assertEqual((second.process, second.stack), ("two words", [("[unknown]", "[unknown]")]))

    def test_phases_share_what_goes_on_at_once(self):
        spans = [phases.Span("pull", 123, 124), phases.Span("pull", 123.5, 125), phases.Span("unpack", 123, 124)]
        self.assertEqual(phases.wall_seconds(spans), {"pull": 2, "unpack": 1})
        self.assertEqual(phases.cpu_seconds(spans, self.samples), {"pull": 0.75, "unpack": 0.25})

    def test_trace_goes_where_the_flags_are(self):
        self.assertEqual(phases.with_trace(["a/kiln", "build", "."], "t"), ["a/kiln", "build", "--trace-file", "t", "."])
        self.assertEqual(phases.with_trace(["executor", "-c", "."], "t"), ["executor", "--trace-file", "t", "-c", "."])

    def test_tables(self):
        text = summary.text(self.samples, [phases.Span("pull", 123, 124)])
        for part in ("ext4_lookup", "[kernel]", "two words", "(no phase)", "1.00 s in 2 samples"):
            self.assertIn(part, text)
        self.assertIn("n/a  pull", summary.text(None, [phases.Span("pull", 123, 124)]))

    def test_flame_graph(self):
        drawn = flame.svg(self.samples)
        self.assertEqual(drawn.count("<rect"), 6)
        self.assertIn("std::function&lt;void ()&gt;", drawn)


if __name__ == "__main__":
    unittest.main()
