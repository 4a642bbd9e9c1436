"""A registry on loopback, and how many bytes its clients have sent to it."""
import os
import re
import socket
import subprocess
import sys
import time

from racing.process import start_server, stop_server

CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: {quiet}}}}}
storage: {{filesystem: {{rootdirectory: {directory}}}}}
http: {{addr: "{address}"}}
"""


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port, log):
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"the registry does not listen: see {log}")


class Registry:
    """With `delay` (milliseconds) or `rate` (bytes a second of each connection) its clients find it far away: see far.py."""

    def __init__(self, work, access_log=False, delay=0, rate=0):
        self._work = work
        self._access_log = access_log
        self._port = _free_port()
        self._far = (delay, rate) if delay or rate else None
        self.address = self._near = f"127.0.0.1:{self._port}"

    def __enter__(self):
        with open(f"{self._work}/registry.yml", "w") as config:
            config.write(CONFIG.format(directory=f"{self._work}/registry", address=self._near, quiet=str(not self._access_log).lower()))
        self._log = open(f"{self._work}/registry.log", "w")
        self._servers = [start_server(["docker-registry", "serve", f"{self._work}/registry.yml"], stdout=self._log, stderr=self._log)]
        _wait_for(self._port, f"{self._work}/registry.log")
        if self._far:
            port = _free_port()
            proxy = os.path.join(os.path.dirname(os.path.realpath(__file__)), "far.py")
            self._servers.append(start_server([sys.executable, proxy, str(port), str(self._port), *map(str, self._far)]))
            _wait_for(port, "its output")
            self.address = f"127.0.0.1:{port}"
        return self

    def __exit__(self, *_):
        for server in self._servers:
            stop_server(server)
        self._log.close()

    def push(self, layout, repository):
        subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:latest",
                        f"docker://{self._near}/{repository}:latest"], check=True)

    def requests(self):
        """(method, path with query) of what was asked for since the start; with `access_log`."""
        with open(f"{self._work}/registry.log") as log:
            return re.findall(r'"([A-Z]+) (/v2/\S*) HTTP/', log.read())

    def count_received(self):
        return ReceivedBytes(self._work, self._port)


class ReceivedBytes:
    """Bytes that the registry's sockets receive meanwhile, requests' headers included.

    The kernel tells of every TCP socket that it destroys, with its counters (sock_diag(7), `ss --events`): nothing stands
    between the builder and the registry.
    """

    def __init__(self, work, port):
        self._events = f"{work}/sockets"
        self._port = port

    def __enter__(self):
        self._output = open(self._events, "w")
        self._listener = start_server(["ss", "--events", "--tcp", "--info", "--numeric"], stdout=self._output, stderr=subprocess.DEVNULL)
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        time.sleep(0.2)
        stop_server(self._listener)
        self._output.close()

    def total(self):
        """After the end; None where ss tells nothing."""
        with open(self._events) as events:
            lines = events.read().splitlines()
        ours = [counters for socket_line, counters in zip(lines, lines[1:])
                if re.match(rf"\S+\s+\d+\s+\d+\s+\S+:{self._port}\s", socket_line)]
        counts = [int(found.group(1)) for counters in ours if (found := re.search(r"bytes_received:(\d+)", counters))]
        return sum(counts) if counts else None
