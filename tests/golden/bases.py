"""Base images for the golden cases, and a registry of one process that serves them from memory: odd manifests included,
which a real registry would refuse to take."""

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading

DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
}
OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
    "index": "application/vnd.oci.image.index.v1+json",
}
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIME = 1704164645  # 2024-01-02 03:04:05 UTC, of everything in the bases
CREATED = "2024-01-02T03:04:05.678901234Z"
APPLETS = (
    "sh cat ls rm mkdir echo touch chmod chown ln id sleep mv cp dd true false stat find sed env pwd mknod readlink "
    "printf test sort head tail wc ps hostname umask rmdir mkfifo setsid grep tr"
).split()


def _tar(entries):
    """A tar from (path, type, mode, uid, gid, data or link target or device)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, kind, mode, uid, gid, extra in entries:
            entry = tarfile.TarInfo(path)
            entry.type = {"d": tarfile.DIRTYPE, "f": tarfile.REGTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "c": tarfile.CHRTYPE, "p": tarfile.FIFOTYPE}[kind]
            entry.mode, entry.uid, entry.gid, entry.mtime = mode, uid, gid, TIME
            data = b""
            if kind in "lh":
                entry.linkname = extra
            elif kind == "c":
                entry.devmajor, entry.devminor = extra
            elif kind == "f":
                data, headers = extra if isinstance(extra, tuple) else (extra, {})
                entry.size, entry.pax_headers = len(data), headers
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _busybox_layer():
    with open("/bin/busybox", "rb") as file:
        busybox = file.read()
    entries = [(d, "d", 0o755, 0, 0, None) for d in ("bin", "dev", "etc", "home", "opt", "proc", "root", "sys", "usr", "usr/bin", "var")]
    entries += [("tmp", "d", 0o1777, 0, 0, None), ("home/app", "d", 0o755, 1000, 1000, None), ("run", "d", 0o755, 0, 0, None)]
    entries += [("bin/busybox", "f", 0o755, 0, 0, busybox)]
    entries += [("bin/" + applet, "l", 0o777, 0, 0, "busybox") for applet in APPLETS]
    passwd = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\napp:x:1000:1000::/home/app:/bin/sh\n"
    entries += [("etc/passwd", "f", 0o644, 0, 0, passwd)]
    entries += [("etc/group", "f", 0o644, 0, 0, b"root:x:0:\napp:x:1000:\nextra:x:2000:app\nother:x:3000:\n")]
    entries += [("opt/data", "d", 0o750, 1000, 1000, None), ("opt/data/one", "f", 0o640, 1000, 1000, b"one\n")]
    entries += [("opt/data/two", "h", 0o640, 1000, 1000, "opt/data/one"), ("link", "l", 0o777, 0, 0, "opt/data")]
    capable = {"SCHILY.xattr.user.kiln": "value"}
    entries += [("opt/attributes", "f", 0o4755, 0, 0, (b"attributes\n", capable)), ("opt/device", "c", 0o660, 0, 5, (1, 3))]
    entries += [("opt/pipe", "p", 0o600, 0, 0, None), ("opt/absolute", "l", 0o777, 0, 0, "/opt/data"), ("usr/local", "d", 0o755, 0, 0, None)]
    return _tar(entries)


class Registry:
    """Serves what `put_image` was given, over HTTP on the loopback address. `address` is HOST:PORT."""

    def __init__(self):
        self.blobs = {}
        self.manifests = {}
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _answer(self, with_body):
                parts = self.path.split("?")[0].strip("/").split("/")
                status, kind, body = 404, "application/json", b'{"errors":[{"code":"NAME_UNKNOWN","message":"not here"}]}'
                if parts == ["v2"]:
                    status, body = 200, b"{}"
                elif len(parts) > 3 and parts[-2] == "manifests":
                    found = registry.manifests.get(("/".join(parts[1:-2]), parts[-1]))
                    if found:
                        status, (kind, body) = 200, found
                elif len(parts) > 3 and parts[-2] == "blobs" and parts[-1] in registry.blobs:
                    status, kind, body = 200, "application/octet-stream", registry.blobs[parts[-1]]
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if status == 200 and parts != ["v2"]:
                    self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def do_GET(self):
                self._answer(True)

            def do_HEAD(self):
                self._answer(False)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put_blob(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"digest": digest, "size": len(data)}

    def put_manifest(self, name, tag, kind, document):
        data = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        for key in (tag, digest):
            if key:
                self.manifests[("library/" + name, key)] = (kind, data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def put_image(self, name, config, layers, types=DOCKER, tag="latest", compress=None, layer_type=None, annotations=None):
        """`config` lacks rootfs; `layers` are tars."""
        config = dict(config)
        if "rootfs" not in config:
            config["rootfs"] = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]}
        compress = compress or (lambda data: gzip.compress(data, 1, mtime=0))
        manifest = {"schemaVersion": 2, "mediaType": types["manifest"], "config": {"mediaType": types["config"], **self.put_blob(json.dumps(config).encode())}}
        manifest["layers"] = [{"mediaType": layer_type or types["layer"], **self.put_blob(compress(layer))} for layer in layers]
        if annotations:
            manifest["annotations"] = annotations
        return self.put_manifest(name, tag, types["manifest"], manifest)


def _zstd(data):
    import subprocess

    return subprocess.run(["zstd", "-1", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def fill(registry):
    """Puts every base the cases name."""
    busybox = _busybox_layer()
    small = _tar([("etc", "d", 0o755, 0, 0, None), ("etc/base", "f", 0o644, 0, 0, b"base\n"), ("etc/passwd", "f", 0o644, 0, 0, b"app:x:1000:1000::/:/bin/sh\n")])
    platform = {"architecture": "amd64", "os": "linux"}
    history = [
        {"created": CREATED, "created_by": "ADD busybox / # made by hand"},
        {"created": CREATED, "created_by": 'CMD ["sh"]', "comment": "by hand", "empty_layer": True},
    ]
    registry.put_image("busybox", {"created": CREATED, **platform, "config": {"Env": [PATH], "Cmd": ["sh"]}, "history": history}, [busybox])
    registry.put_image("elsewhere", {"created": CREATED, **platform, "config": {"Env": [PATH], "User": "app", "WorkingDir": "/not/there/"}, "history": history[:1]}, [busybox])
    plain = {"created": CREATED, **platform, "config": {"Env": [PATH]}, "history": history[:1]}
    registry.put_image("small", plain, [small])
    registry.put_image("oci", plain, [small], OCI, annotations={"org.example.base": "annotation"})
    registry.put_image("zstd", plain, [small], OCI, compress=_zstd, layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
    registry.put_image("plaintar", plain, [small], OCI, compress=lambda data: data, layer_type="application/vnd.oci.image.layer.v1.tar")
    full = {
        "User": "app", "ExposedPorts": {"81/tcp": {}}, "Env": ["A=base", "PATH=/base/bin", "B="], "Entrypoint": ["/base-entry"],
        "Cmd": ["base", "command"], "Volumes": {"/base-volume": {}}, "WorkingDir": "/base/work", "Labels": {"base": "yes", "same": "base"},
        "StopSignal": "SIGUSR1", "ArgsEscaped": True, "Healthcheck": {"Test": ["CMD", "base-check"], "Interval": 5000000000, "Retries": 7},
        "Shell": ["/base/sh", "-ec"],
    }
    registry.put_image("full", {"created": CREATED, "author": "the base's author", **platform, "config": full, "history": history[:1]}, [small])
    odd = {
        "created": "2020-02-30T00:00:00+25:00x", **platform, "variant": "v1", "os.version": "10.0.1", "os.features": ["win32k"],
        "container": "0123", "container_config": {"Cmd": ["x"]}, "docker_version": "19.03", "id": "abcdef", "moby.buildkit.cache.v0": "e30=",
        "config": {
            "Hostname": "0123", "Domainname": "", "AttachStdin": False, "Tty": False, "OpenStdin": False, "Image": "sha256:00", "User": None,
            "ExposedPorts": None, "Env": ["MALFORMED", "=x", "EMPTY="], "Cmd": None, "Entrypoint": None, "Volumes": None, "WorkingDir": "",
            "Labels": None, "OnBuild": None, "MacAddress": "02:42", "Memory": 5, "x.example": {"b": 1, "a": [True, None]},
        },
        "x.example.top": 12345678901234567890,
    }
    registry.put_image("odd", odd, [small])
    registry.put_image("nullconfig", {**platform, "config": None, "history": None}, [small])
    registry.put_image("nohistory", {"created": CREATED, **platform, "config": {"Env": [PATH]}}, [small])
    registry.put_image("nolayers", {"created": CREATED, **platform, "config": {}}, [])
    registry.put_image("emptyhistory", {"created": CREATED, **platform, "config": {}, "history": []}, [small])
    triggers = [
        "ENV FROM_TRIGGER=$BASE_ARG", "ARG TRIGGER_ARG=one", "COPY hello.txt /triggered/", "RUN <<EOF\necho $TRIGGER_ARG > /heredoc\necho two >> /heredoc\nEOF",
        "COPY <<END /inline\ntext $TRIGGER_ARG\nEND", "WORKDIR triggered",
    ]
    registry.put_image("onbuild", {"created": CREATED, **platform, "config": {"Env": [PATH], "OnBuild": triggers}, "history": history[:1]}, [busybox])
    copies = ["COPY --from=files /file /from-stage", "COPY --from=small /etc/base /from-image"]
    registry.put_image("onbuild-from", {"created": CREATED, **platform, "config": {"OnBuild": copies}, "history": history[:1]}, [small])
    registry.put_image("onbuild-bad", {"created": CREATED, **platform, "config": {"OnBuild": ["FROM x"]}, "history": history[:1]}, [small])
    arm = {**plain, "architecture": "arm64", "variant": "v8"}
    entries = [
        {**registry.put_image("multi", plain, [small], OCI, tag=None), "platform": {"architecture": "amd64", "os": "linux"}},
        {**registry.put_image("multi", arm, [small], OCI, tag=None), "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}},
        {**registry.put_image("multi", plain, [small], OCI, tag=None), "platform": {"architecture": "unknown", "os": "unknown"}},
    ]
    registry.put_manifest("multi", "latest", OCI["index"], {"schemaVersion": 2, "mediaType": OCI["index"], "manifests": entries})
    # What a layer may hold: a path twice, whiteouts, an opaque directory, names with and without "./".
    lower = _tar([("./d", "d", 0o755, 0, 0, None), ("./d/a", "f", 0o644, 0, 0, b"a\n"), ("./d/b", "f", 0o644, 0, 0, b"b\n"), ("./e", "d", 0o700, 5, 6, None), ("./e/x", "f", 0o644, 0, 0, b"x\n"), ("f", "f", 0o644, 0, 0, b"f\n")])
    upper = _tar([("d/.wh.a", "f", 0, 0, 0, b""), ("e/.wh..wh..opq", "f", 0, 0, 0, b""), ("e/y", "f", 0o644, 0, 0, b"y\n"), ("f", "d", 0o755, 0, 0, None), ("f/g", "f", 0o600, 0, 0, b"g\n")])
    two = [{"created": CREATED, "created_by": "lower"}, {"created": CREATED, "created_by": "upper"}]
    registry.put_image("whiteouts", {"created": CREATED, **platform, "config": {}, "history": two}, [lower, upper])
