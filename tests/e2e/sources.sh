#!/usr/bin/env bash
# End-to-end: ADD from a server and from git repositories, checked by unpacking the image. No registry, no base image, no network
# but the loopback. Usage: tests/e2e/sources.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-sources.XXXXXX)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
mkdir -p "$WORK/www/sub" "$WORK/context" "$WORK/origin/dir/deep"

# A server: files, a redirect, a 404.
printf 'hello\n' > "$WORK/www/file.txt"
touch -d '2021-02-03 04:05:06 UTC' "$WORK/www/file.txt"
cp "$WORK/www/file.txt" "$WORK/www/sub/a b.txt"
tar -C "$WORK/www" -czf "$WORK/www/archive.tar.gz" file.txt sub
port=$(free_port)
WWW="http://127.0.0.1:$port"
cat > "$WORK/server.py" <<'PYTHON'
import http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file.txt")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PYTHON
(cd "$WORK/www" && exec python3 "$WORK/server.py" "$port" 2> "$WORK/server.log") &
pids+=($!)

# A repository: two commits, a tag on the first, a branch.
git() { command git -c user.name=t -c user.email=t@example.com -c init.defaultBranch=main "$@"; }
cd "$WORK/origin"
git init -q .
echo one > dir/file && echo deep > dir/deep/file && printf '#!/bin/sh\n' > run.sh && chmod 700 run.sh && ln -s dir/file link
git add -A && GIT_COMMITTER_DATE='2022-01-01T00:00:00Z' git commit -q -m first && git tag v1
first=$(git rev-parse HEAD)
echo two > dir/file && git commit -q -a -m second && git branch other
second=$(git rev-parse HEAD)
git_port=$(free_port)
command git daemon --reuseaddr --listen=127.0.0.1 --port="$git_port" --base-path="$WORK" --export-all "$WORK" 2> "$WORK/daemon.log" &
pids+=($!)
wait_for_port "$port"
wait_for_port "$git_port"
GIT="git://127.0.0.1:$git_port/origin"

named=()
# build_of LINES...: FROM scratch and these; the image's files are in $WORK/root.
build_of() {
  rm -rf "$WORK/layout" "$WORK/bundle"
  { echo "FROM scratch"; printf '%s\n' "$@"; } > "$WORK/Dockerfile"
  timeout 60 "$build/executor" "${named[@]}" --context "$WORK/context" --dockerfile "$WORK/Dockerfile" --no-push --oci-layout-path "$WORK/layout" \
    > "$WORK/build.log" 2>&1 || return 1
  rm -rf "$WORK/root" && mkdir "$WORK/root"
  python3 - "$WORK/layout" "$WORK/root" <<'PYTHON'
import json, sys, tarfile
layout, root = sys.argv[1:]
def blob(digest): return layout + "/blobs/" + digest.replace(":", "/")
manifest = json.load(open(blob(json.load(open(layout + "/index.json"))["manifests"][0]["digest"])))
for layer in manifest["layers"]:
    with tarfile.open(blob(layer["digest"])) as tar:
        tar.extractall(root, numeric_owner=True)
PYTHON
}
builds() { build_of "$@" || { cat "$WORK/build.log"; return 1; }; }
# fails WORDS LINES...: the build fails, saying so.
fails() {
  local words=$1
  shift
  ! build_of "$@" && { grep -qF -- "$words" "$WORK/build.log" || { cat "$WORK/build.log"; return 1; }; }
}
is() { same "$(stat -c "$2" "$WORK/root/$1")" "$3"; }
holds() { same "$(cat "$WORK/root/$1")" "$2"; }

sum=$(sha256sum "$WORK/www/file.txt" | cut -d' ' -f1)
check "ADD of a URL" builds "ADD $WWW/file.txt /f" "ADD $WWW/file.txt /d/" "ADD [\"$WWW/sub/a%20b.txt\", \"/d/\"]" "ADD $WWW/moved /d/"
check "the bytes" holds f hello
check "mode and owner" is f "%a %u:%g" "600 0:0"
check "Last-Modified" is f %Y "$(date -d '2021-02-03 04:05:06 UTC' +%s)"
check "names come from the URL's path" test -f "$WORK/root/d/file.txt" -a -f "$WORK/root/d/a b.txt"
check "a redirect is followed, the name stays" holds d/moved hello
check "a checksum that fits" builds "ADD --checksum=sha256:$sum --chmod=755 --chown=3:4 $WWW/file.txt /f"
check "--chmod and --chown" is f "%a %u:%g" "755 3:4"
check "a checksum that does not" fails "digest mismatch" "ADD --checksum=sha256:${sum//[0-4]/f} $WWW/file.txt /f"
check "a checksum that is none" fails "--checksum=md5:1" "ADD --checksum=md5:1 $WWW/file.txt /f"
check "a checksum for a local file" fails "checksum requires HTTP(S) or Git sources" "ADD --checksum=sha256:$sum x /f"
check "404 fails with status and URL" fails "$WWW/nothing: invalid response status 404" "ADD $WWW/nothing /f"
check "COPY refuses a URL" fails "source can't be a URL for COPY" "COPY $WWW/file.txt /f"
check "an archive from a server stays one" builds "ADD $WWW/archive.tar.gz /a/"
check "as a file" test -f "$WORK/root/a/archive.tar.gz"
check "unless it is to be unpacked" builds "ADD --unpack=true $WWW/archive.tar.gz /a/"
check "then it is" holds a/file.txt hello

check "ADD of a repository" builds "ADD $GIT /r"
check "its newest commit" holds r/dir/file two
check "modes" is r/run.sh "%a %u:%g" "755 0:0"
check "modes of plain files" is r/dir/file %a 644
check "links" same "$(readlink "$WORK/root/r/link")" dir/file
check "no .git" test ! -e "$WORK/root/r/.git"
check "--keep-git-dir" builds "ADD --keep-git-dir=true $GIT /r"
check "keeps it" same "$(command git -C "$WORK/root/r" -c safe.directory='*' rev-parse HEAD)" "$second"
check "a tag" builds "ADD $GIT#v1 /r"
check "is that commit" holds r/dir/file one
check "a commit, a directory" builds "ADD $GIT#$first:dir /r"
check "is that directory" holds r/deep/file deep
check "of that commit" holds r/file one
check "the query form" builds "ADD $GIT?branch=other&subdir=dir&mtime=commit /r"
check "is read" holds r/file two
check "a commit's checksum" builds "ADD --checksum=${second:0:12} $GIT#other /r"
check "that does not fit" fails "expected checksum to match ${first:0:12}" "ADD --checksum=${first:0:12} $GIT#other /r"
check "an unknown ref fails with git's words" fails "couldn't find remote ref nowhere" "ADD $GIT#nowhere /r"
check "an unknown key" fails 'unexpected query "bogus"' "ADD $GIT?bogus=1 /r"
check "an unknown directory" fails "there is no directory 'none'" "ADD $GIT#v1:none /r"
check "without git it says so" bash -c "! PATH=/nowhere '$build/executor' --context '$WORK/context' --dockerfile <(printf 'FROM scratch\nADD $GIT /r\n') --no-push > '$WORK/nogit.log' 2>&1 && grep -q 'needs the git program' '$WORK/nogit.log'"

# Named contexts.
mkdir -p "$WORK/other/sub" && echo kept > "$WORK/other/sub/kept" && echo dropped > "$WORK/other/dropped" && chown 7:7 "$WORK/other/sub/kept"
echo dropped > "$WORK/other/.dockerignore"
named=(--build-context "other=$WORK/other" --build-context "repository=$GIT#v1" --build-context "archive=$WWW/archive.tar.gz" --build-context "file=$WWW/file.txt" --build-context "bad=$WORK/other")
check "a directory by name" builds "COPY --from=other / /o/"
check "its files are root's" is o/sub/kept %u 0
check "its own .dockerignore holds" test ! -e "$WORK/root/o/dropped"
check "the name of an image is enough" builds "COPY --from=docker.io/library/other:latest sub/kept /k"
check "for its file" holds k kept
check "a repository, an archive, a file by name" builds "COPY --from=repository dir/file /r" "COPY --from=archive archive.tar.gz /a/" "COPY --from=file file.txt /f"
check "the repository's tag" holds r one
check "the archive is a file (BuildKit)" test -s "$WORK/root/a/archive.tar.gz"
check "the server's file" holds f hello
check "instead of a stage" builds "COPY x /never" "FROM scratch AS other" "COPY y /never" "FROM scratch" "COPY --from=other sub/kept /k"
check "whose body is not run" holds k kept
check "what is not in it" fails '"/dropped": not found' "COPY --from=other dropped /d"

# -- SOURCE_DATE_EPOCH of a stage or a named context ----------------------------------------------------------------------
# created EPOCH LINES...: the config's time of a build with SOURCE_DATE_EPOCH=EPOCH, whose stage "src" is these.
created() {
  { echo "ARG SOURCE_DATE_EPOCH=$1"; echo "FROM scratch AS src"; printf '%s\n' "${@:2}"; printf 'FROM scratch\nCOPY --from=src / /\n'; } > "$WORK/Dockerfile"
  timeout 60 "$build/executor" "${named[@]}" --context "$WORK/context" --dockerfile "$WORK/Dockerfile" --no-push --tar-path "$WORK/epoch.tar" > "$WORK/build.log" 2>&1 &&
    tar -xOf "$WORK/epoch.tar" --wildcards 'sha256:*' | python3 -c 'import json,sys; print(json.load(sys.stdin)["created"])'
}
is_created() { local time; time=$(created "${@:2}") && same "$time" "$1" || { cat "$WORK/build.log"; return 1; }; }
check "the time of a file: Last-Modified" is_created 2021-02-03T04:05:06Z SRC "ADD --checksum=sha256:$sum $WWW/file.txt /"
check "the time of a commit" is_created 2022-01-01T00:00:00Z src "ARG REF=v1" "ADD $GIT#\$REF /"
no_epoch() { ! created "${@:2}" && { grep -qF -- "$1" "$WORK/build.log" || { cat "$WORK/build.log"; return 1; }; }; }
check "a checksum that does not fit" no_epoch "digest mismatch" src "ADD --checksum=sha256:${sum//[0-4]/f} $WWW/file.txt /"
check "a stage that is more than a source" no_epoch "unsupported COPY instruction" src "ADD $WWW/file.txt /" "COPY x /"
named=(--build-context "when=$GIT#v1")
check "the time of a named context" is_created 2022-01-01T00:00:00Z when "ADD $WWW/file.txt /"
named=()

echo "sources: $passed passed, $failed failed"
[ "$failed" = 0 ]
