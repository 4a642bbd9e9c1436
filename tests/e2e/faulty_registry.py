#!/usr/bin/env python3
"""A registry that misbehaves: stands in front of a real one and breaks what the rules say.

    faulty_registry.py --listen HOST:PORT --upstream HOST:PORT --rules FILE --log FILE [options]

A line of the rules file is `METHOD PATH-REGEX TIMES FAULT[,FAULT...]`; TIMES is a number or `always`. The first line that
matches a request and has times left is applied. Lines may be added while this runs; they are told apart by their text.

Faults of a response (N counts bytes of the body):
    reset=N truncate=N   the connection is reset, or closed in order, after N bytes of the promised length
    stall=N              nothing more is sent after N bytes
    flip=N               the lowest bit of byte N is inverted
    shift=N              a range is answered, and labelled, N bytes off
    longer=N             N bytes too many, and a Content-Length that says so
    chunked=N            sent in chunks of N bytes and with trailers instead of a Content-Length
    ignore-range         the whole body with status 200
    drop-digest          without Docker-Content-Digest
    rate=N               N bytes a second and not more
    redirect=URL         307 to URL + path
    status=N retry-after=N   this status instead; the request is not passed on; message=TEXT with + for blanks
Faults of a request:
    early-status=N       this status before the body has been read, then a close
    cut=N                the upstream gets N bytes of the body, then the client's connection is reset
    partial=N            the upstream gets N bytes of the body; its answer is passed on
    flip-request=N       the lowest bit of byte N is inverted on its way up
    after=N              passed on whole, then status N is answered

Logins: with --bearer-user, paths below /v2/private/ want a token of this server's /token, which is good for
--token-lifetime seconds and says that it is for --token-claims. As a proxy it takes absolute request targets and CONNECT
(every tunnel leads to --connect-to), and wants --proxy-user when that is given.

The log has a line a request: method, path, status, then name=value pairs.
"""
import argparse
import base64
import http.client
import http.server
import json
import re
import secrets
import socket
import ssl
import struct
import threading
import time
import traceback
import urllib.parse

HOP_BY_HOP = {"connection", "keep-alive", "proxy-authorization", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"}


class Dropped(Exception):
    """The client's connection has been ended on purpose."""


class Rules:
    """The rules file, read again for every request, with what is left of each line's times."""

    def __init__(self, path):
        self.path = path
        self.used = {}
        self.lock = threading.Lock()

    def take(self, method, path):
        with self.lock:
            with open(self.path, encoding="utf-8") as file:
                lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
            for wanted, pattern, times, faults in lines:
                key = (wanted, pattern, times, faults)
                if wanted not in ("*", method) or not re.search(pattern, path):
                    continue
                if times != "always" and self.used.get(key, 0) >= int(times):
                    continue
                self.used[key] = self.used.get(key, 0) + 1
                return dict((fault.split("=", 1) + [""])[:2] for fault in faults.split(","))
        return {}


class Tokens:
    """Bearer tokens and until when they are good."""

    def __init__(self, user, lifetime, claims):
        self.user = user
        self.lifetime = lifetime
        self.claims = claims
        self.expiry = {}

    def issue(self):
        token = secrets.token_hex(16)
        self.expiry[token] = time.monotonic() + self.lifetime
        return {"token": token, "expires_in": self.claims}

    def good(self, authorization):
        scheme, _, token = (authorization or "").partition(" ")
        return scheme == "Bearer" and self.expiry.get(token, 0) > time.monotonic()

    def right_login(self, authorization):
        return authorization == "Basic " + base64.b64encode(self.user.encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 100

    def handle(self):
        try:
            super().handle()
        except (Dropped, ConnectionError, TimeoutError, ssl.SSLError):
            self.close_connection = True

    def log_message(self, *_):
        pass

    def note(self, status, **more):
        fields = " ".join(f"{key.replace('_', '-')}={value}" for key, value in more.items())
        login = self.headers.get("Authorization", "none").split()[0]
        with self.server.log_lock, open(self.server.options.log, "a", encoding="utf-8") as file:
            file.write(f"{self.command} {self.path} {status} login={login} range={self.headers.get('Range', 'none')} {fields}\n")

    # -- ends of a connection ---------------------------------------------------------------------------------------
    def reset(self):
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise Dropped

    def stall(self):
        self.wfile.flush()
        self.connection.settimeout(self.timeout)
        while self.connection.recv(1 << 16):
            pass
        raise Dropped

    # -- bodies -----------------------------------------------------------------------------------------------------
    def read_body(self, limit=None):
        """The request's body; with a limit it stops there, which leaves the connection good for nothing but a reset."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            size = int(self.headers.get("Content-Length", 0))
            return self.rfile.read(size if limit is None else min(size, limit))
        body = b""
        while limit is None or len(body) < limit:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body
        return body[:limit]

    def simple(self, status, body=b"", headers=()):
        self.note(status)
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, faults=None):
        message = (faults or {}).get("message", f"made to answer {status}").replace("+", " ")
        body = json.dumps({"errors": [{"code": "FAULT", "message": message}]}).encode()
        retry = (faults or {}).get("retry-after")
        self.simple(status, body, [("Retry-After", retry)] if retry else [])

    # -- upstream ---------------------------------------------------------------------------------------------------
    def ask_upstream(self, path, body, drop):
        """Status, header fields and body of the real registry's answer."""
        connection = http.client.HTTPConnection(self.server.options.upstream, timeout=60)
        connection.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP | {"content-length"} | drop:
                connection.putheader(name, value)
        if body or self.command in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body:
            connection.send(body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, [field for field in answer.getheaders() if field[0].lower() not in HOP_BY_HOP], data

    def shift_range(self, by):
        begin, end = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        del self.headers["Range"]
        self.headers["Range"] = f"bytes={max(begin - by, 0)}-{end - by}"

    # -- what is done with a request --------------------------------------------------------------------------------
    def serve(self):
        parts = urllib.parse.urlsplit(self.path)
        path = parts.path + ("?" + parts.query if parts.query else "")
        options = self.server.options
        if options.proxy_user and not self.proxy_login():
            return
        if parts.path == "/token":
            self.token()
            return
        if parts.path.startswith("/v2/private/") and options.bearer_user and not self.server.tokens.good(self.headers["Authorization"]):
            self.read_body()
            realm = f'Bearer realm="http://{options.listen}/token",service="faulty",scope="repository:private:pull"'
            self.simple(401, b"{}", [("WWW-Authenticate", realm)])
            return
        faults = self.server.rules.take(self.command, path)
        if self.refused(path, faults):
            return
        self.pass_on(path, faults)

    def refused(self, path, faults):
        """True when the fault was an answer that the upstream has no part in."""
        if "early-status" in faults:
            self.error(int(faults["early-status"]))
            self.close_connection = True
            return True
        if "redirect" in faults:
            self.read_body()
            self.simple(307, b"", [("Location", faults["redirect"] + path)])
            return True
        if "status" in faults:
            self.read_body()
            self.error(int(faults["status"]), faults)
            return True
        return False

    def pass_on(self, path, faults):
        if "shift" in faults and "Range" in self.headers:
            self.shift_range(int(faults["shift"]))
        limit = next((int(faults[name]) for name in ("cut", "partial") if name in faults), None)
        body = self.read_body(limit if "cut" in faults else None)[:limit]
        if "flip-request" in faults and body:
            body = flipped(body, int(faults["flip-request"]))
        drop = {"authorization"} if self.server.options.bearer_user else set()
        if "ignore-range" in faults:
            drop.add("range")
        if limit is not None:
            drop.add("content-range")
        status, headers, data = self.ask_upstream(path, body, drop)
        if "cut" in faults:
            self.note("reset", taken=len(body))
            self.reset()
        if "after" in faults:
            self.error(int(faults["after"]))
            return
        self.answer(status, headers, data, faults)

    def answer(self, status, headers, data, faults):
        head = self.command == "HEAD"
        dropped = {"content-length"} if not head else set()
        if "drop-digest" in faults:
            dropped.add("docker-content-digest")
        if "flip" in faults and int(faults["flip"]) < len(data):
            data = flipped(data, int(faults["flip"]))
        data += b"x" * int(faults.get("longer", 0))
        self.note(status, body=len(data), fault="+".join(faults) or "none")
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in dropped:
                self.send_header(name, value)
        if "chunked" in faults:
            self.send_header("Transfer-Encoding", "chunked")
        elif not head and status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not head:
            self.send_data(data, faults)

    def send_data(self, data, faults):
        for name, end in (("reset", self.reset), ("truncate", self.hang_up), ("stall", self.stall)):
            if name in faults and len(data) > int(faults[name]):
                self.wfile.write(data[: int(faults[name])])
                end()
        if "chunked" in faults:
            size = int(faults["chunked"])
            for at in range(0, len(data), size):
                piece = data[at : at + size]
                self.wfile.write(b"%x;extension=1\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nTrailer: yes\r\n\r\n")
            return
        if "rate" in faults:
            self.send_slowly(data, int(faults["rate"]))
            return
        self.wfile.write(data)

    def send_slowly(self, data, rate):
        piece = max(rate // 100, 1)
        started = time.monotonic()
        for at in range(0, len(data), piece):
            time.sleep(max(0, started + at / rate - time.monotonic()))
            self.wfile.write(data[at : at + piece])

    def hang_up(self):
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        raise Dropped

    def token(self):
        form = dict(urllib.parse.parse_qsl(self.read_body().decode())) if self.command == "POST" else {}
        if form.get("grant_type") == "refresh_token" and form.get("refresh_token") == self.server.options.refresh_token:
            self.simple(200, json.dumps(self.server.tokens.issue()).encode())
            return
        if not self.server.tokens.right_login(self.headers["Authorization"]):
            self.simple(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}')
            return
        self.simple(200, json.dumps(self.server.tokens.issue()).encode())

    # -- as a proxy -------------------------------------------------------------------------------------------------
    def proxy_login(self):
        wanted = "Basic " + base64.b64encode(self.server.options.proxy_user.encode()).decode()
        if self.headers["Proxy-Authorization"] == wanted:
            return True
        self.read_body()
        self.simple(407, b"", [("Proxy-Authenticate", 'Basic realm="proxy"')])
        return False

    def do_CONNECT(self):
        options = self.server.options
        if options.proxy_user and not self.proxy_login():
            return
        host, port = options.connect_to.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as upstream:
            self.note(200)
            self.send_response_only(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(upstream, self.connection), daemon=True)
            back.start()
            pump(self.connection, upstream)
            back.join()
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def pump(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, options):
        host, port = options.listen.rsplit(":", 1)
        super().__init__((host, int(port)), Handler)
        self.options = options
        self.rules = Rules(options.rules)
        self.tokens = Tokens(options.bearer_user, options.token_lifetime, options.token_claims)
        self.log_lock = threading.Lock()

    def handle_error(self, request, client_address):
        with self.log_lock, open(self.options.log, "a", encoding="utf-8") as file:
            file.write("BROKEN " + traceback.format_exc().replace("\n", " | ") + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--rules", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--bearer-user", default="", help="name:password")
    parser.add_argument("--refresh-token", default="", help="good for a token, too, by POST")
    parser.add_argument("--token-lifetime", type=float, default=60)
    parser.add_argument("--token-claims", type=int, default=60)
    parser.add_argument("--proxy-user", default="", help="name:password")
    parser.add_argument("--connect-to", default="", help="HOST:PORT")
    Server(parser.parse_args()).serve_forever()


if __name__ == "__main__":
    main()
