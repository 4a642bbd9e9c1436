"""Reads an OCI layout: its manifest, config, layers as listings, and all layers as one tree."""

import datetime
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections import namedtuple

# type: one of d f l c b p s; `link`: a symlink's target; `data`: sha256 of a file's bytes; `same`: the first name of a hard link.
Node = namedtuple("Node", "type mode uid gid mtime size link device xattrs data same")


class Layout:
    def __init__(self, directory):
        self.directory = directory
        with open(directory + "/index.json", "rb") as file:
            entry = json.load(file)["manifests"][0]
        self.manifest_descriptor = entry
        self.manifest_bytes = self.blob(entry)
        self.manifest = json.loads(self.manifest_bytes)
        self.config_bytes = self.blob(self.manifest["config"])
        self.config = json.loads(self.config_bytes)

    def blob(self, descriptor):
        algorithm, hexadecimal = descriptor["digest"].split(":")
        with open(f"{self.directory}/blobs/{algorithm}/{hexadecimal}", "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != hexadecimal or len(data) != descriptor["size"]:
            raise ValueError("blob is not what its descriptor says: " + descriptor["digest"])
        return data

    def layer_tars(self):
        tars = [inflate(self.blob(layer)) for layer in self.manifest["layers"]]
        ids = ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars]
        if ids != self.config["rootfs"]["diff_ids"]:
            raise ValueError("diff ids are not those of the layers")
        return tars


def as_go_writes(document):
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, "\\u%04x" % ord(character))
    return text


def inflate(data):
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-d", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


KINDS = {tarfile.REGTYPE: "f", tarfile.AREGTYPE: "f", tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.LNKTYPE: "h", tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b", tarfile.FIFOTYPE: "p"}


def _mtime(entry):
    text = entry.pax_headers.get("mtime")
    return float(text) if text else float(entry.mtime)


def entries(tar):
    """(path, Node) of every entry, as written; whiteouts under their own names; hard links with `link` and type "h"."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for entry in archive:
            kind = KINDS[entry.type]
            path = entry.name.strip("/")
            while path.startswith("./"):
                path = path[2:]
            data = hashlib.sha256(archive.extractfile(entry).read()).hexdigest() if kind == "f" else None
            xattrs = {k[len("SCHILY.xattr."):]: v for k, v in entry.pax_headers.items() if k.startswith("SCHILY.xattr.")}
            device = (entry.devmajor, entry.devminor) if kind in "cb" else None
            link = entry.linkname if kind in "lh" else None
            yield path, Node(kind, entry.mode, entry.uid, entry.gid, _mtime(entry), entry.size, link, device, xattrs, data, None)


def flatten(tars):
    """path -> Node after all layers; hard links share `same`, the least name of their group."""
    tree = {}
    inodes = {}

    def remove(path):
        for name in [n for n in tree if n == path or n.startswith(path + "/")]:
            del tree[name]
            inodes.pop(name, None)

    number = 0
    for tar in tars:
        below = set(tree)
        for path, node in entries(tar):
            directory, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                for old in [n for n in below if n.startswith(directory + "/")]:
                    tree.pop(old, None)
                    inodes.pop(old, None)
                continue
            if name.startswith(".wh."):
                remove((directory + "/" if directory else "") + name[4:])
                continue
            old = tree.get(path)
            if old and not (old.type == "d" and node.type == "d"):
                remove(path)
            number += 1
            if node.type == "h":
                target = node.link.strip("/")
                while target.startswith("./"):
                    target = target[2:]
                tree[path], inodes[path] = tree[target], inodes[target]
            else:
                tree[path], inodes[path] = node, number
    groups = {}
    for path in sorted(tree):
        groups.setdefault(inodes[path], []).append(path)
    for names in groups.values():
        if len(names) > 1:
            for path in names:
                tree[path] = tree[path]._replace(same=names[0])
    return tree


def time_text(mtime, started):
    if mtime >= started:
        return "now"
    text = datetime.datetime.fromtimestamp(int(mtime), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = ("%.9f" % (mtime - int(mtime)))[1:].rstrip("0").rstrip(".")
    return text + fraction + "Z"


def entry_line(path, node, started):
    directory, _, name = path.rpartition("/")
    if name == ".wh..wh..opq":
        return "opaque  /" + directory
    if name.startswith(".wh."):
        return "removed /" + (directory + "/" if directory else "") + name[4:]
    if node.type == "h":
        return f"h /{path} = /{node.link.strip('/')}"
    text = f"{node.type} {node.mode:04o} {node.uid}:{node.gid} {time_text(node.mtime, started)} /{path}"
    if node.type == "l":
        text += " -> " + node.link
    elif node.type == "f":
        text += f" {node.size} {node.data[:16]}"
    elif node.device:
        text += " %d,%d" % node.device
    for key in sorted(node.xattrs):
        text += f" {key}={node.xattrs[key]!r}"
    return text
