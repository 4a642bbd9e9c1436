#!/usr/bin/env bash
# The directory of base images: what the warmer leaves there and what builds take from it; damage, a registry that is gone,
# several writers at once, one that is killed. Usage: tests/e2e/warmer.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-warmer.XXXXXX)
registry_pid=
trap '[ -z "$registry_pid" ] || kill "$registry_pid" 2> /dev/null; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
start_busybox_registry
push_busybox busybox:other
push_busybox tools:1
# An image of its own with a layer of 24 MB.
mkdir -p "$WORK/large"
head -c 24000000 /dev/urandom > "$WORK/large/random"
tar -C "$WORK/large" --numeric-owner -cf "$WORK/large.tar" .
layout_from_tar "$WORK/large.tar" "$WORK/large-layout"
skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/large-layout:latest" "docker://$REGISTRY/library/large:1"
cache=$WORK/cache
manifest=$(jq -r '.manifests[0].digest' "$WORK/busybox/index.json")
layer=$(jq -r '.layers[0].digest' "$WORK/busybox/blobs/sha256/${manifest#sha256:}")
# Names of the images in a directory, not of the indexes of what is in them.
images() { jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"] | select(startswith("files-") | not)' "$1/index.json"; }
requests() { grep -c "$1" "$WORK/access.log" || true; }
layer_gets() { requests "\"GET /v2/.*/blobs/$layer"; }

warmer() { timeout 60 "$build/warmer" --registry-map "docker.io=$REGISTRY" --log-format text -c "$cache" "$@" 2> "$WORK/log"; }
mkdir -p "$WORK/context"
cat > "$WORK/context/Dockerfile" <<'DOCKERFILE'
ARG BASE=busybox
FROM tools:1 AS tools
RUN echo tool > /tool
FROM $BASE
COPY --from=tools /tool /tool
COPY --from=busybox:other /etc/passwd /copied
RUN cat /tool > /both
DOCKERFILE
executor() {
  timeout 60 "$build/executor" --registry-map "docker.io=$REGISTRY" --log-format text --reproducible -c "$WORK/context" --no-push \
    --digest-file "$WORK/digest" "$@" 2> "$WORK/log"
}
cached() { executor --cache --cache-repo "oci:$WORK/unused-$RANDOM" --no-push-cache --cache-dir "$cache" "$@"; }
# fails_with TEXT COMMAND...: exit code 1 and the text in the log.
fails_with() {
  local text=$1 code=0
  shift
  "$@" || code=$?
  cat "$WORK/log"
  [ "$code" = 1 ] && grep -qF -- "$text" "$WORK/log"
}

check "a build without the directory" executor
expected=$(cat "$WORK/digest")

# What the warmer does.
check "no image" fails_with "at least one --image" warmer
check "an unknown flag" fails_with "did you mean --cache-dir" warmer --cache-dri x
check "help" bash -c "'$build/warmer' --help | grep -q -- --registry-mirror"
before=$(layer_gets)
check "several images" warmer -i busybox -i busybox:other --image tools:1
check "a layer of three images comes once" same "$(($(layer_gets) - before))" 1
check "skopeo reads the directory" skopeo copy --quiet "oci:$cache:docker.io/library/busybox:latest" "dir:$WORK/copied"
check "as the registry's image" same "sha256:$(sha256sum < "$WORK/copied/manifest.json" | cut -d' ' -f1)" "$manifest"
before=$(requests '"GET /v2/.*/blobs/')
check "again" warmer -i busybox -i busybox:other -i tools:1
check "downloads nothing" same "$(($(requests '"GET /v2/.*/blobs/') - before))" 0
before=$(layer_gets)
check "--force" warmer -f -i busybox
check "downloads it" same "$(($(layer_gets) - before))" 1
check "one image of two is missing" warmer -i busybox -i nowhere:1
check "and that is told" grep -q 'nowhere:1 is not stored' "$WORK/log"
check "all are missing" fails_with "no image could be stored" warmer -i nowhere:1 -i nowhere:2
rm -rf "$cache"
check "the images of a Dockerfile" warmer -d "$WORK/context/Dockerfile" --build-arg BASE=large:1 -v debug
check "are those it is built from" same "$(images "$cache" | sort | tr '\n' ' ')" \
  "docker.io/library/busybox:other docker.io/library/large:1 docker.io/library/tools:1 "
check "a platform that there is not" bash -c "! '$build/warmer' --registry-map docker.io=$REGISTRY -c '$cache' --customPlatform linux/nothing/at/all -i busybox 2> /dev/null"

# What a build takes.
rm -rf "$cache"
check "warming what the build wants" warmer -d "$WORK/context/Dockerfile"
before=$(requests '"GET /v2/.*/blobs/')
check "a build with the directory" cached
check "gives the same image" same "$(cat "$WORK/digest")" "$expected"
check "downloads no blob" same "$(($(requests '"GET /v2/.*/blobs/') - before))" 0
check "without --cache" executor --cache-dir "$cache"
check "the directory is not used" bash -c "[ $(($(requests '"GET /v2/.*/blobs/') - before)) -gt 0 ]"
blob=$cache/blobs/sha256/${layer#sha256:}
chmod -R a-w "$cache"
printf 'X' | dd of="$blob" bs=1 seek=100 conv=notrunc status=none
before=$(layer_gets)
check "a damaged blob" cached
check "is a warning" grep -q 'does not have the digest' "$WORK/log"
check "and a download" bash -c "[ $(($(layer_gets) - before)) -gt 0 ]"
check "and the same image" same "$(cat "$WORK/digest")" "$expected"
printf 'X' | dd of="$blob" bs=1 seek=100 conv=notrunc status=none 2> /dev/null || true
check "the warmer puts it right" warmer -i busybox
check "with its digest" same "$(sha256sum < "$blob" | cut -d' ' -f1)" "${layer#sha256:}"
truncate -s 100 "$blob"
check "a blob cut short" cached
check "gives the same image, too" same "$(cat "$WORK/digest")" "$expected"
for file in "${manifest#sha256:}" "$(jq -r .config.digest "$WORK/copied/manifest.json" | cut -d: -f2)"; do
  echo '{}' > "$cache/blobs/sha256/$file"
  check "a damaged document" cached
  check "is a warning, too" grep -q 'does not have the digest' "$WORK/log"
  check "and nothing more" same "$(cat "$WORK/digest")" "$expected"
  warmer -i busybox || true
done
echo garbage > "$cache/index.json"
check "a damaged index" cached
check "gives the same image, as well" same "$(cat "$WORK/digest")" "$expected"
check "the warmer begins a new one" warmer -d "$WORK/context/Dockerfile"

# kiln build keeps what it downloads.
kiln_build() {
  timeout 60 "$build/kiln" build --registry-map "docker.io=$REGISTRY" --reproducible --progress plain --cache-dir "$WORK/kept" \
    --output "type=oci,dest=$WORK/image.tar" "$@" "$WORK/context" > "$WORK/digest" 2> "$WORK/log"
}
check "kiln build --cache-dir" kiln_build
before=$(requests '"GET /v2/.*/blobs/')
check "and again" kiln_build
check "downloads nothing any more" same "$(($(requests '"GET /v2/.*/blobs/') - before))" 0
check "--cache-limit" kiln_build --cache-limit 100k
check "deletes what is over it" same "$(images "$WORK/kept"; find "$WORK/kept/blobs/sha256" -size +100k)" ""

# What is in a base image is kept beside it: a build that only copies reads no layer of it, with the layer cache or without.
mkdir "$WORK/copying"
echo x > "$WORK/copying/x"
printf 'FROM busybox\nCOPY --chown=app:extra x /link/x\nCOPY --from=busybox:other /bin/cat /copied-cat\n' > "$WORK/copying/Dockerfile"
copying() { timeout 60 "$build/kiln" build --registry-map "docker.io=$REGISTRY" --reproducible --progress plain "$@" "$WORK/copying" > "$WORK/digest" 2> "$WORK/log"; }
# The layer is there, with the right size, and reading it would be noticed.
spoil() { chmod u+w "$1/blobs/sha256/${layer#sha256:}" && printf 'X' | dd of="$1/blobs/sha256/${layer#sha256:}" bs=1 seek=100 conv=notrunc status=none; }
check "a build that only copies" copying --cache-dir "$WORK/copies"
copied=$(cat "$WORK/digest")
check "leaves what is in its base" same "$("$build/kiln" cache list --json "$WORK/copies" | jq '[.[] | select(.kind == "files")] | length')" 1
check "and again" copying --cache-dir "$WORK/copies"
check "gives the same image with the same layers" same "$(cat "$WORK/digest")" "$copied"
printf 'FROM busybox\nCOPY --chown=app:extra x /link/x\nWORKDIR /srv\n' > "$WORK/copying/Dockerfile"
check "without a directory" copying
copied=$(cat "$WORK/digest")
spoil "$WORK/copies"
before=$(requests '"GET /v2/.*/blobs/')
check "what is in the base is known" copying --cache-dir "$WORK/copies"
check "the image is the same" same "$(cat "$WORK/digest")" "$copied"
check "no blob is downloaded" same "$(($(requests '"GET /v2/.*/blobs/') - before))" 0
check "and no layer read" bash -c "! grep -q 'does not have the digest' '$WORK/log'"
index=$("$build/kiln" cache list --json "$WORK/copies" | jq -r '.[] | select(.kind == "files") | .name')
blob=$(jq -r --arg name "$index" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $name) | .digest' "$WORK/copies/index.json")
blob=$WORK/copies/blobs/sha256/$(jq -r '.layers[0].digest' "$WORK/copies/blobs/sha256/${blob#sha256:}" | cut -d: -f2)
chmod u+w "$blob" && printf 'X' | dd of="$blob" bs=1 seek=30 conv=notrunc status=none
check "where that is damaged" copying --cache-dir "$WORK/copies"
check "the image is the same, too" same "$(cat "$WORK/digest")" "$copied"
check "which is told" grep -q 'of a base image is not used' "$WORK/log"
check "once" copying --cache-dir "$WORK/copies"
check "because it was put right" bash -c "! grep -q 'of a base image is not used' '$WORK/log'"
check "kiln cache prune --all" "$build/kiln" cache prune --all "$WORK/copies"
check "leaves nothing" same "$(ls "$WORK/copies/blobs/sha256" | wc -l)" 0
executor_copying() {
  timeout 60 "$build/executor" --registry-map "docker.io=$REGISTRY" --log-format text --reproducible -c "$WORK/copying" --no-push \
    --digest-file "$WORK/digest" --cache --cache-repo "oci:$WORK/unused-$RANDOM" --no-push-cache "$@" 2> "$WORK/log"
}
check "the executor without a directory" executor_copying --cache-dir "$WORK/none"
copied=$(cat "$WORK/digest")
rm -rf "$cache"
check "the warmer leaves what is in its images" warmer -i busybox
spoil "$cache"
before=$(requests '"GET /v2/.*/blobs/')
check "which the executor reads" executor_copying --cache-dir "$cache"
check "instead of the image" same "$(cat "$WORK/digest") $(($(requests '"GET /v2/.*/blobs/') - before))" "$copied 0"
check "or any of its layers" bash -c "! grep -q 'does not have the digest' '$WORK/log'"

# Several at once, and one that is killed in the middle.
rm -rf "$cache"
for i in 1 2 3; do
  timeout 60 "$build/warmer" --registry-map "docker.io=$REGISTRY" -c "$cache" -i large:1 -i busybox -i tools:1 -i busybox:other 2> "$WORK/log$i" &
  pids[$i]=$!
done
check "a build while three warmers write" cached
check "is right" same "$(cat "$WORK/digest")" "$expected"
for i in 1 2 3; do check "warmer $i" wait "${pids[$i]}"; done
check "all four images are there" same "$(images "$cache" | wc -l)" 4
check "and all blobs are right" bash -c "cd '$cache/blobs/sha256' && for blob in *; do [ \"\$(sha256sum < \$blob | cut -d' ' -f1)\" = \$blob ] || exit 1; done"
for delay in 0.02 0.05 0.1 0.2 0.3; do
  rm -rf "$cache"
  "$build/warmer" --registry-map "docker.io=$REGISTRY" -c "$cache" -i large:1 -i busybox 2> /dev/null &
  pid=$!
  sleep "$delay"
  kill -9 "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
  check "a build after a warmer was killed" cached
  check "is right, too" same "$(cat "$WORK/digest")" "$expected"
done
check "the next warmer" warmer -i large:1 -i busybox
check "leaves both" same "$(images "$cache" | wc -l)" 2

# Without the registry: digests are found, tags are not.
check "warming by digest" warmer -i "busybox@$manifest"
kill "$registry_pid"
wait "$registry_pid" 2> /dev/null || true
registry_pid=
printf 'FROM busybox\nRUN echo x > /x\n' > "$WORK/context/Dockerfile"
check "a tag without its registry" fails_with "FROM busybox:latest@$manifest needs no registry" cached --skip-default-registry-fallback
printf 'FROM busybox@%s\nRUN echo x > /x\n' "$manifest" > "$WORK/context/Dockerfile"
check "a digest without its registry" cached

echo "warmer: $passed passed, $failed failed"
[ "$failed" = 0 ]
