#!/usr/bin/env bash
# What people have written for Kaniko, run as their systems run it, with nothing but the image changed: GitLab jobs, Tekton tasks,
# Jenkins agents, pods with ConfigMaps, warmers. The registry wants a login. Usage: tests/e2e/migrate.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-e2e-migrate.XXXXXX)
registry_pid=
trap 'kill $registry_pid 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
chmod 755 "$WORK"
htpasswd -Bbc "$WORK/htpasswd" builder s3cret 2> /dev/null
start_registry "$WORK" "auth: {htpasswd: {realm: migrate, path: $WORK/htpasswd}}"
mkdir "$WORK/secret"
printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$REGISTRY" "$(printf builder:s3cret | base64)" > "$WORK/secret/config.json"
export REGISTRY_AUTH_FILE="$WORK/secret/config.json" # of skopeo, on this machine
source "$here/pod/images.sh"
cat > "$WORK/context/Dockerfile" <<'DOCKERFILE'
FROM busybox AS build
COPY greeting.txt /src/
RUN cat /src/greeting.txt > /built
FROM busybox
COPY --from=build /built /built
RUN test ! -e /src && echo "$(cat /built) twice" >> /built
DOCKERFILE
echo "hello from a pod" > "$WORK/context/greeting.txt"
map="KANIKO_REGISTRY_MAP=docker.io=$REGISTRY"
secret="$WORK/secret:/kaniko/.docker:ro"
digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REGISTRY/$1"; }
clean() { rm -rf "$WORK"/results/*; }
silent() { [ ! -s "$1" ] || { cat "$1"; return 1; }; }

# GitLab: the runner starts "sh", found in PATH, in a container without an entrypoint, and sends the job's script, that of its manual.
script() { python3 -c 'import sys, yaml; print("set -eo pipefail\n" + "\n".join(yaml.safe_load(open(sys.argv[1]))["build"]["script"]))' "$1"; }
gitlab() {
  script "$here/../../tools/pod/gitlab-ci.yml" | pod runtime-default debug --entrypoint "" --env "$map" --env "CI_REGISTRY=$REGISTRY" --env CI_REGISTRY_USER=builder \
    --env CI_REGISTRY_PASSWORD=s3cret --env CI_PROJECT_DIR=/builds/team/app --env "CI_REGISTRY_IMAGE=$REGISTRY/team/app" --env CI_COMMIT_TAG=v1 \
    --bind "$WORK/context:/builds/team/app" -- sh -c 'if [ -x /usr/local/bin/bash ]; then exec /usr/local/bin/bash; elif [ -x /bin/sh ]; then exec /bin/sh; elif [ -x /busybox/sh ]; then exec /busybox/sh; fi'
}
check "a GitLab job" gitlab
check "... its image" digest_of team/app:v1

# Tekton: arguments as the task has them, the result in a file of the pod's.
tekton() {
  clean
  mkdir "$WORK/results/tekton"
  pod runtime-default executor --env "$map" --cwd /workspace --bind "$secret" --bind "$WORK/results/tekton:/tekton/results" -- \
    --dockerfile=./Dockerfile --context=/workspace/./ --destination="$REGISTRY/team/tekton" --digest-file=/tekton/results/IMAGE_DIGEST --reproducible \
    > "$WORK/out" 2> "$WORK/err"
}
check "a Tekton task" tekton
check "... its result" bash -c "[ \"\$(cat '$WORK/results/tekton/IMAGE_DIGEST')\" = '$(digest_of team/tekton:latest)' ]"
check "... nothing on standard output" silent "$WORK/out"
check "... each step has one line with its time" same "$(grep -cE '\] (COPY|RUN).*: [0-9.]+ s, [0-9]+ changes?' "$WORK/err")" 4
check "... and what it came to" says "pushed $REGISTRY/team/tekton.*digest sha256:.*image: 3 layers, 2 of them new.*push: .*/s; .*time: .*peak memory: " "$WORK/err"

# Jenkins: the container sleeps, and the agent executes every step in it.
jenkins() {
  clean
  rm -f "$WORK/state"
  pod runtime-default debug --entrypoint "" --env "$map" --bind "$secret" --state-file "$WORK/state" -- sleep 600 &
  local agent=$! code=0 root name
  until [ -s "$WORK/state" ] && read -r root name < "$WORK/state" && runc --root "$root" state "$name" 2> /dev/null | grep -q '"running"'; do sleep 0.2; kill -0 $agent || return 1; done
  for tag in 1 2; do
    runc --root "$root" exec --cwd /workspace "$name" sh -xec "/kaniko/executor --context /workspace --dockerfile Dockerfile --destination $REGISTRY/team/jenkins:$tag" || code=$?
    runc --root "$root" exec "$name" /bin/sh -c 'test -x /busybox/sh && sleep 0' || code=$?
  done
  runc --root "$root" kill "$name" KILL
  wait $agent || true
  return $code
}
check "a Jenkins agent, two builds" jenkins
check "... their images" bash -c "skopeo inspect --tls-verify=false docker://$REGISTRY/team/jenkins:1 && skopeo inspect --tls-verify=false docker://$REGISTRY/team/jenkins:2"

# A ConfigMap is links to a directory that is replaced as a whole; the login is a secret, which is the same.
configmap() { # configmap DIRECTORY FILE...
  mkdir -p "$1/..2026_01_02"
  cp "${@:2}" "$1/..2026_01_02"
  ln -s ..2026_01_02 "$1/..data"
  for file in "${@:2}"; do ln -s "..data/$(basename "$file")" "$1/$(basename "$file")"; done
}
configmap "$WORK/configmap" "$WORK/context/Dockerfile" "$WORK/context/greeting.txt"
configmap "$WORK/login" "$WORK/secret/config.json"
from_configmap() {
  clean
  WORKSPACE="$WORK/configmap" pod runtime-default debug --entrypoint "" --env "$map" --bind "$WORK/login:/kaniko/.docker:ro" -- /busybox/sh -ec \
    "/kaniko/executor --dockerfile=/workspace/Dockerfile --context=dir:///workspace --destination=$REGISTRY/team/app:map --destination=$REGISTRY/other/app:map \
     --digest-file=/dev/termination-log --reproducible; cat /dev/termination-log > /results/digest"
}
check "a pod with a ConfigMap, two destinations" from_configmap
check "... the digest in its termination log" same "$(cat "$WORK/results/digest")" "$(digest_of other/app:map)"
check "... the image of the directory" same "$(digest_of team/app:map)" "$(digest_of team/tekton:latest)"

# Several builds in one container, with a cache in the registry: the second runs nothing.
cached() {
  clean
  pod runtime-default debug --entrypoint "" --env "$map" --bind "$secret" -- /busybox/sh -ec \
    "for i in 1 2; do /kaniko/executor --context=/workspace --destination=$REGISTRY/team/cached:\$i --cache=true --cache-repo=$REGISTRY/team/cache --cleanup \
     --log-format json > /results/log.\$i 2>&1; done"
}
check "two builds with --cache-repo and --cleanup" cached
check "... the second runs nothing" bash -c "jq -s -e '[.[] | select(.event == \"step\") | .end] | length == 4 and all(. != \"done\")' '$WORK/results/log.2'"
check "... and is the same" same "$(digest_of team/cached:2)" "$(digest_of team/cached:1)"
check "JSON lines have the fields that programs read" bash -c "jq -s -e '
  (map(select(.event == \"step\")) | all(has(\"stage\") and has(\"step\") and has(\"steps\") and has(\"instruction\") and has(\"seconds\") and has(\"changes\") and has(\"bytes\"))) and
  (map(select(.event == \"time\")) | .[0].phases | has(\"run\")) and (map(select(.event == \"memory\")) | .[0].peak_bytes > 0) and
  (map(select(.event == \"push\")) | .[0] | has(\"bytes\") and has(\"seconds\") and has(\"sent\")) and all(has(\"level\") and has(\"msg\") and has(\"time\"))' '$WORK/results/log.1'"

# The other images.
mkdir "$WORK/cache"
layers_pulled() { grep -c 'GET /v2/library/busybox/blobs/' "$WORK/access.log" || true; }
warm() { pod runtime-default warmer --env "$map" --bind "$secret" --bind "$WORK/cache:/cache" -- --cache-dir=/cache --image=busybox --image=musl; }
check "the warmer fills a volume" warm
pulled=$(layers_pulled)
from_warm() { pod runtime-default "$1" --env "$map" --bind "$secret" --bind "$WORK/cache:/cache:ro" -- --context=/workspace --destination="$REGISTRY/team/warm:$1" --cache --cache-dir=/cache --cache-repo="$REGISTRY/team/$1"; }
check "the executor takes base images from there" from_warm executor
check "... and downloads none" same "$(layers_pulled)" "$pulled"
plain() { pod runtime-default slim --env "$map" --env DOCKER_CONFIG=/login --bind "$WORK/secret:/login:ro" -- --context=/workspace --destination="$REGISTRY/team/slim"; }
check "slim builds" plain
check "debug has Kaniko's shells, and the warmer" pod runtime-default debug --entrypoint "" --env "$map" --bind "$secret" -- /bin/sh -ec '
  test "$(readlink /bin/sh)" = /busybox/sh; /busybox/sh -c true; which ls cat wget tar; /kaniko/warmer --cache-dir /tmp/cache --image busybox; test -e /tmp/cache/index.json; /kaniko/executor version'

echo "e2e migrate: $passed passed, $failed failed"
[ "$failed" = 0 ]
