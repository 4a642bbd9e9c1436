#!/usr/bin/env python3
"""Storage of clouds, with the checks that they make: buckets.py --listen HOST:PORT --root DIRECTORY --certificate PEM --key PEM

A proxy that is every host itself: plain http, and https through CONNECT. Objects are files, DIRECTORY/BUCKET/KEY. S3 wants the signature
of AKIDTEST (cloud.py), Google a token that its metadata server gives, also here, Azure the account's shared key. A refusal says why.
"""
import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import urllib.parse

from cloud import check_signature

AZURE_KEY = b"azure-key"


def check_shared_key(handler, path):
    names = sorted(name for name in map(str.lower, handler.headers) if name.startswith("x-ms-"))
    assert "x-ms-date" in names and "x-ms-version" in names, names
    standard = ["Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date", "If-Modified-Since", "If-Match",
                "If-None-Match", "If-Unmodified-Since", "Range"]
    lines = [handler.command, *[handler.headers.get(name, "") for name in standard], *[f"{name}:{handler.headers[name]}" for name in names]]
    text = "\n".join([*lines, "/account" + path])
    signature = base64.b64encode(hmac.new(AZURE_KEY, text.encode(), hashlib.sha256).digest()).decode()
    assert handler.headers["Authorization"] == f"SharedKey account:{signature}", f"wrong signature of {text!r}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self):
        try:
            status, body = 200, self.found(urllib.parse.urlsplit(self.path))
        except FileNotFoundError:
            status, body = 404, b"no such object"
        except (AssertionError, KeyError, AttributeError) as error:
            status, body = 403, f"{type(error).__name__} {error}".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        print(self.headers["Host"], self.path, status, body.decode() if status != 200 else "", flush=True)

    def found(self, url):
        host, path = self.headers["Host"], urllib.parse.unquote(url.path)
        if path.startswith("/computeMetadata/"):
            return json.dumps({"access_token": "cloud-password", "expires_in": 3599}).encode()
        if host == "storage.googleapis.com":
            assert self.headers["Authorization"] == "Bearer cloud-password" and url.query == "alt=media", self.headers
            _, _, _, _, bucket, _, key = url.path.split("/")
            return self.read(urllib.parse.unquote(bucket), urllib.parse.unquote(key))
        if host == "account.blob.core.windows.net":
            check_shared_key(self, url.path)
            return self.read("", path)
        assert self.headers["X-Amz-Content-Sha256"] == hashlib.sha256().hexdigest(), "no hash of the payload"
        _, service = check_signature(self, b"")
        assert service == "s3", service
        return self.read(host.split(".")[0] if host.startswith("bucket.") else "", path)

    def read(self, bucket, key):
        with open(os.path.join(self.server.options.root, bucket, key.lstrip("/")), "rb") as file:
            return file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    host, port = options.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    server.options = options
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(options.certificate, options.key)
    server.serve_forever()


if __name__ == "__main__":
    main()
