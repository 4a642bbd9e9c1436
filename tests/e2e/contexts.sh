#!/usr/bin/env bash
# Contexts that are no directory: archives from files, standard input and servers, git repositories; Dockerfiles from URLs. Each
# must give the image that the same directory gives. Usage: tests/e2e/contexts.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-contexts.XXXXXX)
servers=()
trap 'kill "${servers[@]}" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1 HOME="$WORK" GIT_CONFIG_NOSYSTEM=1 SOURCE_DATE_EPOCH=1800000000
unset HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_DIR GIT_TOKEN GIT_USERNAME GIT_PASSWORD
cd "$WORK"
mkdir -p empty files project/app/sub
printf 'FROM scratch\nCOPY . /app\n' > project/app/Dockerfile
printf 'secret\n' > project/app/.dockerignore
echo one > project/app/one
ln project/app/one project/app/two
ln -s sub/three project/app/link
printf '#!/bin/sh\n' > project/app/sub/three
echo hidden > project/app/secret
chmod 750 project/app/sub/three
mkdir -m 700 project/app/private
find project -exec touch -h -d '2024-01-02 03:04:05 UTC' {} +

# image NAME FLAGS...: the layers' diff ids of what is built, in NAME.
image() { (cd empty && timeout 60 "$build/executor" --no-push --tar-path "$WORK/$1.tar" --log-format text "${@:2}" 2> "$WORK/log") &&
  tar -xOf "$1.tar" manifest.json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Config"])' | xargs tar -xOf "$1.tar" |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["rootfs"]["diff_ids"])' > "$1"; }
like_directory() { image "$@" && cmp -s "$1" directory; }
refused() {
  local code=0
  image refused "${@:2}" || code=$?
  [ "$code" = 1 ] && grep -qF -- "$1" log || { cat log; return 1; }
}
check "a directory" image directory -c "$WORK/project/app"
check "dir:// with --context-sub-path" like_directory dir -c "dir://$WORK/project" --context-sub-path app

# -- archives ----------------------------------------------------------------------------------------------------------
for kind in gzip xz zstd bzip2; do tar -C project/app --"$kind" -cf "files/app.tar.$kind" .; done
tar -C project/app -cf files/app.tar .
tar -czf files/project.tar.gz project
for file in app.tar app.tar.gzip app.tar.xz app.tar.zstd app.tar.bzip2; do
  check "tar://, $file" like_directory "$file" -c "tar://$WORK/files/$file"
done
check "--context-sub-path" like_directory sub -c "tar://$WORK/files/project.tar.gz" --context-sub-path project/app
check "... that is not there" refused "no directory 'nothing'" -c "tar://$WORK/files/project.tar.gz" --context-sub-path nothing
check "... and leads out" refused "no directory '../..'" -c "tar://$WORK/files/project.tar.gz" --context-sub-path ../..
stdin() { like_directory stdin -c tar://stdin < files/app.tar.gzip; }
check "tar://stdin" stdin
check "what is no archive" refused "it is no tar archive" -c "tar://$WORK/project/app/Dockerfile"
head -c 200 files/app.tar.gzip > files/broken
check "a broken archive" refused "unpacking context" -c "tar://$WORK/files/broken"
python3 -c "import tarfile, io
with tarfile.open('files/evil.tar', 'w') as tar:
    link = tarfile.TarInfo('out'); link.type = tarfile.SYMTYPE; link.linkname = '$WORK/empty'; tar.addfile(link)
    tar.addfile(tarfile.TarInfo('out/x'))
    tar.addfile(tarfile.TarInfo('Dockerfile'))"
image evil -c "tar://$WORK/files/evil.tar" || true
check "a link in an archive leads nowhere" [ ! -e empty/x ]

# -- servers -----------------------------------------------------------------------------------------------------------
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 2> /dev/null
serve() { # serve NAME OPTIONS...: sets SERVER.
  SERVER="127.0.0.1:$(free_port)"
  python3 "$here/git_server.py" --listen "$SERVER" --root "$WORK/files" "${@:2}" > "$1.requests" 2> "$1.errors" &
  servers+=($!)
  wait_for_port "${SERVER##*:}"
}
serve files --certificate "$WORK/cert.pem" --key "$WORK/key.pem"
export SSL_CERT_FILE="$WORK/cert.pem"
check "https://" like_directory https -c "https://$SERVER/app.tar.gzip"
check "... that is not there" refused "response status 404" -c "https://$SERVER/nothing.tar.gz"
cp project/app/Dockerfile files/Dockerfile
check "a Dockerfile from a URL" like_directory url -c "$WORK/project/app" -f "https://$SERVER/Dockerfile"

# -- git ---------------------------------------------------------------------------------------------------------------
git() { command git -c user.name=t -c user.email=t@t -c init.defaultBranch=main "$@"; }
git init -q repo
for text in first second; do
  printf 'FROM scratch\nCOPY text /\n' > repo/Dockerfile
  echo "$text" > repo/text
  git -C repo add .
  GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' git -C repo commit -qm "$text"
  git -C repo tag "$text"
done
git -C repo branch old first
git clone -q --bare repo files/repo.git
first=$(git -C repo rev-parse first)
serve git
plain=$SERVER
serve login --login tok:
export GIT_PULL_METHOD=http
text_of() { image "$@" && tar -xOf "$1.tar" manifest.json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Layers"][0])' | xargs tar -xOf "$1.tar" | tar -xzO text; }
gives() { local text; text=$(text_of git "${@:2}") && same "$text" "$1"; }
check "git://" gives second -c "git://$plain/repo.git"
check "... a tag" gives first -c "git://$plain/repo.git#refs/tags/first"
check "... a branch" gives first -c "git://$plain/repo.git#old"
check "... a commit" gives first -c "git://$plain/repo.git#$first"
check "... a commit of a branch" gives first -c "git://$plain/repo.git#main#$first"
check "... --git branch" gives first -c "git://$plain/repo.git" --git branch=old --git depth=0
check "... a branch that is not there" refused "couldn't find remote ref nothing" -c "git://$plain/repo.git#nothing"
check "... an option that is not there" refused "--git=branhc=old" -c "git://$plain/repo.git" --git branhc=old
check "... no login" refused "context http://$SERVER/repo.git" -c "git://$SERVER/repo.git"
GIT_TOKEN=tok check "GIT_TOKEN" gives second -c "git://$SERVER/repo.git"
check "GIT_USERNAME" env GIT_USERNAME=tok GIT_PASSWORD= timeout 60 "$build/executor" --no-push -c "git://$SERVER/repo.git"
printf 'x-access-token:tok' > header && printf 'Basic %s\n' "$(base64 -w0 header)" > header.secret
serve secret --login x-access-token:tok
secret=$SERVER
check "secret GIT_AUTH_TOKEN" env TOK=tok timeout 60 "$build/executor" --no-push -c "git://$secret/repo.git" --secret id=GIT_AUTH_TOKEN,env=TOK
check "... of a host" env TOK=tok timeout 60 "$build/executor" --no-push -c "git://$secret/repo.git" --secret "id=GIT_AUTH_TOKEN.$secret,env=TOK"
check "... not of another" refused "context http://$secret/repo.git" -c "git://$secret/repo.git" --secret id=GIT_AUTH_TOKEN.example.com,src="$WORK/header"
check "secret GIT_AUTH_HEADER" env GIT_TOKEN=wrong timeout 60 "$build/executor" --no-push -c "git://$secret/repo.git" --secret id=GIT_AUTH_HEADER,src=header.secret
printf 'FROM scratch\nADD http://%s/repo.git /r\nCOPY --from=named text /n\n' "$secret" > private
check "ADD of a private repository, and a context" env TOK=tok timeout 60 "$build/executor" --no-push -c files -f "$WORK/private" \
  --build-context "named=http://$secret/repo.git" --secret id=GIT_AUTH_TOKEN,env=TOK
printf 'FROM scratch\nADD http://%s/app.tar.gzip /r\n' "$secret" > private
check "ADD of a private file" timeout 60 "$build/executor" --no-push -c files -f "$WORK/private" --secret "id=HTTP_AUTH_HEADER_$secret,src=header.secret"
check "... no login" refused "invalid response status 401" -c "$WORK/files" -f "$WORK/private"

# -- SOURCE_DATE_EPOCH=context -----------------------------------------------------------------------------------------
# created FLAGS...: the config's time.
created() { SOURCE_DATE_EPOCH=context image epoch "$@" && tar -xOf epoch.tar manifest.json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Config"])' |
  xargs tar -xOf epoch.tar | python3 -c 'import json,sys; print(json.load(sys.stdin)["created"])'; }
is_created() { local time; time=$(created "${@:2}") && same "$time" "$1"; }
check "the time of a commit" is_created 2024-01-01T00:00:00Z -c "git://$plain/repo.git#old"
check "the time of an archive: that of its newest file" is_created 2024-01-02T03:04:05Z -c "tar://$WORK/files/app.tar.xz"
check "a stage sees it" bash -c "printf 'ARG SOURCE_DATE_EPOCH=context\nFROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL epoch=\$SOURCE_DATE_EPOCH\n' > epoch.Dockerfile &&
  env -u SOURCE_DATE_EPOCH timeout 60 '$build/executor' --no-push --tar-path epoch.tar -c 'tar://$WORK/files/app.tar' -f '$WORK/epoch.Dockerfile' &&
  tar -xOf epoch.tar --wildcards 'sha256:*' | grep -qF '\"epoch\":\"1704164645\"'"
no_time() { created -c "$WORK/project/app" > now && grep -qF "SOURCE_DATE_EPOCH=context: it has no time" log && [ "$(cut -c1-4 now)" -ge 2025 ]; }
check "a directory has none" no_time

# -- buckets -----------------------------------------------------------------------------------------------------------
openssl req -x509 -newkey rsa:2048 -nodes -keyout buckets.key -out buckets.pem -days 2 -subj /CN=test \
  -addext "subjectAltName=DNS:bucket.s3.eu-west-1.amazonaws.com,DNS:storage.googleapis.com,DNS:account.blob.core.windows.net" 2> /dev/null
mkdir -p "buckets/bucket/a b"
cp files/app.tar.gzip "buckets/bucket/a b/app+1.tar.gz"
cp files/app.tar.gzip buckets/bucket/context.tar.gz
BUCKETS="127.0.0.1:$(free_port)"
python3 "$here/buckets.py" --listen "$BUCKETS" --root "$WORK/buckets" --certificate buckets.pem --key buckets.key > buckets.requests 2> buckets.errors &
servers+=($!)
wait_for_port "${BUCKETS##*:}"
export HTTP_PROXY="http://$BUCKETS" HTTPS_PROXY="http://$BUCKETS" SSL_CERT_FILE="$WORK/buckets.pem" AWS_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
aws() { AWS_ACCESS_KEY_ID=AKIDTEST AWS_SECRET_ACCESS_KEY=secret-test "$@"; }
check "s3://" aws like_directory s3 -c "s3://bucket/a b/app+1.tar.gz"
check "... without a key" aws like_directory s3 -c s3://bucket
check "... that is not there" aws refused "s3://bucket/nothing (at bucket.s3.eu-west-1.amazonaws.com): invalid response status 404" -c s3://bucket/nothing
check "... without a login" refused "context s3://bucket: no AWS credentials" -c s3://bucket
check "... with a wrong one" env AWS_SECRET_ACCESS_KEY=guess AWS_ACCESS_KEY_ID=AKIDTEST bash -c "! timeout 60 '$build/executor' --no-push -c s3://bucket 2> log && grep -q 'status 403' log"
S3_ENDPOINT=http://minio.test S3_FORCE_PATH_STYLE=true check "S3_ENDPOINT, the bucket in the path" aws like_directory s3 -c "s3://bucket/a b/app+1.tar.gz"
S3_ENDPOINT=http://minio.test check "S3_ENDPOINT, the bucket in the name" aws like_directory s3 -c s3://bucket/context.tar.gz
google() { GCE_METADATA_HOST="$BUCKETS" "$@"; }
check "gs://" google like_directory gs -c "gs://bucket/a b/app+1.tar.gz"
check "--bucket" google like_directory gs --bucket bucket/context.tar.gz
check "... and --context" refused "--bucket=x: --context=y" --bucket x --context y
check "gs:// without a login" refused "context gs://bucket: " -c gs://bucket
blob=https://account.blob.core.windows.net/bucket/a%20b/app+1.tar.gz
AZURE_STORAGE_ACCESS_KEY=$(printf azure-key | base64) check "Azure's blob storage" like_directory azure -c "$blob"
AZURE_STORAGE_ACCESS_KEY=$(printf guess | base64) check "... with a wrong key" refused "status 403" -c "$blob"
unset HTTP_PROXY HTTPS_PROXY
check "a scheme that nobody knows" refused "ftp:// is not supported" -c ftp://host/archive

# -- kiln build --------------------------------------------------------------------------------------------------------
kiln_stdin() { timeout 60 "$build/kiln" build --output type=docker,dest=kiln.tar - < files/app.tar.gzip; }
check "kiln build -" kiln_stdin
check "kiln build REPOSITORY#REF:DIRECTORY" bash -c "timeout 60 '$build/kiln' build -o type=docker,dest=kiln.tar 'http://$plain/repo.git#main:nothing' 2>&1 | grep -qF \"no directory 'nothing'\""

echo "contexts: $passed passed, $failed failed"
[ "$failed" = 0 ]
