#!/usr/bin/env bash
# A registry that misbehaves never yields a bad image: for every fault the build gives the very image that it gives without
# the fault, or fails, names the digest and leaves no tag. Usage: tests/e2e/faults.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-faults.XXXXXX)
registry_pid=
faulty_pids=()
trap 'kill $registry_pid "${faulty_pids[@]}" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
unset HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy DOCKER_AUTH_CONFIG
export DOCKER_CONFIG="$WORK/no-logins"
start_registry "$WORK"
start_faulty "$WORK/faulty" --upstream "$REGISTRY"
storage="$WORK/registry/docker/registry/v2/repositories"

digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REGISTRY/$1"; }
# A repository of its own for a case, so that rules and log lines tell cases apart.
base() { cp -r "$storage/library/$2" "$storage/library/$1"; }
requests() { grep -cE "$1" "$WORK/faulty/log" || true; }
# build_from BASE FLAGS...: `FROM library/BASE` and a COPY, or $step; pulled through the faulty registry.
build_from() {
  printf 'FROM %s\n%s\n' "$1" "${step:-COPY hello /}" > "$WORK/Dockerfile.$1"
  timeout "${limit:-30}" "$build/executor" -c "$WORK/context" -f "$WORK/Dockerfile.$1" --reproducible --log-format text -v debug \
    --registry-map "docker.io=$FAULTY" --skip-default-registry-fallback "${@:2}"
}

# -- what is built on, and what comes out without faults ---------------------------------------------------------------
mkdir -p "$WORK/context" "$WORK/empty" "$WORK/big-root"
echo hello > "$WORK/context/hello"
busybox_tar "$WORK/small.tar"
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(40 << 20))' > "$WORK/big-root/noise"
cp /bin/busybox "$WORK/big-root/busybox"
tar -C "$WORK/big-root" --numeric-owner -cf "$WORK/big.tar" noise busybox
for image in small big; do
  layout_from_tar "$WORK/$image.tar" "$WORK/$image"
  skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/$image:latest" "docker://$REGISTRY/library/$image:latest"
  check "$image without faults" build_from "$image" -d "$REGISTRY/plain/$image:v1"
  declare "expected_$image=$(digest_of "plain/$image:v1")"
  declare "layer_$image=$(skopeo inspect --tls-verify=false --raw "docker://$REGISTRY/library/$image" | jq -r '.layers[0].digest')"
  declare "config_$image=$(skopeo inspect --tls-verify=false --raw "docker://$REGISTRY/library/$image" | jq -r .config.digest)"
done

# Runs a build; its output goes to $WORK/CASE.log and its exit code to $WORK/CASE.code.
run_case() {
  local code=0
  build_from "$@" > "$WORK/$1.log" 2>&1 || code=$?
  echo "$code" > "$WORK/$1.code"
}
untagged() { ! skopeo inspect --tls-verify=false "docker://$REGISTRY/$1" 2> /dev/null; }
# The image is there, is the one expected, and every blob of it has its digest.
good() {
  local digest
  digest=$(digest_of "$2") || { tail -n 15 "$WORK/$1.log"; return 1; }
  same "$(cat "$WORK/$1.code")" 0 && same "$digest" "$3"
  rm -rf "$WORK/copied"
  skopeo copy --quiet --src-tls-verify=false "docker://$REGISTRY/$2" "dir:$WORK/copied"
}
# It failed by itself and in time, with a line that has the text, and there is no tag.
bad() {
  local code
  code=$(cat "$WORK/$1.code")
  tail -n 15 "$WORK/$1.log"
  [ "$code" != 0 ] && [ "$code" -lt 124 ] || { echo "exit code $code"; return 1; }
  tail -n 3 "$WORK/$1.log" | grep -qF -- "$3" && untagged "$2"
}
# pulled CASE IMAGE METHOD PATH-REGEX TIMES FAULTS: such a pull gives the expected image. `unpulled` with the text wanted: fails.
prepare_pull() {
  base "$1" "$2"
  echo "$3 ^/v2/library/$1/$4 $5 $6" >> "$WORK/faulty/rules"
}
pulled() {
  local expected=expected_$2
  prepare_pull "$@"
  run_case "$1" -d "$REGISTRY/t/$1:v1"
  check "pull: $1: the image is the same" good "$1" "t/$1:v1" "${!expected}"
}
unpulled() {
  prepare_pull "${@:1:6}"
  run_case "$1" -d "$REGISTRY/t/$1:v1"
  check "pull: $1: refused" bad "$1" "t/$1:v1" "$7"
}

# -- pulls -------------------------------------------------------------------------------------------------------------
# A body that stalls is given up after 60 s, so this one runs beside the others.
(limit=100; prepare_pull stalled small GET "blobs/$layer_small" 1 stall=100000; run_case stalled -d "$REGISTRY/t/stalled:v1") &
stalled_pid=$!

pulled first-request-reset small GET '' 1 cut=0
pulled reset-once small GET "blobs/$layer_small" 1 reset=100000
pulled reset-often small GET "blobs/$layer_small" 12 reset=100000
pulled reset-without-ranges small GET "blobs/$layer_small" always ignore-range,reset=1000000000
unpulled reset-always small GET "blobs/$layer_small" always ignore-range,reset=100000 "$layer_small"
unpulled reset-before-any-byte small GET "blobs/$layer_small" always reset=0 "$layer_small"
pulled truncated-once small GET "blobs/$layer_small" 1 truncate=5000
pulled truncated-without-ranges small GET "blobs/$layer_small" 1 ignore-range,truncate=5000
unpulled truncated-always small GET "blobs/$layer_small" always ignore-range,truncate=5000 "$layer_small"
unpulled flipped-layer small GET "blobs/$layer_small" always flip=70000 "$layer_small"
unpulled flipped-gzip-header small GET "blobs/$layer_small" always flip=0 "$layer_small"
unpulled flipped-config small GET "blobs/$config_small" always flip=30 "$config_small"
pulled config-flipped-once small GET "blobs/$config_small" 1 flip=30
pulled config-truncated-once small GET "blobs/$config_small" 1 truncate=30
pulled layer-500-once small GET "blobs/$layer_small" 1 status=500
pulled layer-503-once small GET "blobs/$layer_small" 1 status=503,retry-after=1
pulled layer-429-once small GET "blobs/$layer_small" 1 status=429,retry-after=1
unpulled layer-500-always small GET "blobs/$layer_small" always status=500 "$layer_small"
unpulled layer-gone small GET "blobs/$layer_small" always status=404 "$layer_small"
unpulled layer-429-for-hours small GET "blobs/$layer_small" always status=429,retry-after=7200 "$layer_small"
pulled layer-longer small GET "blobs/$layer_small" always longer=100
pulled layer-in-odd-chunks small GET "blobs/$layer_small" always chunked=777
pulled ranges big GET "blobs/$layer_big" always chunked=1000000
pulled ranges-reset big GET "blobs/$layer_big" 6 reset=3000000
pulled ranges-ignored big GET "blobs/$layer_big" always ignore-range
check "a blob is asked for once where ranges are ignored" same "$(requests "GET /v2/library/ranges-ignored/blobs/$layer_big")" 1
check "and for each range where they are not" same "$(requests "GET /v2/library/ranges/blobs/$layer_big 206")" 5
pulled ranges-one-slow big GET "blobs/$layer_big" 1 rate=4000000
unpulled ranges-shifted big GET "blobs/$layer_big" always shift=7 "$layer_big"
unpulled ranges-flipped big GET "blobs/$layer_big" 1 flip=5000 "$layer_big"
# Through memory to the unpacker, because the destination has the layer, and over more connections where one is too slow.
step='RUN ["/busybox", "touch", "/made"]'
check "a RUN without faults" build_from big -d "$REGISTRY/plain/run:v1"
expected_run=$(digest_of plain/run:v1)
passed() {
  mkdir -p "$storage/t"
  cp -r "$storage/library/big" "$storage/t/$1"
  pulled "$1" big GET "blobs/$layer_big" always "$2"
}
expected_big_copied=$expected_big expected_big=$expected_run
passed passing-slowly rate=20000000
check "the first connection is not the only one" grep -q 'comes over 4 connections' "$WORK/passing-slowly.log"
check "and the bytes come once" same "$(requests "GET /v2/library/passing-slowly/blobs/$layer_big 200")" 1
passed passing-slowly-without-ranges rate=20000000,ignore-range
passed passing-slowly-and-reset rate=20000000,reset=7000000
mkdir -p "$storage/t"
cp -r "$storage/library/big" "$storage/t/passing-flipped"
unpulled passing-flipped big GET "blobs/$layer_big" always rate=20000000,flip=5000 "$layer_big"
expected_big=$expected_big_copied
unset step
pulled manifest-reset-once small GET manifests/latest 1 reset=100
pulled manifest-truncated-once small GET manifests/latest 1 truncate=100
pulled manifest-flipped-once small GET manifests/latest 1 flip=120
unpulled manifest-flipped small GET manifests/latest always flip=120 "$(digest_of library/small)"
pulled manifest-503 small GET manifests/latest 2 status=503,retry-after=1
unpulled manifest-500-always small GET manifests/latest always status=500 "manifest"

# -- pushes ------------------------------------------------------------------------------------------------------------
# Two new layers: one that is streamed while it grows (PATCH), one that is known when it is sent (one PUT).
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(2).randbytes(12 << 20))' > "$WORK/context/noise"
printf 'FROM small\nCOPY noise /\nCOPY hello /\n' > "$WORK/Dockerfile.push"
push_to() {
  timeout "${limit:-30}" "$build/executor" -c "$WORK/context" -f "$WORK/Dockerfile.push" --reproducible --log-format text -v debug \
    --registry-map "docker.io=$REGISTRY" --skip-default-registry-fallback -d "$@"
}
check "a push without faults" push_to "$REGISTRY/plain/push:v1"
expected_push=$(digest_of plain/push:v1)
check "a push through a proxy" push_to "$FAULTY/plain/through:v1"
check "streams the large layer" same "$(requests 'PATCH /v2/plain/through')" 1
check "and gives the same image" same "$(digest_of plain/through:v1)" "$expected_push"
run_push() {
  local code=0
  echo "$2 ^/v2/push/$1/$3 $4 $5" >> "$WORK/faulty/rules"
  push_to "$FAULTY/push/$1:v1" "${@:6}" > "$WORK/$1.log" 2>&1 || code=$?
  echo "$code" > "$WORK/$1.code"
}
# pushed CASE METHOD PATH-REGEX TIMES FAULTS [FLAGS...]; unpushed: with the text that is wanted before the flags.
pushed() {
  run_push "$@"
  check "push: $1: the image is the same" good "$1" "push/$1:v1" "$expected_push"
}
unpushed() {
  run_push "${@:1:5}" "${@:7}"
  check "push: $1: refused" bad "$1" "push/$1:v1" "$6"
}
uploads=blobs/uploads/.
pushed patch-reset-once PATCH "$uploads" 1 cut=3000000
pushed patch-reset-often PATCH "$uploads" 3 cut=3000000
pushed patch-reset-at-once PATCH "$uploads" 1 cut=0
unpushed patch-reset-always PATCH "$uploads" always cut=0 "sha256:"
pushed patch-500-once PATCH "$uploads" 1 status=500
pushed patch-500-early PATCH "$uploads" 1 early-status=500
pushed patch-500-after PATCH "$uploads" 1 after=500
pushed patch-partial PATCH "$uploads" 1 partial=5000000
pushed patch-416 PATCH "$uploads" 1 status=416
pushed patch-flipped PATCH "$uploads" 1 flip-request=1234567
unpushed patch-flipped-always PATCH "$uploads" always flip-request=1234567 "sha256:"
pushed patch-429 PATCH "$uploads" 2 status=429,retry-after=1
pushed put-503 PUT "$uploads" 2 status=503,retry-after=1
pushed post-500-once POST blobs/uploads/ 3 status=500
pushed post-429 POST blobs/uploads/ 1 status=429,retry-after=1
unpushed post-500-always POST blobs/uploads/ always status=500 "500"
pushed put-500-once PUT "$uploads" 2 status=500
pushed put-500-after-commit PUT "$uploads" 1 after=500
pushed put-cut PUT "$uploads" 1 cut=100
pushed put-flipped PUT "$uploads" 3 flip-request=60
unpushed put-500-always PUT "$uploads" always status=500 "sha256:"
unpushed put-too-large PUT "$uploads" always early-status=413 "--upload-chunk-size"
pushed chunks PATCH none 0 none --upload-chunk-size 1m
check "chunks are sent as chunks" [ "$(requests 'PATCH /v2/push/chunks/')" -gt 10 ]
pushed chunk-416 PATCH "$uploads" 2 status=416 --upload-chunk-size 1m
pushed chunk-partial PATCH "$uploads" 2 partial=300000 --upload-chunk-size 1m
pushed chunk-cut PATCH "$uploads" 3 cut=500000 --upload-chunk-size 1m
pushed chunk-500-after PATCH "$uploads" 2 after=500 --upload-chunk-size 1m
pushed no-head HEAD '' always status=500
pushed cancel-500 DELETE '' always status=500
pushed tags-forbidden GET tags/list always status=403
pushed manifest-429 PUT manifests/ 2 status=429,retry-after=1
pushed manifest-500-after PUT manifests/ 1 after=500
skopeo inspect --tls-verify=false --raw "docker://$REGISTRY/plain/push:v1" > "$WORK/manifest"
size_at=$(grep -obP '"size":[0-9]*\K[0-9](?=[,}])' "$WORK/manifest" | sed -n '3s/:.*//p')
pushed manifest-sent-flipped PUT manifests/ 1 "flip-request=$size_at"
run_push manifest-flipped-always PUT manifests/ always "flip-request=$size_at"
check "push: a manifest stored wrong is an error" bash -c "[ \$(cat '$WORK/manifest-flipped-always.code') = 1 ] && grep -q '$expected_push.*it stored' '$WORK/manifest-flipped-always.log'"
unpushed manifest-500-for-good PUT manifests/ always status=500 "sha256:"

wait "$stalled_pid"
check "pull: stalled: the image is the same" good stalled t/stalled:v1 "$expected_small"
check "the faulty registry did what it was told" bash -c "! grep BROKEN '$WORK/faulty/log'"

echo "faults: $passed passed, $failed failed"
[ "$failed" = 0 ]
