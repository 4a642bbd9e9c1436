#!/usr/bin/env bash
# Why a step missed the layer cache, told by a build and without one; what no build can reach and how long entries are needed; files
# of servers and git repositories known by what the server says of them. Usage: tests/e2e/cache_explain.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-explain.XXXXXX)
registry_pid=
server_pid=
git_pid=
trap 'for pid in $registry_pid $server_pid $git_pid; do kill "$pid" 2> /dev/null || true; done; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
start_busybox_registry

executor() {
  timeout 60 "$build/executor" --registry-map "docker.io=$REGISTRY" --log-format text --reproducible -c "$WORK/context" \
    -f "$WORK/Dockerfile" --no-push --cache --cache-repo "$cache" "$@" > "$WORK/out" 2> "$WORK/log"
}
fresh_context() {
  rm -rf "$WORK/context"
  mkdir -p "$WORK/context/dir/sub"
  echo one > "$WORK/context/one"
  echo two > "$WORK/context/dir/two"
  echo three > "$WORK/context/dir/sub/three"
  ln -s two "$WORK/context/dir/link"
  cat > "$WORK/Dockerfile" <<'DOCKERFILE'
FROM busybox AS build
ARG USED=1
ENV A=b
WORKDIR /work
COPY dir /work/dir
RUN cat dir/two > made && echo "$USED" >> made
FROM busybox
COPY --from=build /work/made /made
COPY --chown=1:1 one /last/
COPY <<E /text
words
E
RUN --mount=type=secret,id=s --mount=type=bind,source=dir,target=/in cat /last/one /made /in/two > /both
DOCKERFILE
}
# said HITS TEXT: that many steps were found, and a line of what was told says TEXT.
said() {
  grep -q "^$1 of 7 steps are in the cache" "$WORK/out" || { cat "$WORK/out" "$WORK/log"; return 1; }
  grep -qF -- "$2" "$WORK/out" || { cat "$WORK/out" "$WORK/log"; return 1; }
}
# explains NAME HITS TEXT EDIT [FLAGS]: the command and the build say it; the build leaves nothing.
explains() {
  local name=$1 hits=$2 text=$3 edit=$4
  shift 4
  fresh_context
  (cd "$WORK/context" && eval "$edit")
  check "$name: is explained" executor --explain-cache text "$@"
  check "$name: $text" said "$hits" "$text"
  check "$name: a build" executor --no-push-cache "$@"
  [ "$hits" = 7 ] || check "$name: tells it, too" grep -qF -- "$text" "$WORK/log"
}
sed_dockerfile() { sed -i "$1" "$WORK/Dockerfile"; }
echo hunter2 > "$WORK/secret"

push_busybox busybox:other
printf 'FROM busybox\nCOPY <<E /other\nE\n' > "$WORK/moved"
mkdir "$WORK/empty"
check "another base image" timeout 60 "$build/executor" --registry-map "docker.io=$REGISTRY" -c "$WORK/empty" -f "$WORK/moved" -d "$REGISTRY/library/busybox:moved"

for cache in "$REGISTRY/cache/explain" "oci:$WORK/explain"; do
  fresh_context
  check "before any build" executor --explain-cache text
  check "no earlier build is known" said 0 "[build 1/3] WORKDIR /work: no earlier build of this stage is known"
  check "a first build" executor --build-arg HTTP_PROXY=http://user:hunter3@127.0.0.1:1
  check "does not tell what it cannot know" bash -c "! grep -q 'not in the cache' '$WORK/log'"
  explains "nothing" 7 "7 of 7" :
  explains "a file's content" 1 "COPY dir /work/dir: dir/two changed" "echo changed > dir/two"
  explains "a file deep inside" 1 "COPY dir /work/dir: dir/sub/three changed" "echo changed > dir/sub/three"
  explains "a mode" 1 "the mode of dir/two changed" "chmod 700 dir/two"
  explains "a directory's mode" 1 "the mode of dir/sub changed" "chmod 700 dir/sub"
  explains "a new file" 1 "dir/new is new" "echo > dir/new"
  explains "a file that is gone" 1 "dir/sub/three is gone" "rm dir/sub/three"
  explains "a link's target" 1 "dir/link changed" "ln -sfn sub dir/link"
  explains "many files" 1 "dir/1 is new, dir/2 is new, dir/3 is new, " "touch dir/{1..9}"
  explains "an argument" 2 "variable USED changed" : --build-arg USED=2
  explains "a variable" 2 "variable A changed" "sed_dockerfile 's/A=b/A=c/'"
  explains "a variable more" 2 "variable B is new" "sed_dockerfile 's/A=b/A=b B=c/'"
  explains "a command" 2 "the command changed" "sed_dockerfile 's/made \\&\\& echo/made ; echo/'"
  explains "a shell" 6 "the command changed" "sed_dockerfile '/^RUN --mount/i SHELL [\"/bin/sh\", \"-ec\"]'"
  explains "a user" 6 "the user changed" "sed_dockerfile '/^RUN --mount/i USER 0'"
  explains "a directory" 0 "the working directory changed" "sed_dockerfile 's|^WORKDIR /work|WORKDIR /works|; s|cat dir/two > made|cat /work/dir/two > /work/made|; s|>> made|>> /work/made|'"
  explains "an owner" 4 "--chown changed" "sed_dockerfile 's/1:1/2:1/'"
  explains "a flag more" 4 "--link is new" "sed_dockerfile 's/--chown=1:1/--chown=1:1 --link/'"
  explains "a heredoc" 5 "heredoc E changed" "sed_dockerfile 's/^words/other/'"
  explains "a secret that is there now" 6 "secret s is there and was absent" : --secret "id=s,src=$WORK/secret"
  explains "another compression" 0 "how layers are written (compression, times, ignored paths) changed" : --compression zstd
  explains "a stage that is read" 2 "stage build, which it stands on, is not from the cache" : --build-arg USED=3
  explains "a bind mount" 1 "/both: dir/two changed" "echo changed > dir/two"
  explains "another base" 0 "the base is " "sed_dockerfile 's/busybox AS/busybox:moved AS/'"
  explains "another tag of the same image" 7 "7 of 7" "sed_dockerfile 's/busybox AS/busybox:other AS/'"
done

# As JSON; by kiln's own flags.
cache=$REGISTRY/cache/explain
fresh_context
echo changed > "$WORK/context/one"
check "JSON" executor --explain-cache json
check "names the file" bash -c "jq -e '.steps == 7 and .cached == 4 and (.missed[0] | .reason == \"changed\" and .index == 2 and
  .differences == [{kind: \"file\", name: \"one\", change: \"changed\", before: .differences[0].before, after: .differences[0].after}]
  and (.nearest | length) == 64)' '$WORK/out'"
check "and what follows" bash -c "jq -e '[.missed[].reason] == [\"changed\", \"earlier-step\", \"earlier-step\"]' '$WORK/out'"
explain() {
  timeout 60 "$build/kiln" cache explain --registry-map "docker.io=$REGISTRY" --reproducible -f "$WORK/Dockerfile" "$@" "$WORK/context" \
    > "$WORK/out" 2> "$WORK/log"
}
check "kiln cache explain" explain --cache-from "$cache"
check "tells the same" said 4 "one changed"
check "with --cache-repo, as JSON" explain --cache-repo "$cache" --json
check "too" bash -c "jq -e '.missed[0].differences[0].name == \"one\"' '$WORK/out'"
check "without a place" bash -c "! '$build/kiln' cache explain '$WORK/context' -f '$WORK/Dockerfile' 2> '$WORK/log' && grep -q 'where the cache is' '$WORK/log'"
check "--explain-cache without --cache" bash -c "! '$build/executor' -c '$WORK/context' -f '$WORK/Dockerfile' --no-push --explain-cache text 2> '$WORK/log' && grep -q 'not given' '$WORK/log'"

# What is kept for it: names, no values; what a build that hits asks for does not grow by it.
records=$(skopeo list-tags --tls-verify=false "docker://$cache" | jq -r '.Tags[] | select(startswith("inputs-"))')
check "a record for each stage" same "$(echo "$records" | wc -l)" 2
for record in $records; do
  skopeo inspect --raw --tls-verify=false "docker://$cache:$record" | jq -r '.annotations["kiln.cache.document"]' | base64 -d | zstd -dc >> "$WORK/records"
done
check "tells of files" grep -q dir/sub/three "$WORK/records"
check "and of no value" bash -c "! grep -q 'hunter\|PROXY' '$WORK/records'"
fresh_context
before=$(grep -c 'inputs-' "$WORK/access.log")
check "a build that finds everything" executor
check "asks for no record" same "$(grep -c 'inputs-' "$WORK/access.log")" "$before"
requests=$(grep -c '"\(PUT\|POST\|PATCH\) ' "$WORK/access.log")
check "looking" executor --explain-cache text --build-arg USED=9
check "writes nothing" same "$(grep -c '"\(PUT\|POST\|PATCH\) ' "$WORK/access.log")" "$requests"

# Entries that are gone, and those that cannot be reached without them.
kiln_cache() { timeout 60 "$build/kiln" cache "$@" > "$WORK/out" 2> "$WORK/log"; }
digest_of() { jq -r ".[] | select(.step | startswith(\"$1\")) | .digest" "$WORK/out"; }
for cache in "$REGISTRY/cache/reach" "oci:$WORK/reach"; do
  fresh_context
  check "entries" executor
  check "are listed" kiln_cache list --json "$cache"
  check "none has a problem" bash -c "jq -e '(map(select(.kind != \"files\")) | length == 8) and all(has(\"problem\") | not)' '$WORK/out'"
  digest=$(digest_of "COPY --chown")
  if [[ $cache = oci:* ]]; then
    rm "$WORK/reach/blobs/sha256/${digest#sha256:}"
  else
    curl -sf -X DELETE "http://$REGISTRY/v2/cache/reach/manifests/$digest" > "$WORK/curl"
  fi
  check "the listing after one has gone" kiln_cache list --json "$cache"
  check "tells of the two after it" bash -c "jq -e '[.[] | select(.kind != \"files\" and has(\"problem\") and (.problem | test(\"no build can reach it\"))) | .step[0:8]] | sort == [\"COPY <<E\", \"RUN --mo\"]' '$WORK/out'"
  check "an entry that is gone is explained" executor --explain-cache text
  check "as such" said 4 "nothing changed, but its entry is not there"
  check "prune --unreachable --dry-run" kiln_cache prune --unreachable --dry-run "$cache"
  check "prune --unreachable" kiln_cache prune --unreachable --json "$cache"
  check "deletes what stood on it" bash -c "jq -e '[.deleted[] | select(.kind != \"files\") | .step // \"\" | select(startswith(\"RUN --mount\"))] | length == 1' '$WORK/out'"
  check "and leaves the rest" bash -c "'$build/kiln' cache list --json '$cache' | jq -e 'map(select(.kind != \"files\")) | length == 5'"
done
check "--unreachable with a limit" bash -c "! '$build/kiln' cache prune --unreachable --all '$cache' 2> '$WORK/log' && grep -q 'without a limit' '$WORK/log'"

# An old entry stays as long as a younger one needs it.
cache=$REGISTRY/cache/needed
fresh_context
check "a build" executor
sleep 3
middle=$(date +%s)
sleep 3
echo changed > "$WORK/context/one"
check "a later one" executor
check "prune by age" kiln_cache prune --older-than "$(($(date +%s) - middle))s" --json "$cache"
check "deletes what nothing needs" bash -c "jq -e '[.deleted[].step | select(startswith(\"RUN --mount\"))] | length == 1' '$WORK/out'"
check "leaves what the later one stands on" executor --explain-cache text
check "all of it" said 7 "7 of 7"
check "prune --all" kiln_cache prune --all "$cache"
check "leaves no record either" same "$(curl -sf "http://$REGISTRY/v2/cache/needed/tags/list" | jq '.tags | length')" 0

# ADD of a URL: by the server's ETag neither downloaded nor missed; without one by its bytes.
mkdir "$WORK/www"
echo 1 > "$WORK/www/tagged"
echo 1 > "$WORK/www/plain"
server_port=$(free_port)
cat > "$WORK/server.py" <<'PYTHON'
import hashlib, http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        path = self.path.lstrip("/")
        data = open(path, "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        if path == "tagged":
            self.send_header("ETag", '"%s"' % hashlib.sha256(data).hexdigest())
        if path == "moving":
            self.send_header("ETag", '"%s"' % os.urandom(4).hex())
        self.end_headers()
        if body:
            self.wfile.write(data)
    def do_GET(self): self.answer(True)
    def do_HEAD(self): self.answer(False)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PYTHON
(cd "$WORK/www" && exec python3 "$WORK/server.py" "$server_port" 2> "$WORK/server.log") &
server_pid=$!
wait_for_port "$server_port"
add_of() { printf 'FROM busybox\nADD http://127.0.0.1:%s/%s /file\nRUN cat /file > /seen\n' "$server_port" "$1" > "$WORK/Dockerfile"; }
gets() { grep -c "GET /$1" "$WORK/server.log" || true; }
hits() { grep -c 'done.*cached\|cached$' "$WORK/log" || true; }
cache=$REGISTRY/cache/add
for name in tagged plain; do
  add_of "$name"
  check "ADD of a file ($name)" executor
  got=$(gets "$name")
  check "again ($name)" executor
  check "hits ($name)" same "$(hits)" 2
  [ "$name" = plain ] || check "and is not downloaded" same "$(gets tagged)" "$got"
  echo 2 > "$WORK/www/$name"
  check "ADD of another file ($name)" executor --explain-cache text
  check "is explained ($name)" grep -q "url http://127.0.0.1:$server_port/$name changed" "$WORK/out"
  check "ADD of it ($name)" executor --tar-path "$WORK/add.tar"
  check "misses ($name)" same "$(hits)" 0
  check "has the new content ($name)" bash -c "for l in \$(tar -xOf '$WORK/add.tar' manifest.json | jq -r '.[0].Layers[-1]'); do tar -xOf '$WORK/add.tar' \$l | tar -xzOf - seen; done | grep -qx 2"
done
echo 1 > "$WORK/www/moving"
add_of moving
check "a file that is another one each time" executor
check "is a warning" grep -q "is another file now" "$WORK/log"
check "and leaves nothing of it in the cache" executor
check "to be found" same "$(hits)" 0

# ADD of a git repository: by the commit that the reference names, which the server is asked for; nothing is fetched for that.
git() { command git -C "$WORK/git/origin" -c user.name=t -c user.email=t@example.com -c init.defaultBranch=main "$@"; }
commit() { echo "$1" > "$WORK/git/origin/file" && git add -A && git commit -q -m "$1"; }
mkdir -p "$WORK/git/origin"
git init -q .
commit 1
git tag -a -m annotated v1
first=$(git rev-parse HEAD)
git_port=$(free_port)
command git daemon --reuseaddr --listen=127.0.0.1 --port="$git_port" --base-path="$WORK/git" --export-all "$WORK/git" 2> "$WORK/daemon.log" &
git_pid=$!
wait_for_port "$git_port"
repository=git://127.0.0.1:$git_port/origin
git_of() { printf 'FROM busybox\nADD %s /r\nRUN cat /r/file > /seen\n' "$*" > "$WORK/Dockerfile"; }
file_seen() { # of the last build, whose archive is add.tar
  for layer in $(tar -xOf "$WORK/add.tar" manifest.json | jq -r '.[0].Layers[-1]'); do tar -xOf "$WORK/add.tar" "$layer" | tar -xzOf - seen; done
}
adds=("$repository" "$repository#main" "$repository#v1" "$repository#$first" "--keep-git-dir=true $repository#v1" "--checksum=${first:0:12} $repository#main"
  "--checksum=$first $repository#v1")
for add in "${adds[@]}"; do
  git_of "$add"
  check "ADD $add" executor
  check "ADD $add: again" executor
  check "ADD $add: hits" same "$(hits)" 2
done
git checkout -q -b side && commit side
git checkout -q main && git branch feature/main side
git_of "$repository#main"
check "a commit on other branches" executor
check "misses nothing" same "$(hits)" 2
commit 2
second=$(git rev-parse HEAD)
git_of "$repository#main"
check "another commit on the branch" executor --explain-cache text
check "is explained" grep -qF "the commit of $repository#main is ${second:0:12} and was ${first:0:12}" "$WORK/out"
check "ADD of it" executor --tar-path "$WORK/add.tar"
check "misses" same "$(hits)" 0
check "has the new content" same "$(file_seen)" 2
git_of "$repository#v1"
check "the tag, which has not moved" executor --tar-path "$WORK/add.tar"
check "hits" same "$(hits)" 2
check "with the old content" same "$(file_seen)" 1
git_of "--checksum=${first:0:12} $repository#main"
if executor; then check "a checksum of another commit: fails" false; fi
check "a checksum of another commit fails as without a cache" grep -qF "expected checksum to match ${first:0:12}, got $second" "$WORK/log"
pkill -P "$git_pid" || true
kill "$git_pid" 2> /dev/null || true
wait "$git_pid" 2> /dev/null || true
git_pid=
git_of "$repository#$first"
check "a full commit when the server is gone" executor
check "hits" same "$(hits)" 2
git_of "$repository#main"
if executor; then check "a branch when the server is gone: fails" false; fi
check "a branch when the server is gone: the step says why" grep -q "git fetch: .*unable to connect" "$WORK/log"

echo "cache explain: $passed passed, $failed failed"
[ "$failed" = 0 ]
