# Shared by the end-to-end tests and the demo: registries, base images, checks. Sourced by bash; needs `set -euo pipefail`.

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

wait_for_port() {
  for _ in $(seq 100); do
    if (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then return 0; fi
    sleep 0.1
  done
  echo "nothing listens on port $1" >&2
  return 1
}

# start_registry DIRECTORY [EXTRA-CONFIG]: sets REGISTRY and registry_pid; requests are logged in DIRECTORY/access.log.
start_registry() {
  local directory=$1 extra=${2:-}
  local port
  port=$(free_port)
  REGISTRY="127.0.0.1:$port"
  mkdir -p "$directory/registry"
  cat > "$directory/registry.yml" <<CONFIG
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $directory/registry}, delete: {enabled: true}}
http:
  addr: $REGISTRY
$extra
CONFIG
  docker-registry serve "$directory/registry.yml" > "$directory/access.log" 2>&1 &
  registry_pid=$!
  wait_for_port "$port"
}

# start_faulty DIRECTORY OPTIONS...: a server that breaks what DIRECTORY/rules says (see faulty_registry.py), logged in
# DIRECTORY/log. Sets FAULTY and adds to faulty_pids.
start_faulty() {
  local directory=$1
  FAULTY="127.0.0.1:$(free_port)"
  mkdir -p "$directory"
  touch "$directory/rules" "$directory/log"
  python3 "$here/faulty_registry.py" --listen "$FAULTY" --rules "$directory/rules" --log "$directory/log" "${@:2}" 2> "$directory/errors" &
  faulty_pids+=($!)
  wait_for_port "${FAULTY##*:}"
}

# layout_from_tar ROOT.tar LAYOUT: an OCI layout with that one layer, tagged latest.
layout_from_tar() {
  python3 - "$1" "$2" <<'PYTHON'
import gzip, hashlib, json, os, sys
source, layout = sys.argv[1:]
os.makedirs(layout + "/blobs/sha256")
def put(data):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{layout}/blobs/sha256/{digest}", "wb") as file:
        file.write(data)
    return "sha256:" + digest, len(data)
with open(source, "rb") as file:
    tar = file.read()
layer, layer_size = put(gzip.compress(tar, 1, mtime=0))
config = {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
          "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}}
digest, size = put(json.dumps(config).encode())
manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": layer_size}]}
digest, size = put(json.dumps(manifest).encode())
with open(layout + "/index.json", "w") as file:
    json.dump({"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"], "digest": digest, "size": size,
               "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}, file)
with open(layout + "/oci-layout", "w") as file:
    file.write('{"imageLayoutVersion":"1.0.0"}')
PYTHON
}

# busybox_tar FILE: a small root file system with odd things in it: a capability, a device, hard links, symlinked directories.
busybox_tar() {
  local root
  root=$(mktemp -d)
  chmod 755 "$root"
  mkdir -p "$root"/{bin,etc,tmp,root,usr/bin,opt/data,dev}
  cp /bin/busybox "$root/bin/busybox"
  for applet in sh cat ls rm mkdir echo touch chmod chown ln id sleep mv cp head dd true false stat find sed env pwd mknod; do
    ln -s busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n' > "$root/etc/group"
  chmod 1777 "$root/tmp"
  echo data > "$root/opt/data/one"
  ln "$root/opt/data/one" "$root/opt/data/two"
  ln -s opt/data "$root/link"
  cp /bin/busybox "$root/usr/bin/capable"
  setcap cap_net_raw+ep "$root/usr/bin/capable"
  mknod "$root/opt/device" c 1 3
  chown 1000:1000 "$root/opt/data"
  find "$root" -exec touch -h -d '2024-01-02 03:04:05 UTC' {} +
  tar -C "$root" --numeric-owner --xattrs --xattrs-include='*' --format=pax --pax-option=delete=atime,delete=ctime -cf "$1" .
  rm -rf "$root"
}

passed=0
failed=0
# check NAME COMMAND...: runs it; counts.
check() {
  local name=$1
  shift
  if "$@" > "$WORK/check.log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $name" >&2
    sed 's/^/    /' "$WORK/check.log" | tail -100 >&2
  fi
}
# push_busybox NAME:TAG: the image of busybox_tar, as library/NAME:TAG in the registry.
push_busybox() { skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/busybox:latest" "docker://$REGISTRY/library/$1"; }

# start_busybox_registry: a registry in WORK that has that image as library/busybox:latest; its layout is WORK/busybox.
start_busybox_registry() {
  start_registry "$WORK"
  busybox_tar "$WORK/busybox.tar"
  layout_from_tar "$WORK/busybox.tar" "$WORK/busybox"
  push_busybox busybox:latest
}

# same_image A B: two images of the registry are one; else prints what their configs and layers say.
same_image() {
  local image digest digests=()
  for image in "$@"; do
    digests+=("$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$image")") || return 1
  done
  [ "${digests[0]}" != "${digests[1]}" ] || return 0
  for image in "$@"; do
    echo "-- $image"
    skopeo inspect --tls-verify=false --raw --config "docker://$image"
    echo
    for digest in $(skopeo inspect --tls-verify=false --raw "docker://$image" | jq -r '.layers[1:][].digest'); do
      echo "layer $digest"
      curl -s "http://${image%%/*}/v2/$(cut -d/ -f2- <<< "${image%:*}")/blobs/$digest" | tar tzvf - --full-time
    done
  done
  return 1
}
same() { [ "$1" = "$2" ] || { echo "expected: $2"; echo "     got: $1"; return 1; }; }
