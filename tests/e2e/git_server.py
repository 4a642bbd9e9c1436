#!/usr/bin/env python3
"""Serves git repositories and files: git_server.py --listen HOST:PORT --root DIRECTORY [--login USER:PASSWORD] [--certificate PEM --key PEM]

Paths with ".git/" go to git http-backend (shallow fetches, commits by name); all others are files. Each request is logged on
standard output: method, path, and the kind of login that it came with.
"""
import argparse
import base64
import http.server
import os
import ssl
import subprocess
import urllib.parse


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def serve(self):
        print(self.command, self.path, self.headers.get("Authorization", "none").split()[0], flush=True)
        wanted = self.server.options.login
        if wanted and self.headers.get("Authorization") != "Basic " + base64.b64encode(wanted.encode()).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif ".git/" in self.path:
            self.backend()
        else:
            super().do_GET()

    def backend(self):
        parts = urllib.parse.urlsplit(self.path)
        environment = dict(os.environ, GIT_PROJECT_ROOT=self.server.options.root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=parts.path,
                           QUERY_STRING=parts.query, REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""),
                           HTTP_GIT_PROTOCOL=self.headers.get("Git-Protocol", ""), HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                           REMOTE_ADDR="127.0.0.1", GIT_CONFIG_COUNT="2", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*",
                           GIT_CONFIG_KEY_1="uploadpack.allowAnySHA1InWant", GIT_CONFIG_VALUE_1="true")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False).stdout
        head, _, data = answer.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        self.send_response(int(dict(fields).get("Status", "200").split()[0]))
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = serve


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--login", default="")
    parser.add_argument("--certificate", default="")
    parser.add_argument("--key", default="")
    options = parser.parse_args()
    os.chdir(options.root)
    host, port = options.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    server.options = options
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
