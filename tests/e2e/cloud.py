#!/usr/bin/env python3
"""What clouds answer to those who ask for a registry login, with the checks that a cloud makes.

    cloud.py --listen HOST:PORT --log FILE --google-key PUBLIC.pem

AWS: GetAuthorizationToken for whoever signs with AKIDTEST/secret-test (Signature Version 4, computed here by its own rules),
AssumeRoleWithWebIdentity for the token "web-token", an instance's metadata (IMDSv2). Google: a token service that checks a
JWT's RS256 signature, a metadata server. Azure: a token for client "client" with secret "hush" or assertion "federated-token",
a managed identity, and the exchange of an ACR. The log has a line a request: what was asked for, and ok or why not.
"""
import argparse
import base64
import hashlib
import hmac
import http.server
import json
import subprocess
import tempfile
import urllib.parse

KEYS = {"AKIDTEST": "secret-test", "AKIDROLE": "secret-role", "AKIDINST": "secret-inst"}


def b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_signature(handler, body):
    """Of AWS, version 4. Gives region and service."""
    fields = dict(part.strip().split("=", 1) for part in handler.headers["Authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(","))
    key_id, day, region, service, _ = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    assert {"host", *[name.lower() for name in handler.headers if name.lower().startswith("x-amz-")]} <= set(names), names
    url = urllib.parse.urlsplit(handler.path)
    canonical = "\n".join([handler.command, url.path, url.query, *[f"{name}:{handler.headers[name]}" for name in names], "", ";".join(names),
                           hashlib.sha256(body).hexdigest()])
    scope = "/".join([day, region, service, "aws4_request"])
    text = "\n".join(["AWS4-HMAC-SHA256", handler.headers["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + KEYS[key_id]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == fields["Signature"], "wrong signature"
    assert (handler.headers["X-Amz-Security-Token"] == "session") == (key_id != "AKIDTEST"), "session token"
    return region, service


def check_jwt(assertion, public_key):
    head, claims, signature = assertion.split(".")
    with tempfile.NamedTemporaryFile() as file:
        file.write(b64url(signature))
        file.flush()
        subprocess.run(["openssl", "dgst", "-sha256", "-verify", public_key, "-signature", file.name], input=f"{head}.{claims}".encode(),
                       check=True, capture_output=True)
    claims = json.loads(b64url(claims))
    assert claims["iss"] == "builder@project" and claims["exp"] - claims["iat"] <= 3600, claims


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, what, body, content_type="application/json"):
        self.note(f"{what} ok")
        self.send(200, body if isinstance(body, str) else json.dumps(body), content_type)

    def send(self, status, body, content_type="application/json"):
        self.send_response_only(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def note(self, text):
        with open(self.server.options.log, "a", encoding="utf-8") as file:
            file.write(text + "\n")

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self.dispatch(self.path.split("?")[0], body)
        except Exception as error:  # a refusal, as the cloud would make it
            self.note(f"{self.path} refused: {type(error).__name__} {error}")
            self.send(400, json.dumps({"message": "refused"}))

    def dispatch(self, path, body):
        form = dict(urllib.parse.parse_qsl(body.decode())) if "form" in self.headers.get("Content-Type", "") else {}
        if "X-Amz-Target" in self.headers:
            region, service = check_signature(self, body)
            token = base64.b64encode(b"AWS:cloud-password").decode()
            self.answer(f"{service} {region} {body.decode()}", {"authorizationData": [{"authorizationToken": token}]})
        elif form.get("Action") == "AssumeRoleWithWebIdentity":
            assert form["WebIdentityToken"] == "web-token" and form["RoleArn"] == "arn:aws:iam::1:role/builder", form
            self.answer("sts", "<R><C><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>secret-role</SecretAccessKey>"
                        "<SessionToken>session</SessionToken></C></R>", "text/xml")
        elif path == "/latest/api/token":
            assert self.command == "PUT"
            self.answer("imds session", "imds-token", "text/plain")
        elif path.startswith("/latest/meta-data/iam/security-credentials/"):
            assert self.headers["X-aws-ec2-metadata-token"] == "imds-token"
            role = path.rsplit("/", 1)[1]
            self.answer("imds", {"AccessKeyId": "AKIDINST", "SecretAccessKey": "secret-inst", "Token": "session"} if role else "node-role")
        elif path == "/google-token":
            check_jwt(form["assertion"], self.server.options.google_key)
            self.answer("google account", {"access_token": "cloud-password", "expires_in": 3599})
        elif path == "/computeMetadata/v1/instance/service-accounts/default/token":
            assert self.headers["Metadata-Flavor"] == "Google"
            self.answer("google metadata", {"access_token": "cloud-password", "expires_in": 3599})
        elif path == "/tenant/oauth2/v2.0/token":
            assert form["client_id"] == "client" and form["scope"] == "https://management.azure.com/.default", form
            assert form.get("client_secret") == "hush" or form.get("client_assertion") == "federated-token", form
            self.answer("azure " + ("secret" if "client_secret" in form else "federated"), {"access_token": "aad-token"})
        elif path == "/metadata/identity/oauth2/token":
            assert self.headers["Metadata"] == "true"
            self.answer("azure managed", {"access_token": "aad-token"})
        elif path == "/oauth2/exchange":
            assert form["access_token"] == "aad-token" and form["service"] == "kiln.azurecr.io", form
            self.answer("azure exchange", {"refresh_token": "acr-refresh"})
        else:
            raise ValueError("no such service")

    do_GET = do_POST = do_PUT = serve


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--google-key", required=True)
    options = parser.parse_args()
    host, port = options.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    server.options = options
    server.serve_forever()


if __name__ == "__main__":
    main()
