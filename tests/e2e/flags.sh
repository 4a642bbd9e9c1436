#!/usr/bin/env bash
# The command lines against a registry: what flags, variables and files do. Usage: tests/e2e/flags.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-flags.XXXXXX)
faulty_pids=()
trap 'kill "$registry_pid" "${faulty_pids[@]}" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1 DOCKER_CONFIG="$WORK/nobody"
unset HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy DOCKER_AUTH_CONFIG SSL_CERT_FILE SSL_CERT_DIR
start_registry "$WORK"

mkdir -p "$WORK/context"
cd "$WORK"
echo hello > context/hello
printf 'FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY hello /\n' > context/Dockerfile
executor() { timeout 60 "$build/executor" -c "$WORK/context" --log-format text "$@" 2> log; }
kiln() { timeout 60 "$build/kiln" "$@" 2> log; }
digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REGISTRY/$1"; }
config_of() { skopeo inspect --tls-verify=false --config "docker://$REGISTRY/$1" | python3 -c "import json,sys; print(eval('c' + sys.argv[1], {'c': json.load(sys.stdin)}))" "$2"; }
refused() { # refused TEXT COMMAND...
  local code=0
  "${@:2}" || code=$?
  [ "$code" = 1 ] && grep -qF -- "$1" log || { echo "exit code $code"; cat log; return 1; }
}

# -- files of results --------------------------------------------------------------------------------------------------
check "two destinations and their files" executor -d "$REGISTRY/t/a:1" --destination="$REGISTRY/t/b:2" --digest-file new/digest \
  --image-name-with-digest-file names --image-name-tag-with-digest-file tagged
digest=$(digest_of t/a:1)
check "the same image in both" same "$(digest_of t/b:2)" "$digest"
check "--digest-file" same "$(cat new/digest)" "$digest"
check "... in a directory for the owner only" same "$(stat -c %a new)" 700
check "--image-name-with-digest-file" same "$(cat names)" "$REGISTRY/t/a@$digest
$REGISTRY/t/b@$digest"
check "--image-name-tag-with-digest-file" same "$(cat tagged)" "$REGISTRY/t/a:1@$digest
$REGISTRY/t/b:2@$digest"
check "--digest-file=/dev/stdout" bash -c "timeout 60 '$build/executor' -c context --no-push --reproducible --digest-file /dev/stdout 2> log | grep -qx 'sha256:[0-9a-f]\{64\}'"
mkdir cloud
check "BUILDER_OUTPUT" env BUILDER_OUTPUT="$WORK/cloud" timeout 60 "$build/executor" -c context -d "$REGISTRY/t/a:1" --reproducible
check "... has the image" same "$(cat cloud/images)" "{\"name\":\"$REGISTRY/t/a:1\",\"digest\":\"$(digest_of t/a:1)\"}"

# -- variables ---------------------------------------------------------------------------------------------------------
check "KANIKO_NO_PUSH" env KANIKO_NO_PUSH=true timeout 60 "$build/executor" -c context
check "KANIKO_DIR" env KANIKO_DIR="$WORK/kaniko" timeout 60 "$build/executor" -c context --no-push
check "... was used" [ -d "$WORK/kaniko" ]
check "--kaniko-dir beats it" env KANIKO_DIR=/dev/null/x timeout 60 "$build/executor" -c context --no-push --kaniko-dir "$WORK/other"
check "--build-arg NAME" env WHO=me timeout 60 "$build/executor" -c context -d "$REGISTRY/t/arg:1" --build-arg WHO
check "... takes the variable" same "$(config_of t/arg:1 "['config']['Labels']['who']")" me
check "FF_KANIKO_OCI_SCRATCH_BASE" env FF_KANIKO_OCI_SCRATCH_BASE=1 timeout 60 "$build/executor" -c context --no-push --oci-layout-path layout
check "... makes an OCI image" grep -q oci.image.manifest layout/index.json
refuse_switch() { FF_KANIKO_COPY_AS_ROOT=0 executor --no-push; }
check "a switch that asks for another image" refused FF_KANIKO_COPY_AS_ROOT refuse_switch

# -- plan and login ----------------------------------------------------------------------------------------------------
printf 'FROM scratch AS unused\nFROM scratch AS base\nCOPY hello /\nFROM base AS app\nCOPY --from=base hello /again\n' > context/stages
executor --dryrun -f stages > plan
check "--dryrun" same "$(cat plan)" "stage base from scratch
     3  COPY hello /
target stage app from stage base
        copies from stage base
     5  COPY --from=base hello /again
not built: unused
fetched: nothing"
check "kiln plan shows the same" same "$("$build/kiln" plan -f context/stages context)" "$(cat plan)"
check "kiln plan --json" same "$("$build/kiln" plan --json -f context/stages context | python3 -c "import json, sys
print([(stage['name'], stage['built']) for stage in json.load(sys.stdin)['stages']])")" \
  "[('unused', False), ('base', True), ('app', True)]"
check "KANIKO_PRINT_PLAN builds, too" env KANIKO_PRINT_PLAN=1 timeout 60 "$build/executor" -c context -f stages -d "$REGISTRY/t/plan:1"
check "... it did" digest_of t/plan:1
login() { printf 'pass:word\n' | DOCKER_CONFIG="$WORK/docker" timeout 20 "$build/executor" login "$@"; }
check "executor login" login -u alice --password-stdin reg.example
check "... to Docker Hub" login -u bob -p secret index.docker.io
check "... keeps both, for the owner only" same "$(stat -c %a docker/config.json) $(python3 -c "import json, base64
auths = json.load(open('docker/config.json'))['auths']
print({key: base64.b64decode(auth['auth']).decode() for key, auth in auths.items()})")" \
  "600 {'reg.example': 'alice:pass:word', 'https://index.docker.io/v1/': 'bob:secret'}"

# -- several targets ---------------------------------------------------------------------------------------------------
printf 'FROM scratch AS one\nCOPY hello /one\nFROM scratch AS two\nCOPY hello /two\nFROM scratch AS broken\nCOPY nothing /\n' > context/targets
check "two --target" executor -f targets --target one,two -d "$REGISTRY/t/targets:1"
check "... are built" grep -q 'COPY hello /two' log
check "... and the first is the image" same "$(config_of t/targets:1 "['history'][0]['created_by']")" "COPY hello /one # buildkit"
check "the others must succeed, too" refused "targets:6: COPY nothing /" executor -f targets --target one --target broken --no-push
check "an unknown one" refused 'target stage "tow" could not be found (did you mean two?)' executor -f targets --target one --target tow --no-push

# -- executor push -----------------------------------------------------------------------------------------------------
head -c 3000000 /dev/urandom > context/large
printf 'FROM scratch\nCOPY hello /\nCOPY large /\nCOPY hello /\n' > context/saved
push() { timeout 60 "$build/executor" push --log-format text "$@" 2> log; }
executor -f saved --no-push --reproducible --tar-path saved.tar --oci-layout-path saved.layout --digest-file saved.digest
check "executor push of an archive" push -d "$REGISTRY/t/pushed:1" --destination "$REGISTRY/t/again:2" --digest-file pushed.digest saved.tar
check "... is the image" same "$(digest_of t/pushed:1) $(digest_of t/again:2) $(cat pushed.digest)" "$(cat saved.digest) $(cat saved.digest) $(cat saved.digest)"
check "... of a layout" push -d "$REGISTRY/t/layout:1" saved.layout
check "... too" same "$(digest_of t/layout:1)" "$(cat saved.digest)"
check "... sends no layer again" grep -q '0 blobs sent, 0 mounted, ' <(push -d "$REGISTRY/t/layout:2" saved.layout; cat log)
skopeo copy --quiet --src-tls-verify=false "docker://$REGISTRY/t/pushed:1" docker-archive:plain.tar:t/plain:1
check "... of an archive with layers that are not compressed" push -d "$REGISTRY/t/plain:1" plain.tar
check "... has the same layers" same "$(config_of t/plain:1 "['rootfs']['diff_ids']")" "$(config_of t/pushed:1 "['rootfs']['diff_ids']")"
check "... and they are compressed" test "$(skopeo inspect --tls-verify=false --raw "docker://$REGISTRY/t/plain:1" | jq '.layers[0].size')" -lt 512
gzip -k saved.tar
check "... of a compressed archive" push -d "$REGISTRY/t/zipped:1" saved.tar.gz
check "... is the image, too" same "$(digest_of t/zipped:1)" "$(cat saved.digest)"
check "no destination to push to" refused "no --destination" push saved.tar
check "no archive" refused "'context/large' is no tar archive" push -d "$REGISTRY/t/x:1" context/large
tar -cf other.tar context
check "an archive of something else" refused "it is no docker-save archive" push -d "$REGISTRY/t/x:1" other.tar
head -c 1000000 saved.tar > broken.tar
check "a broken archive" refused "broken.tar" push -d "$REGISTRY/t/x:1" broken.tar
check "a flag that is not for pushing" refused "unknown flag: --dockerfile" push --dockerfile x saved.tar

# -- errors ------------------------------------------------------------------------------------------------------------
check "an unknown flag" refused "unknown flag: --destinatoin (did you mean --destination?)" executor --destinatoin x
check "an argument" refused "unexpected argument 'x'" executor --no-push x
check "no destination" refused "no --destination" executor
printf 'FROM scratch\nCOPY nothing /\n' > context/broken
check "a failing step" refused "broken:2: COPY nothing /" executor --no-push -f broken

# -- a tag that cannot be overwritten ----------------------------------------------------------------------------------
start_faulty "$WORK/immutable" --upstream "$REGISTRY"
echo "PUT ^/v2/t/fixed/manifests/ always status=400" > immutable/rules
check "an immutable tag fails" refused "made to answer 400" executor -d "$FAULTY/t/fixed:1"
check "... and other failures are none, with --push-ignore-immutable-tag-errors" refused "made to answer 400" \
  executor -d "$FAULTY/t/fixed:1" --push-ignore-immutable-tag-errors
echo "PUT ^/v2/t/fixed/manifests/ always status=400,message=The+repository+has+enabled+tag+immutability" > immutable/rules
check "--push-ignore-immutable-tag-errors" executor -d "$FAULTY/t/fixed:1" --push-ignore-immutable-tag-errors

# -- log and trace -----------------------------------------------------------------------------------------------------
check "--log-format json" bash -c "timeout 60 '$build/executor' -c context --no-push --log-format json 2>&1 | python3 -c 'import json,sys
lines = [json.loads(line) for line in sys.stdin]
assert all({\"level\", \"msg\", \"time\"} <= line.keys() for line in lines)
assert {\"step\", \"digest\", \"image\", \"memory\"} <= {line.get(\"event\") for line in lines}'"
check "--trace-file" executor -d "$REGISTRY/t/trace:1" --trace-file trace
check "... has what happened" python3 -c 'import json
kinds = {event.get("cat") for event in json.load(open("trace"))["traceEvents"]}
assert {"step", "capture", "push"} <= kinds, kinds'
check "a line for a step" grep -qE '^INFO\[[0-9]{4}\] \[1/1\] COPY hello /: [0-9.]+ s, ' log
check "... and for a push" grep -qE '^INFO\[[0-9]{4}\] push .*to t/trace: [0-9.]+ k?B in [0-9.]+ s, ' log
check "a summary" grep -qE 'peak memory: [0-9.]+ MB' log

# -- kiln build --------------------------------------------------------------------------------------------------------
kiln_stdin() { printf 'FROM scratch\nCOPY hello /from-stdin\n' | kiln build -f - --push -t "$REGISTRY/t/stdin:1" context; }
check "kiln build -f -" kiln_stdin
check "... is another image" [ "$(digest_of t/stdin:1)" != "$digest" ]
check "kiln build" kiln build -q -t "$REGISTRY/t/kiln:1" --output type=image,push=true,oci-mediatypes=true,annotation.a=b --label l=m \
  --annotation c=d --iidfile id --metadata-file metadata.json --no-cache --pull --progress plain context
check "--quiet is quiet" same "$(cat log)" ""
kiln_digest=$(digest_of t/kiln:1)
check "--metadata-file" python3 -c "import json
metadata = json.load(open('metadata.json'))
assert metadata['containerimage.digest'] == metadata['containerimage.descriptor']['digest'] == '$kiln_digest', metadata
assert metadata['containerimage.config.digest'] == open('id').read(), metadata
assert metadata['image.name'] == '$REGISTRY/t/kiln:1', metadata"
check "annotations" bash -c "skopeo inspect --tls-verify=false --raw docker://$REGISTRY/t/kiln:1 | grep -q '\"annotations\":{\"a\":\"b\",\"c\":\"d\"}'"
check "--label" same "$(config_of t/kiln:1 "['config']['Labels']['l']")" m
check "--output type=oci" kiln build --output type=oci,dest=image.tar context
check "... is read by skopeo" skopeo inspect --raw oci-archive:image.tar
check "--output type=oci,tar=false" kiln build --output type=oci,tar=false,dest=image context
check "... too" skopeo inspect --raw oci:image
check "--output type=docker" kiln build -t t/docker:1 -o type=docker,dest=docker.tar context
check "... too" skopeo inspect --raw docker-archive:docker.tar
check "a Dockerfile that is not there" refused "Dockerfile 'nothing'" kiln build -f nothing context

echo "flags: $passed passed, $failed failed"
[ "$failed" = 0 ]
