#!/usr/bin/env bash
# The language against a registry: how errors and build checks are told, and named contexts. Usage: tests/e2e/language.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-language.XXXXXX)
trap 'kill "$registry_pid" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1 DOCKER_CONFIG="$WORK/nobody"
start_registry "$WORK"
cd "$WORK"
mkdir context
echo hello > context/hello
# kiln [FLAGS]: builds standard input, what it tells goes to the file log.
kiln() { timeout 60 "$build/kiln" build --log-format text -f - "$@" context > /dev/null 2> log; }
push() { kiln --insecure --push -t "$REGISTRY/$1" "${@:2}"; }
# fails TEXT: the last build failed, and this is all that its error says.
fails() { same "$(sed -n '/^FATA/,$p' log | sed 's/^FATA\[[0-9]*\] //')" "$1"; }

# -- errors have their place -------------------------------------------------------------------------------------------
kiln <<< $'FROM scratch\n\n# twice\nCOPY hello \\\n  missing /x/\nLABEL a=b' || true
check "a step that fails shows its lines" fails 'Dockerfile:4: COPY hello   missing /x/: "/missing": not found
   2 |     
   3 |     # twice
   4 | >>> COPY hello \
   5 | >>>   missing /x/
   6 |     LABEL a=b'
kiln <<< $'FROM scratch AS a\nCOPY --from=b / /\nFROM a AS b' || true
check "... and so does a plan" fails 'Dockerfile:2: cannot copy from stage "b", it needs to be defined before current stage "a"
   1 |     FROM scratch AS a
   2 | >>> COPY --from=b / /
   3 |     FROM a AS b'
kiln --insecure <<< "FROM $REGISTRY/none" || true
check "... and a base that is not there" grep -qx '   1 | >>> FROM .*/none' log
kiln --insecure <<< $'FROM scratch\nCOPY --from='"$REGISTRY"$'/none / /' || true
check "... and a source that is not" grep -qx '   2 | >>> COPY --from=.*/none / /' log

timeout 60 "$build/executor" --no-push -c context -f /dev/stdin --registry-map "docker.io=$REGISTRY" --skip-default-registry-fallback --insecure-pull \
  <<< $'FROM scratch AS build\nFROM scratch\nCOPY --from=biuld / /' 2> log || true
check "... and a stage that is misspelt" grep -qF '(and no stage is called biuld: did you mean build?)' log

# -- build checks that know the context --------------------------------------------------------------------------------
printf '*\n' > context/.dockerignore
kiln <<< $'FROM scratch\nCOPY . /x/\nCOPY /hello* /y/'
check "what .dockerignore leaves out" same "$(grep -o 'CopyIgnoredFile.*' log)" 'CopyIgnoredFile: Attempting to Copy file "." that is excluded by .dockerignore (line 2)'
printf '*\n!hello\n' > context/.dockerignore
kiln <<< $'FROM scratch\nCOPY . /x/'
check "... is not told where some of it comes back" same "$(grep -c CopyIgnoredFile log)" 0
rm context/.dockerignore

# -- build checks that know the base -----------------------------------------------------------------------------------
push arm --platform linux/arm64 <<< $'FROM scratch\nENV HOMEDIR=/home\nCOPY hello /'
kiln --insecure --platform linux/amd64 <<< "FROM $REGISTRY/arm"$'\nCOPY hello $HOMEDIR/$NOWHERE'
check "a base of another platform" grep -q "InvalidBaseImagePlatform: Base image $REGISTRY/arm was pulled with platform \"linux/arm64\", expected \"linux/amd64\" for current build (line 1)" log
check "a variable that nobody sets" same "$(grep -o 'UndefinedVar.*' log)" "UndefinedVar: Usage of undefined variable '\$NOWHERE' (line 2)"
kiln --insecure --platform linux/arm64 <<< "# check=error=true"$'\n'"FROM $REGISTRY/arm"$'\nCOPY hello $HOMEDIR/$NOWHERE' || true
check "error=true" fails "lint violation found for rules: UndefinedVar"

# -- arguments for the builder -----------------------------------------------------------------------------------------
kiln --build-arg BUILDKIT_INLINE_CACHE=1 --build-arg BUILDKIT_SANDBOX_HOSTNAME=x <<< 'FROM scratch'
check "an argument that only BuildKit obeys is told" same "$(grep -o 'the build argument.*' log)" \
  'the build argument BUILDKIT_INLINE_CACHE is an order to BuildKit, and does nothing here'

# -- named contexts ----------------------------------------------------------------------------------------------------
busybox_tar "$WORK/base.tar"
mkdir root
tar -C root -xf base.tar
echo 'link' > root/.dockerignore
layout_from_tar base.tar layout
layer_names() { # layer_names REPOSITORY N: paths in the Nth layer
  skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/$1" "dir:$WORK/pulled" && tar -tf "$WORK/pulled/$(python3 -c "import json, sys
print(json.load(open('$WORK/pulled/manifest.json'))['layers'][int(sys.argv[1])]['digest'][7:])" "$2")"
}
history_of() { skopeo inspect --tls-verify=false --config "docker://$REGISTRY/$1" | python3 -c 'import json, sys
for entry in json.load(sys.stdin)["history"]: print(entry["created_by"])'; }
check "FROM a directory" push from-directory --build-context base=root <<< $'FROM base\nRUN echo $(cat /opt/data/one) > /seen\nCMD ["sh"]'
check "... is its first layer" grep -qx opt/data/one <(layer_names from-directory 0)
check "... without what its .dockerignore leaves out" same "$(layer_names from-directory 0 | grep -x link)" ""
check "... and RUN saw it" grep -qx seen <(layer_names from-directory 1)
check "... the history has it" same "$(history_of from-directory)" 'context base
RUN /bin/sh -c echo $(cat /opt/data/one) > /seen # buildkit
CMD ["sh"]'
check "... from the cache" push from-directory --build-context base=root --cache-to type=local,dest=cache <<< $'FROM base\nRUN echo 1 > /one'
check "... again" push from-directory --build-context base=root --cache-from type=local,src=cache <<< $'FROM base\nRUN echo 1 > /one'
check "... hits" grep -q 'RUN echo 1 > /one: .*cached' log
echo changed > root/opt/data/new
check "... once more" push from-directory --build-context base=root --cache-from type=local,src=cache <<< $'FROM base\nRUN echo 1 > /one'
check "... not after a change" grep -q 'RUN echo 1 > /one: .* change' log
check "FROM a layout" push from-layout --build-context base=oci-layout://layout <<< $'FROM base\nRUN cat /opt/data/one > /seen'
check "... has its layer" same "$(skopeo inspect --tls-verify=false --raw "docker://$REGISTRY/from-layout" | python3 -c 'import json, sys; print(json.load(sys.stdin)["layers"][0]["digest"])')" \
  "$(python3 -c 'import json
manifest = json.load(open("layout/index.json"))["manifests"][0]["digest"][7:]
print(json.load(open("layout/blobs/sha256/" + manifest))["layers"][0]["digest"])')"
check "... by name and digest" kiln --build-context "base=oci-layout://layout:latest@$(python3 -c 'import json; print(json.load(open("layout/index.json"))["manifests"][0]["digest"])')" \
  <<< $'FROM scratch\nCOPY --from=base /opt/data/one /'
kiln --build-context base=oci-layout://nothing <<< 'FROM base' || true
check "a layout that is not there" grep -q "1: --build-context base: '.*/nothing/index.json' cannot be read" log
check "a target that is replaced" push replaced --target middle --build-context middle=docker-image://"$REGISTRY"/from-layout \
  <<< $'FROM scratch AS middle\nRUN never\nFROM middle\nRUN never'
check "... is what replaces it" same "$(history_of replaced)" "$(history_of from-layout)"
check "FROM nothing" push nothing --build-context base=docker-image://scratch <<< $'FROM base\nCOPY hello /'

echo "language: $passed passed, $failed failed"
[ "$failed" = 0 ]
