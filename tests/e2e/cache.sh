#!/usr/bin/env bash
# The layer cache: which edits hit and which miss, with the image compared to one built without the cache; what moves in a
# build that hits throughout; a cache that is gone, lies or is read-only. Usage: tests/e2e/cache.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-cache.XXXXXX)
registry_pid=
trap '[ -z "$registry_pid" ] || kill "$registry_pid" 2> /dev/null; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
start_busybox_registry

executor() {
  timeout 60 "$build/executor" --registry-map "docker.io=$REGISTRY" --log-format text --reproducible -c "$WORK/context" \
    -f "$WORK/Dockerfile" --digest-file "$WORK/digest" "$@" 2> "$WORK/log"
}
cached() { executor --cache --cache-repo "$REGISTRY/cache/$cache" --no-push "$@"; }
hits() { grep -c 'done.*cached\|cached$' "$WORK/log" || true; }

fresh_context() {
  rm -rf "$WORK/context"
  mkdir -p "$WORK/context/dir/sub" "$WORK/context/scripts"
  echo one > "$WORK/context/one"
  echo two > "$WORK/context/dir/two"
  echo three > "$WORK/context/dir/sub/three"
  ln -s two "$WORK/context/dir/link"
  echo 'echo script' > "$WORK/context/scripts/run.sh"
  echo skip > "$WORK/context/dir/ignored.md"
  printf '*.md\n**/*.md\n' > "$WORK/context/.dockerignore"
  cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox AS build
ARG USED=1
ARG UNUSED=1
ENV A=b
WORKDIR /work
COPY dir /work/dir
RUN cat dir/two > made && echo "$USED" >> made
FROM busybox
LABEL version=1
COPY --from=build /work/made /made
COPY one scripts/ /last/
RUN cat /last/one /made > /both
DOCKERFILE
}

# edit NAME HITS EDIT [FLAGS]: how many of the steps of `fresh`'s Dockerfile come from the cache of its first build after an
# edit; the image is that of a build without the cache.
prime() {
  fresh=$1 cache=$1
  "$fresh"
  check "$cache: first build" cached "${@:2}"
}
edit() {
  local what=$1 expected=$2 change=$3
  shift 3
  "$fresh"
  (cd "$WORK/context" && eval "$change")
  if ! executor --cache --cache-repo "$REGISTRY/cache/$cache" --no-push-cache -d "$REGISTRY/result/cached:latest" "$@"; then
    check "$what: second build" cat "$WORK/log" /nothing
    return
  fi
  check "$what: $expected hits" same "$(hits)" "$expected"
  executor -d "$REGISTRY/result/plain:latest" "$@"
  check "$what: the image of a build without the cache" same_image "$REGISTRY/result/cached:latest" "$REGISTRY/result/plain:latest"
  rm -f "$WORK/Dockerfile.dockerignore"
}
sed_dockerfile() { sed -i "$1" "$WORK/Dockerfile"; }

check "another base" bash -c "printf 'FROM busybox\\nCOPY <<E /other\\nE\\n' > '$WORK/other' && timeout 60 '$build/executor' --registry-map docker.io=$REGISTRY -c $WORK/busybox -f '$WORK/other' -d $REGISTRY/library/busybox:other"
prime fresh_context
edit "nothing" 6 :
edit "times only" 6 "touch -d 2001-01-01 one dir/two dir"
edit "an ignored file" 6 "echo more > dir/ignored.md"
edit "a file that no step reads" 6 "echo x > elsewhere"
edit "a comment" 6 "sed_dockerfile '2i # a comment'"
edit "blanks between words" 6 "sed_dockerfile 's|COPY dir /work/dir|COPY   dir   /work/dir|'"
edit "a label" 6 "sed_dockerfile 's/version=1/version=2/'"
edit "content of a directory" 1 "echo changed > dir/two"
edit "content deep in a directory" 1 "echo changed > dir/sub/three"
edit "a mode" 1 "chmod 700 dir/two"
edit "a rename" 1 "mv dir/two dir/four && ln -sf four dir/two"
edit "a link's target" 1 "ln -sfn sub dir/link"
edit "a new empty directory" 1 "mkdir dir/empty"
edit "a file becomes a directory" 1 "rm dir/sub/three && mkdir dir/sub/three"
edit "what the last COPY reads" 4 "echo changed > one"
edit "a script that the last COPY reads" 4 "echo changed > scripts/run.sh"
edit "a used argument" 2 : --build-arg USED=2
edit "a variable" 2 "sed_dockerfile 's/A=b/A=c/'"
edit "a RUN's text" 2 "sed_dockerfile 's/made && echo/made \\&\\& echo new \\&\\& echo/'"
edit "the last RUN's text" 5 "sed_dockerfile 's|/both|/all|'"
edit "a destination" 4 "sed_dockerfile 's|scripts/ /last/|scripts/ /last/ |; s|/last/|/end/|g'"
edit "an owner" 4 "sed_dockerfile 's|COPY one|COPY --chown=1:1 one|'"
edit "a directory for RUN" 0 "sed_dockerfile 's|WORKDIR /work|WORKDIR /work/deeper|; s|dir/two|/work/dir/two|; s|/work/made|/work/deeper/made|'"
edit "an ignore rule that brings a file in" 1 "echo '!dir/ignored.md' >> .dockerignore"
edit "modes there and back" 6 "chmod 700 dir/two && chmod 644 dir/two"
edit "a directory's mode" 1 "chmod 1700 dir/sub"
edit "a file that is gone" 1 "rm dir/sub/three"
edit "a file elsewhere" 1 "mv dir/sub/three dir/three"
edit "contents exchanged" 1 "mv dir/two x && mv dir/sub/three dir/two && mv x dir/sub/three"
edit "a copy" 1 "cp dir/two dir/second"
edit "a hard link" 1 "ln dir/two dir/second"
edit "an attribute" 1 "python3 -c 'import os; os.setxattr(\"dir/two\", \"user.x\", b\"y\")'"
edit "an ignore file of the Dockerfile's own" 6 "cp .dockerignore ../Dockerfile.dockerignore"
edit "an argument that a RUN sees and does not use" 2 : --build-arg UNUSED=2
edit "an argument that nobody declares" 6 : --build-arg NOBODY=2
edit "the base's tag, to another image" 3 "sed_dockerfile 's/^FROM busybox$/FROM busybox:other/'"
edit "the base of the first stage" 0 "sed_dockerfile 's/^FROM busybox AS/FROM busybox:other AS/'"
push_busybox busybox:same
edit "the base's tag, to the same image" 6 "sed_dockerfile 's/^FROM busybox$/FROM busybox:same/'"
skopeo copy --quiet --{src,dest}-tls-verify=false "docker://$REGISTRY/library/busybox:other" "docker://$REGISTRY/library/busybox:latest"
edit "a base that has moved" 0 :
push_busybox busybox:latest
edit "a stage's name" 6 "sed_dockerfile 's/AS build/AS maker/; s/=build/=maker/'"
edit "a stage's number" 6 "sed_dockerfile 's/=build/=0/'"
edit "a stage that nobody needs" 6 "sed_dockerfile '7a FROM busybox AS unused\nRUN exit 1'"
edit "a path of COPY --from" 3 "sed_dockerfile 's|/work/made /made|/work/dir/two /made|'"
edit "the order of COPYs" 3 "sed_dockerfile '/^COPY --from/{h;d}; /^COPY one/{G}'"
edit "an owner of COPY --from" 3 "sed_dockerfile 's|COPY --from|COPY --chown=1:1 --from|'"
edit "--chmod" 4 "sed_dockerfile 's|COPY one|COPY --chmod=755 one|'"
edit "--link" 4 "sed_dockerfile 's|COPY one|COPY --link one|'"
edit "--parents" 4 "sed_dockerfile 's|COPY one|COPY --parents one|'"
edit "--exclude" 4 "sed_dockerfile 's|COPY one|COPY --exclude=*.sh one|'"
edit "the JSON form" 6 "sed_dockerfile 's|COPY dir /work/dir|COPY [\"dir\", \"/work/dir\"]|'"
edit "lower case" 6 "sed_dockerfile 's/^COPY/copy/; s/^RUN/run/'"
edit "a shell" 5 "sed_dockerfile '/^RUN cat .last/i SHELL [\"/bin/sh\", \"-ec\"]'"
edit "a user of the last RUN" 5 "sed_dockerfile '/^RUN cat .last/i USER root'"
edit "a directory of the last RUN" 5 "sed_dockerfile '/^RUN cat .last/i WORKDIR /tmp'"
edit "a variable that only the last RUN sees" 5 "sed_dockerfile '/^LABEL/i ENV LATE=1'"
edit "what is said at the end" 6 "printf 'ENV END=1\nCMD [\"x\"]\nEXPOSE 80\n' >> '$WORK/Dockerfile'"
edit "a label of the command line" 6 : --label x=y
edit "a platform" 0 : --custom-platform linux/arm64
edit "compression" 0 : --compression zstd
edit "SOURCE_DATE_EPOCH" 0 : --build-arg SOURCE_DATE_EPOCH=1000000000
edit "a host name for RUN" 2 : --build-arg BUILDKIT_SANDBOX_HOSTNAME=other
edit "/var/run in layers" 0 : --ignore-var-run=false
edit "a user" 2 "sed_dockerfile '/^RUN cat dir/i USER 0:0'"

# Mounts: what a bind shows counts, whether a secret is there, not what it says or what a cache holds.
mounts_context() {
  fresh_context
  cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox AS tools
COPY one /tool
FROM busybox
RUN --mount=type=bind,source=dir,target=/in cat /in/two > /a
RUN --mount=type=bind,from=tools,source=/tool,target=/tool cat /tool > /b
RUN --mount=type=cache,target=/cache echo x >> /cache/x && wc -l < /cache/x > /dev/null && echo c > /c
RUN --mount=type=secret,id=s test -e /run/secrets/s && echo there > /d || echo absent > /d
DOCKERFILE
}
prime mounts_context
edit "nothing changed under mounts" 5 :
edit "what a bind of the context shows" 1 "echo changed > dir/two"
edit "what a bind does not show" 5 "echo x > elsewhere"
edit "what a bind of a stage shows" 1 "echo changed > one"
edit "a bind's source" 1 "sed_dockerfile 's|source=dir,target=/in cat /in|source=.,target=/in cat /in/dir|'"
edit "a bind's target" 1 "sed_dockerfile 's|target=/in cat /in|target=/im cat /im|'"
echo secret > "$WORK/secret"
edit "a secret that is there now" 4 : --secret "id=s,src=$WORK/secret"
edit "a proxy" 5 : --build-arg HTTP_PROXY=http://127.0.0.1:1
fresh=mounts_context cache=secrets
check "a build with a secret" cached --secret "id=s,src=$WORK/secret"
echo another > "$WORK/secret"
edit "a secret's value" 5 : --secret "id=s,src=$WORK/secret"

# Ways of copying.
copies_context() {
  fresh_context
  ln -s scripts "$WORK/context/aside"
  echo skip > "$WORK/context/dir/x.skip"
  tar -C "$WORK/context" --mtime @0 -cf "$WORK/context/archive.tar" one
  mkdir -p "$WORK/more"
  echo more > "$WORK/more/file"
  echo left out > "$WORK/more/ignored"
  echo ignored > "$WORK/more/.dockerignore"
  cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox
COPY <<COPIED /hello
text
COPIED
RUN <<EXECUTED
echo body > /heredoc
EXECUTED
COPY --chown=1:1 --chmod=640 one /owned
COPY --link one /linked
COPY --parents dir/sub/three /parents/
COPY --exclude=*.skip dir /excluded
COPY aside /aside
COPY --from=more . /more
ADD archive.tar /unpacked
DOCKERFILE
}
more="--build-context more=$WORK/more"
prime copies_context $more
edit "nothing changed in copies" 9 : $more
edit "a heredoc that is copied" 0 "sed_dockerfile 's/^text/other/'" $more
edit "a heredoc that is run" 1 "sed_dockerfile 's/echo body/echo another/'" $more
edit "another --chown" 2 "sed_dockerfile 's/1:1/2:1/'" $more
edit "another --chmod" 2 "sed_dockerfile 's/640/600/'" $more
edit "no --link" 3 "sed_dockerfile 's/--link //'" $more
edit "below --parents" 4 "echo changed > dir/sub/three" $more
edit "what --exclude leaves out" 9 "echo changed > dir/x.skip" $more
edit "another --exclude" 5 "sed_dockerfile 's/=[*].skip/=*.skap/'" $more
edit "behind a link that is copied" 6 "echo changed > scripts/run.sh" $more
edit "a link that is copied" 6 "ln -sfn dir aside" $more
edit "a file of a named context" 7 "echo changed > ../more/file" $more
edit "what a named context leaves out" 9 "echo changed > ../more/ignored" $more
edit "an archive" 8 "tar -C dir --mtime @0 -cf archive.tar two" $more
edit "an archive's time" 9 "touch archive.tar" $more

# Nothing but manifests moves when everything hits; the layers are mounted and not sent.
fresh_context
requests() { grep -c "$1" "$WORK/access.log" || true; }
check "a first build with destination" executor --cache --cache-repo "$REGISTRY/cache/requests" -d "$REGISTRY/t/app:1"
pulled=$(requests '"GET /v2/.*/blobs/sha256')
check "the same build elsewhere" executor --cache --cache-repo "$REGISTRY/cache/requests" -d "$REGISTRY/t/other:1"
check "pulls no blob" same "$(($(requests '"GET /v2/.*/blobs/sha256') - pulled))" 0
check "and the image can be read" skopeo copy --quiet --src-tls-verify=false "docker://$REGISTRY/t/other:1" "dir:$WORK/copied"
check "the inferred repository" executor --cache -d "$REGISTRY/t/app:2"
check "is <destination>/cache" bash -c "skopeo list-tags --tls-verify=false docker://$REGISTRY/t/app/cache | jq -e '[.Tags[] | select(length == 64)] | length == 7'"

# A COPY onto steps that hit needs none of their layers: what is in them is in the cache.
last_copy_context() {
  fresh_context
  cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox
RUN echo 'late:x:77:' >> /etc/group && ln -s /opt/data /alias && rm -r /usr/bin
COPY dir /opt/data/dir
COPY --chown=app:late one /alias/new/
DOCKERFILE
}
layer_requests() { # those for layers of the base and of the image built first
  local digests
  digests=$(for image in library/busybox:latest t/last:1; do
    skopeo inspect --tls-verify=false "docker://$REGISTRY/$image" | jq -r '.Layers[]'; done | sort -u | paste -sd '|')
  grep -cE "\"GET /v2/.*/blobs/($digests)" "$WORK/access.log" || true
}
last_copy() { executor --cache --cache-repo "$REGISTRY/cache/last" "$@"; }
last_copy_context
check "steps before a last COPY" last_copy -d "$REGISTRY/t/last:1"
pulled=$(layer_requests)
echo changed > "$WORK/context/one"
check "another last COPY" last_copy -d "$REGISTRY/t/last:2"
check "hits before it" same "$(hits)" 2
check "and no layer is pulled" same "$(layer_requests)" "$pulled"
executor -d "$REGISTRY/t/last:plain"
check "the image of a build without the cache" same_image "$REGISTRY/t/last:2" "$REGISTRY/t/last:plain"
echo 'RUN test -e /opt/data/one && ! test -e /usr/bin && cat /alias/new/one > /after' >> "$WORK/Dockerfile"
echo again > "$WORK/context/one"
check "with a RUN after it" last_copy -d "$REGISTRY/t/last:3"
executor -d "$REGISTRY/t/last:plain3"
check "the image of a build without it" same_image "$REGISTRY/t/last:3" "$REGISTRY/t/last:plain3"
check "from such a stage" bash -c "sed -i -e 's/^FROM busybox/& AS below/' -e '\$a FROM busybox' -e '\$a COPY --from=below /alias/ /opt/data/dir /x/' '$WORK/Dockerfile'"
check "files are copied" last_copy -d "$REGISTRY/t/last:4"
executor -d "$REGISTRY/t/last:plain4"
check "the image of a build without it" same_image "$REGISTRY/t/last:4" "$REGISTRY/t/last:plain4"
fresh_context

# On disk.
check "a cache on disk" executor --cache --cache-repo "oci:$WORK/cache-dir/c" -d "$REGISTRY/t/disk:1"
expected=$(cat "$WORK/digest")
check "is used" executor --cache --cache-repo "oci:$WORK/cache-dir/c" -d "$REGISTRY/t/disk2:1"
check "for every step" same "$(hits)" 6
check "and gives the same image" same "$(cat "$WORK/digest")" "$expected"
key=$(jq -r '.manifests[-1].annotations["org.opencontainers.image.ref.name"]' "$WORK/cache-dir/c/index.json")
check "skopeo reads an entry" skopeo copy --quiet "oci:$WORK/cache-dir/c:$key" "dir:$WORK/copied-entry"
for blob in "$WORK"/cache-dir/c/blobs/sha256/*; do
  [ "$(head -c 2 "$blob" | od -An -tx1 | tr -d ' ')" = 1f8b ] && printf 'X' | dd of="$blob" bs=1 seek=12 conv=notrunc status=none
done
check "a cache that lies" executor --cache --cache-repo "oci:$WORK/cache-dir/c" -d "$REGISTRY/t/disk3:1"
check "gives the right image" same "$(cat "$WORK/digest")" "$expected"
check "with a warning" grep -q 'building again without looking anything up' "$WORK/log"

names() { jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' "$1/index.json"; }
check "two builds into one directory" bash -c "
  for i in 1 2; do
    '$build/executor' --registry-map docker.io=$REGISTRY --reproducible -c '$WORK/context' -f '$WORK/Dockerfile' --no-push --cache \
      --cache-repo 'oci:$WORK/cache-dir/both' --log-format text 2> '$WORK/log'\$i & done; wait"
check "leave each entry once" same "$(names "$WORK/cache-dir/both" | sort -u | wc -l) $(names "$WORK/cache-dir/both" | grep -vc ^files-)" "$(names "$WORK/cache-dir/both" | wc -l) 7"
all=$(names "$WORK/cache-dir/both" | wc -l)
check "--cache-limit" executor --cache --cache-repo "oci:$WORK/cache-dir/both" --cache-limit 1k --build-arg USED=3 --no-push
check "deletes entries" bash -c "[ $(names "$WORK/cache-dir/both" | wc -l) -lt $all ]"

# kiln build, in docker's words.
kiln_build() {
  timeout 60 "$build/kiln" build --registry-map "docker.io=$REGISTRY" --reproducible -f "$WORK/Dockerfile" --progress plain \
    --output "type=oci,dest=$WORK/image.tar" "$@" "$WORK/context" > "$WORK/digest" 2> "$WORK/log"
}
check "--cache-to" kiln_build --cache-to "type=local,dest=$WORK/kiln-cache"
check "alone takes nothing" same "$(hits)" 0
check "--cache-from" kiln_build --cache-from "type=local,src=$WORK/kiln-cache" --cache-to "type=local,dest=$WORK/kiln-cache,mode=max"
check "takes every step" same "$(hits)" 6
check "--no-cache" kiln_build --no-cache --cache-from "type=local,src=$WORK/kiln-cache"
check "takes none" same "$(hits)" 0
check "two caches are refused" bash -c "! '$build/kiln' build --cache-from a/b --cache-to c/d -f '$WORK/Dockerfile' '$WORK/context' 2> '$WORK/log' && grep -q 'one cache' '$WORK/log'"

# No registry but for manifests of the base: a layout has the base's config, too.
check "a build into a layout" executor --cache --cache-repo "oci:$WORK/cache-dir/found" --no-push
pulled=$(requests '"GET /v2/.*/blobs/sha256')
check "a build that finds everything there" executor --cache --cache-repo "oci:$WORK/cache-dir/found" --no-push
check "pulls no blob either" same "$(($(requests '"GET /v2/.*/blobs/sha256') - pulled))" 0
check "another config under the base's key" bash -c "
  key=\$(jq -r '.manifests[0].annotations[\"org.opencontainers.image.ref.name\"]' '$WORK/cache-dir/found/index.json')
  skopeo copy --quiet oci:$WORK/cache-dir/found:\$key docker://$REGISTRY/cache/lies:\$key --dest-tls-verify=false
  skopeo inspect --raw --tls-verify=false docker://$REGISTRY/cache/lies:\$key | jq '.config.data = (\"{}\" | @base64)' > '$WORK/lie'
  curl -fsS -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @'$WORK/lie' http://$REGISTRY/v2/cache/lies/manifests/\$key"
check "is not used" executor --cache --cache-repo "$REGISTRY/cache/lies" --no-push
check "with a warning" grep -q 'is not used: it has another config' "$WORK/log"

# What the context's files hold is remembered by their inodes, beside the base images.
fresh_context
memory=$WORK/memory/kiln-context-files
remembering() { executor --cache --cache-repo "$REGISTRY/cache/remembered" --cache-dir "$WORK/memory" --no-push "$@"; }
entries_in() { echo $((($(stat -c %s "$1") - 64) / 64)); }
check "a build that remembers" remembering
check "remembers every file that it read" same "$(entries_in "$memory")" 4
check "the next one" strace -f -qq -e trace=openat,openat2 -o "$WORK/opened" "$build/executor" --registry-map "docker.io=$REGISTRY" --log-format text \
  --reproducible -c "$WORK/context" -f "$WORK/Dockerfile" --cache --cache-repo "$REGISTRY/cache/remembered" --cache-dir "$WORK/memory" --no-push
check "opens none of them" bash -c "! grep -qE '\"(dir/two|dir/sub/three|one|scripts/run.sh)\"' '$WORK/opened'"
echo changed > "$WORK/context/dir/two" && touch -d 2001-01-01 "$WORK/context/dir/two"
check "a file that changed" remembering
check "is seen" same "$(hits)" 1
printf 'X' | dd of="$memory" bs=1 seek=100 conv=notrunc status=none
check "a damaged memory" remembering
check "is told" grep -q 'is not used: its checksum is another; it is written anew' "$WORK/log"
check "and costs no hit" same "$(hits)" 6
check "after which it is whole" bash -c "'$build/executor' --registry-map docker.io=$REGISTRY -c '$WORK/context' -f '$WORK/Dockerfile' --cache \
  --cache-repo '$REGISTRY/cache/remembered' --cache-dir '$WORK/memory' --no-push 2>&1 | (! grep 'is not used')"
echo notes > "$memory"
check "a file that is something else" remembering
check "is left alone" same "$(cat "$memory")" notes
rm "$memory"
check "several builders at once" bash -c "
  for i in 1 2 3; do
    '$build/executor' --registry-map docker.io=$REGISTRY --reproducible -c '$WORK/context' -f '$WORK/Dockerfile' --no-push --cache \
      --cache-repo '$REGISTRY/cache/remembered' --cache-dir '$WORK/memory' 2> '$WORK/log'\$i & done; wait"
check "remember once" same "$(entries_in "$memory")" 4

# A file that changes between its key and its layer: nothing wrong is kept, and what came before is.
fresh_context
printf 'FROM busybox\nRUN sleep 2; echo x > /x\nCOPY one /one\nRUN cat /one > /two\n' > "$WORK/Dockerfile"
moving="--cache --cache-repo $REGISTRY/cache/moving --no-push"
executor $moving &
building=$!
sleep 1
echo changed > "$WORK/context/one"
check "a build under which the context changes" wait "$building"
check "warns" grep -q "'one' was changed while the build read it" "$WORK/log"
echo one > "$WORK/context/one"
check "a build with the file as it was" executor $moving --no-push-cache
check "takes what came before" same "$(hits)" 1
digest=$(cat "$WORK/digest")
executor --no-push
check "and is right" same "$digest" "$(cat "$WORK/digest")"
echo changed > "$WORK/context/one"
check "a build with the changed file" executor $moving
check "takes the same" same "$(hits)" 1
check "and keeps the rest" executor $moving
check "for the next" same "$(hits)" 3

# Gone, unreachable, expired, not written.
fresh_context
check "a cache that cannot be reached" executor --cache --cache-repo "127.0.0.1:1/cache/none" -d "$REGISTRY/t/gone:1"
check "is a warning" grep -q 'the layer cache cannot be read' "$WORK/log"
sleep 2.1
check "an expired cache" executor --cache --cache-repo "$REGISTRY/cache/requests" --cache-ttl 1s --no-push
check "is not used" same "$(hits)" 0
check "--no-push-cache" executor --cache --cache-repo "$REGISTRY/cache/unwritten" --no-push-cache --no-push
check "writes nothing" bash -c "! skopeo list-tags --tls-verify=false docker://$REGISTRY/cache/unwritten"
check "--cache-run-layers=false" executor --cache --cache-repo "$REGISTRY/cache/requests" --cache-run-layers=false --no-push
check "runs every RUN" same "$(grep -c 'done.*cached\|cached$' "$WORK/log" || true)" 4

# A source that no step needs is not built, whether or not the cache has it; one that is needed gives all who read it one state.
fresh_context
cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox AS lost
RUN head -c 8 /dev/urandom > /a; cp /a /b
FROM busybox
COPY --from=lost /a /a
COPY one /one
COPY --from=lost /b /b
DOCKERFILE
check "a first build" executor --cache --cache-repo "oci:$WORK/lost/c" -d "$REGISTRY/t/lost:1"
expected=$(cat "$WORK/digest")
# The entry of the RUN is the one whose layer has two files that are the same.
for blob in "$WORK"/lost/c/blobs/sha256/*; do
  if [ "$(tar -tzf "$blob" 2> /dev/null | tr '\n' ' ')" = "a b " ]; then rm "$blob"; fi
done
check "an entry without its layer is pruned" "$build/kiln" cache prune "oci:$WORK/lost/c"
check "its source's entry is gone" same "$(names "$WORK/lost/c" | grep -vc ^files-)" 4
check "the next build" executor --cache --cache-repo "oci:$WORK/lost/c" -d "$REGISTRY/t/lost:2"
check "does not need it" same "$(cat "$WORK/digest")" "$expected"
echo changed > "$WORK/context/one"
check "a build that needs the source again" executor --cache --cache-repo "oci:$WORK/lost/c" -d "$REGISTRY/t/lost:3"
check "takes nothing of it from another run" same "$(hits)" 0
content_of() { for blob in "$WORK/lost/image/blobs/sha256"/*; do tar -xzOf "$blob" "$1" 2> /dev/null | od -An -tx1 && return; done; }
skopeo copy --quiet --src-tls-verify=false "docker://$REGISTRY/t/lost:3" "oci:$WORK/lost/image"
check "both files are of one run" same "$(content_of a)" "$(content_of b)"

# What a failed build has finished is not done again.
fresh_context
echo 'RUN exit 3' >> "$WORK/Dockerfile"
code=0
executor --cache --cache-repo "$REGISTRY/cache/failed" -d "$REGISTRY/t/failed:1" || code=$?
check "a failing build" same "$code" 3
sed -i '$d' "$WORK/Dockerfile"
check "the next build" executor --cache --cache-repo "$REGISTRY/cache/failed" -d "$REGISTRY/t/failed:1"
check "does not repeat its steps" same "$(hits)" 6

# Listing and deleting. The registry of the other tests deletes; one that does not says so.
kiln_cache() { timeout 60 "$build/kiln" cache "$@" > "$WORK/out" 2> "$WORK/log"; }
fresh_context
listed=$REGISTRY/cache/listed
executor --cache --cache-repo "$listed" --no-push || check "a cache to be listed" false
check "kiln cache list" kiln_cache list "$listed" --json
check "lists every step" same "$(jq '[.[] | select(.kind == "layer")] | length' "$WORK/out")" 6
check "and the config of their base" bash -c "jq -e 'any(.kind == \"image\" and (.step | startswith(\"busybox:latest@sha256:\")))' '$WORK/out'"
check "with its text" bash -c "jq -e 'any(.step == \"COPY dir /work/dir\" and .kind == \"layer\" and (.name | length) == 64)' '$WORK/out'"
all=$(jq length "$WORK/out")
check "and what is in them" bash -c "jq -e 'any(.kind == \"files\" and .step == \"(what is in) COPY dir /work/dir\")' '$WORK/out'"
check "as a table, too" bash -c "'$build/kiln' cache list '$listed' | grep -q '^$all entries'"
check "prune of nothing" kiln_cache prune --older-than 1h --json "$listed"
check "deletes nothing" same "$(jq '.deleted | length' "$WORK/out")" 0
check "prune --dry-run" kiln_cache prune --keep-size 300 --dry-run --json "$listed"
some=$(jq '.deleted | length' "$WORK/out")
check "would delete some" bash -c "[ '$some' -gt 0 ] && [ '$some' -lt $all ]"
check "prune by size" kiln_cache prune --keep-size 300 --json "$listed"
check "deletes these" same "$(jq '.deleted | length' "$WORK/out")" "$some"
check "and they are gone" bash -c "'$build/kiln' cache list '$listed' | grep -q '^$((all - some)) entries'"
check "--unused-for, which no registry knows" bash -c "! '$build/kiln' cache prune --unused-for 1h '$listed' 2> '$WORK/log' && grep -q 'does not tell when' '$WORK/log'"
check "a build with what is left" executor --cache --cache-repo "$listed" --no-push
check "prune --all" kiln_cache prune --all "$listed"
check "leaves nothing" bash -c "'$build/kiln' cache list '$listed' | grep -q '^0 entries'"
check "a repository that does not exist is empty" kiln_cache list "$REGISTRY/cache/nowhere"
check "a flag of prune for list" bash -c "! '$build/kiln' cache list --all '$listed' 2> '$WORK/log' && grep -q 'all is for prune' '$WORK/log'"
directory=$WORK/cache-dir/listed
executor --cache --cache-repo "oci:$directory" --no-push || check "a directory to be listed" false
check "a directory is listed" kiln_cache list --json "oci:$directory"
check "with every step" same "$(jq '[.[] | select(.kind != "files")] | length' "$WORK/out")" 7
rm "$directory/blobs/sha256/$(jq -r '.[] | select(.step | startswith("RUN cat /last")) | .digest' "$WORK/out" | cut -d: -f2)"
echo half > "$directory/blobs/sha256/0.kiln-abcdef"
check "prune of a damaged directory" kiln_cache prune --unused-for 24h --json "$directory"
check "deletes what is incomplete, and what needs it" same "$(jq -r '.deleted[].kind' "$WORK/out" | sort | paste -sd ' ')" "files layer"
check "and leftovers" bash -c "! ls '$directory/blobs/sha256' | grep -q kiln"
check "the rest is used" executor --cache --cache-repo "oci:$directory" --no-push
kill "$registry_pid"
wait "$registry_pid" 2> /dev/null || true
sed -i 's/delete: {enabled: true}/delete: {enabled: false}/' "$WORK/registry.yml"
docker-registry serve "$WORK/registry.yml" >> "$WORK/access.log" 2>&1 &
registry_pid=$!
wait_for_port "${REGISTRY##*:}"
check "a registry that deletes nothing" bash -c "! '$build/kiln' cache prune --all '$REGISTRY/cache/requests' 2> '$WORK/log' && grep -q 'it deletes nothing' '$WORK/log'"

echo "cache: $passed passed, $failed failed"
[ "$failed" = 0 ]
