#!/usr/bin/env bash
# The layer cache in trouble: registries that lie, refuse, are full, slow or gone; builders that are killed at every step; what a build
# asks a registry for when it finds everything. Usage: tests/e2e/cache_faults.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-cache-faults.XXXXXX)
registry_pid=
faulty_pids=()
trap 'for pid in $registry_pid ${faulty_pids[@]+"${faulty_pids[@]}"}; do kill "$pid" 2> /dev/null || true; done; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
start_busybox_registry
start_faulty "$WORK/faulty" --upstream "$REGISTRY"
mkdir "$WORK/context"
echo one > "$WORK/context/one"
cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox AS first
RUN sleep 0.2; echo a > /a
RUN sleep 0.2; echo b > /b
FROM busybox
COPY one /one
COPY --from=first /a /b /
RUN sleep 0.2; echo c > /c
RUN sleep 0.2; cat /c > /d
DOCKERFILE

executor() {
  timeout 60 "$build/executor" --registry-map "docker.io=$REGISTRY" --log-format text --reproducible -c "$WORK/context" \
    -f "$WORK/Dockerfile" --digest-file "$WORK/digest" "$@" 2> "$WORK/log"
}
hits() { grep -c 'done.*cached\|cached$' "$WORK/log" || true; }

executor --no-push
expected=$(cat "$WORK/digest")
check "a first build" executor --cache --cache-repo "$REGISTRY/cache/good" --no-push

# trouble NAME RULE WARNING [FLAGS]: the right image with the warning, with an empty or a filled cache behind the fault.
trouble() {
  local name=$1 rule=$2 warning=$3
  shift 3
  echo "$rule" > "$WORK/faulty/rules"
  check "$name" executor --cache --no-push "$@"
  check "$name: the right image" same "$(cat "$WORK/digest")" "$expected"
  check "$name: a warning" grep -qE "$warning" "$WORK/log"
  : > "$WORK/faulty/rules"
}
filled="--cache-repo $FAULTY/cache/good"
empty="--cache-repo $FAULTY/cache/empty"
trouble "look-ups that fail" "GET /cache/good/manifests/ always status=500" "the layer cache cannot be read" $filled
trouble "look-ups that are refused" "GET /cache/good/manifests/ always status=403" "the layer cache cannot be read" $filled
trouble "manifests with a wrong bit" "GET /cache/good/manifests/ always flip=60" "cache entry .* is not used|the layer cache cannot be read" $filled
trouble "layers with a wrong bit" "GET /cache/good/blobs/ always flip=30" "building again without looking anything up" $filled --tar-path "$WORK/image.tar"
trouble "layers that are gone" "GET /cache/good/blobs/ always status=404" "building again without looking anything up" $filled --tar-path "$WORK/image.tar"
trouble "uploads that are refused" "POST /cache/empty/blobs/ always status=403" "the layer cache cannot be written: .*leaves nothing more there" $empty
check "is told once" same "$(grep -c '^WARN' "$WORK/log")" 1
for status in 413 500 507; do
  trouble "uploads that are answered with $status" "POST /cache/empty/blobs/ always status=$status" "cache entry .* is not written" $empty
done
trouble "manifests that are not taken" "PUT /cache/empty/manifests/ always status=507" "cache entry .* is not written" $empty

# A registry that limits requests: asked again as it says, or given up when that would take hours.
echo "GET /cache/good/manifests/ 3 status=429,retry-after=1" > "$WORK/faulty/rules"
check "look-ups that are answered with 429 at first" executor --cache --no-push $filled
check "are made again" same "$(hits) $(grep -c '^WARN' "$WORK/log")" "6 0"
: > "$WORK/faulty/rules"
trouble "look-ups that are to wait for hours" "GET /cache/good/manifests/ always status=429,retry-after=7200" "the layer cache cannot be read" $filled

# An entry under another entry's key.
keys=($(skopeo list-tags --tls-verify=false "docker://$REGISTRY/cache/good" | jq -r '.Tags[] | select(length == 64)'))
for key in "${keys[@]:1}"; do
  skopeo copy --quiet --{src,dest}-tls-verify=false "docker://$REGISTRY/cache/good:${keys[0]}" "docker://$REGISTRY/cache/mixed:$key"
done
trouble "entries under other keys" "" "is not used: it is another key's" --cache-repo "$REGISTRY/cache/mixed" --no-push-cache
check "none of which is taken" same "$(hits)" 0

# Killed at every step: what had its entry is not run again.
for step in 1 2 3 4 5; do
  executor --cache --cache-repo "$REGISTRY/cache/killed$step" --no-push &
  running=$!
  entries() { find "$WORK/registry/docker/registry/v2/repositories/cache/killed$step/_manifests/tags" -mindepth 1 -maxdepth 1 ! -name 'inputs-*' 2> /dev/null | wc -l || true; }
  for _ in $(seq 100); do
    there=$(entries)
    [ "$there" -lt "$step" ] || break
    sleep 0.05
  done
  # The executor is the only child of timeout.
  pkill -KILL -P "$(pgrep -P "$running" timeout || echo "$running")" || true
  wait "$running" || true
  there=$("$build/kiln" cache list --json "$REGISTRY/cache/killed$step" | jq '[.[] | select(.kind == "layer")] | length')
  check "the build after one that was killed at entry $step" executor --cache --cache-repo "$REGISTRY/cache/killed$step" --no-push
  check "has the right image" same "$(cat "$WORK/digest")" "$expected"
  check "takes all $there entries" test "$(hits)" -ge "$there"
done

# Everything is found: no blob is asked for.
: > "$WORK/faulty/log"
timeout 60 "$build/executor" --registry-map "docker.io=$FAULTY" --reproducible -c "$WORK/context" -f "$WORK/Dockerfile" \
  --digest-file "$WORK/digest" --cache --cache-repo "$FAULTY/cache/good" -d "$FAULTY/t/found:1" 2> "$WORK/log"
check "a build that finds everything" same "$(cat "$WORK/digest")" "$expected"
check "asks for no blob" same "$(grep -c '^GET .*/blobs/sha256' "$WORK/faulty/log" || true)" 0
check "sends one blob, the image's config" same "$(grep -c '^PUT .*/blobs/uploads' "$WORK/faulty/log")" 1

# Gone while the build runs, so that nothing answers, or nobody: told once and not found out anew for each entry.
for fate in KILL STOP; do
  start_faulty "$WORK/leaving-$fate" --upstream "$REGISTRY"
  leaving=${faulty_pids[-1]}
  executor --cache --cache-repo "$FAULTY/cache/leaving-${fate,,}" --no-push &
  running=$!
  for _ in $(seq 200); do
    ! grep -q "manifests/inputs-" "$WORK/leaving-$fate/log" || break
    sleep 0.05
  done
  kill "-$fate" "$leaving"
  check "a cache that goes away ($fate)" wait "$running"
  check "leaves the right image ($fate)" same "$(cat "$WORK/digest")" "$expected"
  check "is a warning ($fate)" grep -q "^WARN.*the layer cache cannot be reached: .*leaves nothing more there" "$WORK/log"
  check "and only one ($fate)" same "$(grep -c '^WARN' "$WORK/log")" 1
  [ "$fate" = KILL ] || kill -KILL "$leaving"
  wait "$leaving" 2> /dev/null || true
done

# Two pods with one directory and one repository, again and again from nothing: both images are right, and what they leave is whole.
in_pod() {
  local name=$1
  timeout 120 "$here/pod/run_in_pod" --rootfs "$build/image" --bind "$WORK/context:/workspace" --bind "$WORK/shared:/cache" \
    --bind "$WORK/$name:/out" --cwd /workspace -- /kaniko/executor -f /out/Dockerfile --registry-map "docker.io=$REGISTRY" \
    --reproducible --log-format text --no-push --oci-layout-path /out/image --digest-file /out/digest --cache --cache-dir /cache \
    --cache-repo "$REGISTRY/cache/$2" > "$WORK/$name/log" 2>&1
}
for pod in pod-one pod-two; do mkdir "$WORK/$pod" && cp "$WORK/Dockerfile" "$WORK/$pod/"; done
for round in 1 2 3; do
  rm -rf "$WORK/shared" "$WORK"/pod-*/{image,digest} && mkdir "$WORK/shared"
  in_pod pod-one "shared$round" &
  first=$!
  in_pod pod-two "shared$round" &
  check "two pods at once, the one" wait "$first"
  check "two pods at once, the other" wait $!
  for pod in pod-one pod-two; do
    check "the right image ($pod)" same "$(cat "$WORK/$pod/digest" || cat "$WORK/$pod/log")" "$expected"
    check "without a complaint ($pod)" same "$(grep -cE '^(WARN|ERRO|FATA)' "$WORK/$pod/log")" 0
    check "complete ($pod)" skopeo copy --quiet "oci:$WORK/$pod/image" "dir:$WORK/$pod/copy"
  done
  rm -rf "$WORK"/pod-*/copy
  in_pod pod-one "shared$round"
  check "a third pod finds every step" same "$(grep -c 'done.*cached\|cached$' "$WORK/pod-one/log")" 6
  check "and comes to the same image" same "$(cat "$WORK/pod-one/digest")" "$expected"
done

echo "cache faults: $passed passed, $failed failed"
[ "$failed" = 0 ]
