#!/usr/bin/env bash
# Cache mounts that survive the pod: kept in the cache's repository in chunks of which only those that change move; in user namespaces
# and in place; with a repository that lies, refuses or is gone. Usage: tests/e2e/cache_mounts.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-cache-mounts.XXXXXX)
chmod 755 "$WORK"
registry_pid=
faulty_pids=()
trap 'for pid in $registry_pid ${faulty_pids[@]+"${faulty_pids[@]}"}; do kill "$pid" 2> /dev/null || true; done; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
start_busybox_registry
start_faulty "$WORK/faulty" --upstream "$REGISTRY"
mkdir -p "$WORK/context" "$build/image/etc"
cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox
ARG DO
RUN --mount=type=cache,target=/c,id=one sh -c "$DO" && { cat /c/state > /seen 2> /dev/null || echo empty > /seen; }
DOCKERFILE
fill='head -c 9000000 /dev/urandom > /c/big; mkdir -p /c/dir/empty; echo x > "/c/dir/a b"; chmod 4750 "/c/dir/a b"; chown 1000:2000 /c/dir; ln /c/big /c/dir/hard; ln -s ../big /c/dir/soft; touch -d "2020-01-02 03:04:05" /c/dir/empty; echo filled > /c/state'

pods=0
where=overlay
repository=$REGISTRY/cache/mounts
# pod DO [FLAGS]: a build in a pod that has nothing but the repository; its cache mounts are in $WORK/pod$pods.
pod() {
  local what=$1
  shift
  pods=$((pods + 1))
  build_pod "$pods" "$what" "$@"
}
build_pod() { # NUMBER DO [FLAGS]
  local number=$1 what=$2
  shift 2
  rm -rf "$WORK/layout$number"
  local flags=(--no-push --oci-layout-path "$WORK/layout$number" --reproducible --log-format text --registry-map "docker.io=$REGISTRY"
    --cache-dir "$WORK/pod$number" -f "$WORK/Dockerfile" -c "$WORK/context" --build-arg "DO=$what" --cache-mounts registry
    --cache-repo "$repository" "$@")
  case $where in
    overlay) timeout 120 "$build/executor" "${flags[@]}" > "$WORK/log" 2>&1 ;;
    plain) timeout 120 "$build/executor" --no-overlay "${flags[@]}" > "$WORK/log" 2>&1 ;;
    *) timeout 120 "$here/pod/run_in_pod" --profile "$where" --rootfs "$build/image" --bind "$WORK:/workspace" --cwd / -- \
      /kaniko/executor "${flags[@]//$WORK//workspace}" > "$WORK/log" 2>&1 ;;
  esac
}
seen() { # what the last build's RUN has seen
  local manifest
  manifest=$WORK/layout$pods/blobs/sha256/$(jq -r '.manifests[0].digest' "$WORK/layout$pods/index.json" | cut -d: -f2)
  tar -xzOf "$WORK/layout$pods/blobs/sha256/$(jq -r '.layers[-1].digest' "$manifest" | cut -d: -f2)" seen
}
data_of() { echo "$WORK"/pod"$1"/kiln-cache-mounts/*/data; }
# Everything about the files of a pod's mount.
state_of() {
  (cd "$(data_of "$1")" && find . -printf '%p %y %m %U:%G %l %T@ %n\n' | sort && find . -type f -exec sha256sum {} + | sort)
}
tag() { skopeo list-tags --tls-verify=false "docker://$repository" | jq -r '.Tags[] | select(startswith("mount-"))'; }
puts() { grep -c "\"PUT /v2/${1:-cache/mounts}/$2" "$WORK/access.log" || true; }
said() { grep -qE -- "$1" "$WORK/log" || { tail -20 "$WORK/log"; return 1; }; }
silent() { ! grep -qE -- "$1" "$WORK/log" || { tail -20 "$WORK/log"; return 1; }; }

check "a first pod" pod "$fill"
check "sends its cache mount" said "cache mount 'one': .* sent to cache/mounts"
sent=$(puts cache/mounts blobs)
check "in several chunks" test "$sent" -ge 4
check "a second pod" pod "test -f /c/dir/hard"
check "takes it" said "cache mount 'one': .* from cache/mounts"
check "finds it" same "$(seen)" filled
check "as it was" same "$(state_of 2)" "$(state_of 1)"
check "and sends nothing" same "$(puts cache/mounts blobs) $(puts cache/mounts manifests)" "$sent 1"
check "a pod that adds a file" pod "echo more > /c/dir/more; echo second > /c/state"
check "sends little" test $(($(puts cache/mounts blobs) - sent)) -le 3
sent=$(puts cache/mounts blobs)
check "a pod that changes the beginning of a file" pod "{ echo more; cat /c/big; } > /c/new && mv /c/new /c/big"
check "sends some chunks and not all" test $(($(puts cache/mounts blobs) - sent)) -le 7
before=$pods
check "the next one" pod ":"
check "has all of it" same "$(state_of "$pods")" "$(state_of "$before")"
pod "echo third > /c/state; exit 3" && check "a RUN that fails" false
check "the pod after a failure" pod ":"
check "has what it left" same "$(seen)" third

# A cache on disk is taken as it is.
check "a pod with a cache directory" build_pod "$pods" "echo fourth > /c/state"
check "takes nothing" silent "from cache/mounts"
check "and sends what changed" said "sent to cache/mounts"
check "--no-push-cache" pod "echo fifth > /c/state" --no-push-cache
check "sends nothing" silent "sent to"
check "a cache with another owner" bash -c "sed -i 's/id=one/id=one,uid=7/' '$WORK/Dockerfile'"
check "is another one" pod "test ! -e /c/state"
sed -i 's/,uid=7//' "$WORK/Dockerfile"
for sharing in locked private; do
  sed -i "s/id=one/id=one,sharing=$sharing/" "$WORK/Dockerfile"
  check "sharing=$sharing" pod "echo $sharing > /c/state"
  check "sharing=$sharing: sends" said "sent to cache/mounts"
  sed -i "s/,sharing=$sharing//" "$WORK/Dockerfile"
done
check "a pod that shares" pod ":"
check "finds it" same "$(seen)" private
check "kiln build" timeout 60 "$build/kiln" build --registry-map "docker.io=$REGISTRY" --cache-mounts registry --cache-to "$repository" \
  --cache-dir "$WORK/kiln" -f "$WORK/Dockerfile" --build-arg "DO=test -f /c/dir/more; echo kiln > /c/state" --progress plain "$WORK/context"
check "a pod after it" pod ":"
check "finds what it left" same "$(seen)" kiln

# In every sandbox.
for where in plain runtime-default overlay; do
  check "$where" pod "test -f /c/dir/more && echo $where > /c/state"
  check "$where: takes and sends" bash -c "grep -q 'from cache/mounts' '$WORK/log' && grep -q 'sent to cache/mounts' '$WORK/log'"
  check "a pod after $where" pod ":"
  check "finds what $where left" same "$(seen)" "$where"
done
where=overlay

# Two at once: each has its own, one of them is what stays.
check "two pods at once" bash -c "
  $(declare -f build_pod); build='$build' WORK='$WORK' REGISTRY='$REGISTRY' repository='$repository' where=overlay
  build_pod 901 'head -c 2000000 /dev/urandom > /c/a; echo a > /c/state' & first=\$!
  build_pod 902 'head -c 2000000 /dev/urandom > /c/b; echo b > /c/state' & second=\$!
  wait \$first && wait \$second"
check "a pod after both" pod ":"
check "has the mount of one" bash -c "case '$(seen)' in a) test -f $(data_of "$pods")/a && ! test -e $(data_of "$pods")/b ;; b) test -f $(data_of "$pods")/b ;; *) false ;; esac"

# More than the limit.
check "a limit" pod "echo large > /c/state" --cache-mounts-limit 1m
check "is told when it is not taken" said "is not taken from cache/mounts and left there as it is: .*more than --cache-mounts-limit"
check "a pod without the limit" pod "test -f /c/big"
sed -i 's/id=one/id=one,uid=9/' "$WORK/Dockerfile"
check "a mount over the limit" pod "head -c 2000000 /dev/urandom > /c/big" --cache-mounts-limit 1m
check "is not sent" said "is not left in cache/mounts: .*more than --cache-mounts-limit"
sed -i 's/,uid=9//' "$WORK/Dockerfile"

# trouble NAME RULE WARNING [DO]: the build succeeds with a warning, and with an empty mount.
trouble() {
  local name=$1 rule=$2 warning=$3
  echo "$rule" > "$WORK/faulty/rules"
  repository=$FAULTY/cache/mounts
  check "$name" pod "${4:-test ! -e /c/big}"
  check "$name: a warning" said "$warning"
  repository=$REGISTRY/cache/mounts
  : > "$WORK/faulty/rules"
}
refused="PUT /cache/mounts/manifests/ always status=403"
trouble "chunks with a wrong bit" "GET /cache/mounts/blobs/ always flip=30
$refused" "is not taken from cache/mounts"
trouble "chunks that are gone" "GET /cache/mounts/blobs/ always status=404
$refused" "is not taken from cache/mounts"
trouble "a manifest with a wrong bit" "GET /cache/mounts/manifests/ always flip=60
$refused" "is not taken from cache/mounts"
trouble "look-ups that fail" "GET /cache/mounts/manifests/ always status=500" "is not taken from cache/mounts and left there as it is"
check "a pod after that" pod "test -f /c/big"
trouble "a repository that cannot be written to" "POST /cache/mounts/blobs/ always status=403" "is not left in cache/mounts" "echo refused > /c/new"
trouble "a full one" "PUT /cache/mounts/manifests/ always status=507" "is not left in cache/mounts" "echo full > /c/new"
repository=127.0.0.1:1/cache/mounts
cp "$WORK/Dockerfile" "$WORK/Dockerfile.one"
printf 'RUN --mount=type=cache,target=/d,id=two cp /d/none /seen 2> /dev/null || echo empty > /seen\n' >> "$WORK/Dockerfile"
check "one that cannot be reached" pod "test ! -e /c/big"
check "is a warning" said "is not taken from cache/mounts"
check "and only one, for all mounts" same "$(grep -c "is not taken from cache/mounts" "$WORK/log")" 1
mv "$WORK/Dockerfile.one" "$WORK/Dockerfile"
repository=$REGISTRY/cache/mounts

# A manifest that names other chunks than its index says; chunks that were deleted while the manifest stayed.
: > "$WORK/manifest"
for each in $(tag); do # the largest
  skopeo inspect --raw --tls-verify=false "docker://$repository:$each" > "$WORK/each"
  [ "$(stat -c %s "$WORK/each")" -le "$(stat -c %s "$WORK/manifest")" ] || mv "$WORK/each" "$WORK/manifest"
done
for change in '.layers |= reverse' '.layers |= .[0:1]' '.layers[0].annotations["kiln.cache.raw-size"] = "1"' '.annotations["kiln.cache.index-size"] = "99999999999"' \
  '.annotations["kiln.cache.index"] = "0"' '.layers += [.layers[-1]]'; do
  jq -c "$change" "$WORK/manifest" > "$WORK/changed"
  for each in $(tag); do
    curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$WORK/changed" "http://$REGISTRY/v2/cache/mounts/manifests/$each"
  done
  check "a manifest that was changed ($change)" pod "test ! -e /c/big" --no-push-cache
  check "is a warning ($change)" said "is not taken from cache/mounts"
done

# Listed and deleted; flags that make no sense.
check "a mount again" pod "$fill"
check "kiln cache list" bash -c "'$build/kiln' cache list --json '$repository' | jq -e 'any(.kind == \"mount\" and .step == \"one\" and .size > 9000000)'"
check "kiln cache prune" "$build/kiln" cache prune --all "$repository"
check "leaves none" same "$(tag)" ""
check "--cache-mounts=elsewhere" bash -c "! '$build/executor' -c '$WORK/context' -f '$WORK/Dockerfile' --no-push --cache-mounts elsewhere 2> '$WORK/log' && grep -q 'local or registry' '$WORK/log'"
check "--cache-mounts=registry without a repository" bash -c "! '$build/executor' -c '$WORK/context' -f '$WORK/Dockerfile' --no-push --cache-mounts registry 2> '$WORK/log' && grep -q 'no repository' '$WORK/log'"
check "--cache-mounts=registry with a directory" bash -c "! '$build/executor' -c '$WORK/context' -f '$WORK/Dockerfile' --no-push --cache-mounts registry --cache-repo oci:/tmp/x 2> '$WORK/log' && grep -q 'no repository' '$WORK/log'"

echo "cache mounts: $passed passed, $failed failed"
[ "$failed" = 0 ]
