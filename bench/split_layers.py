#!/usr/bin/env python3
"""Splits a root file system's tar into an OCI layout with several gzip layers.

    split_layers.py ROOT.tar LAYOUT

The first layer has what is not named below; every other layer has one group of paths, as images made by successive RUNs
would have. Directories that several groups need are in the first layer.
"""
import gzip
import hashlib
import json
import os
import sys
import tarfile

GROUPS = ["usr/lib/jvm", "usr/lib/gcc", "usr/lib/llvm", "usr/lib/python3", "usr/share/nodejs", "usr/include", "usr/lib/x86_64-linux-gnu",
          "usr/share"]


def group_of(path):
    for number, prefix in enumerate(GROUPS):
        if path.startswith(prefix + "/"):
            return number + 1
    return 0


def write_blob(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{layout}/blobs/sha256/{digest}", "wb") as out:
        out.write(data)
    return "sha256:" + digest, len(data)


def main(source, layout):
    os.makedirs(layout + "/blobs/sha256")
    paths = [f"{layout}/layer-{n}.tar" for n in range(len(GROUPS) + 1)]
    outputs = [tarfile.open(path, "w", format=tarfile.PAX_FORMAT) for path in paths]
    placed = {}
    with tarfile.open(source) as archive:
        for member in archive:
            name = member.name.lstrip("./")
            number = group_of(name)
            if member.islnk():  # a hard link stays with its file
                number = placed.get(member.linkname.lstrip("./"), number)
            placed[name] = number
            outputs[number].addfile(member, archive.extractfile(member) if member.isreg() else None)
    layers, diff_ids = [], []
    for output, path in zip(outputs, paths):
        output.close()
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        diff_ids.append("sha256:" + hashlib.sha256(data).hexdigest())
        digest, size = write_blob(layout, gzip.compress(data, 6, mtime=0))
        layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": size})
    config = {"architecture": "amd64", "os": "linux",
              "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["bash"]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids},
              "history": [{"created": "2024-01-01T00:00:00Z", "created_by": f"layer {n}"} for n in range(len(diff_ids))]}
    digest, size = write_blob(layout, json.dumps(config).encode())
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size}, "layers": layers}
    digest, size = write_blob(layout, json.dumps(manifest).encode())
    with open(layout + "/index.json", "w") as index:
        json.dump({"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"], "digest": digest, "size": size,
                                                      "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}, index)
    with open(layout + "/oci-layout", "w") as marker:
        marker.write('{"imageLayoutVersion":"1.0.0"}')


if __name__ == "__main__":
    main(*sys.argv[1:])
