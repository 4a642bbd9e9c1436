#!/usr/bin/env bash
# Who is trusted, and with what: TLS and its certificates, logins by Basic, Bearer and helper programs, redirects to other
# hosts, proxies. Usage: tests/e2e/logins.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-logins.XXXXXX)
registries=()
faulty_pids=()
trap 'kill "${registries[@]}" "${faulty_pids[@]}" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
unset HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy DOCKER_AUTH_CONFIG SSL_CERT_FILE SSL_CERT_DIR
export DOCKER_CONFIG="$WORK/nobody"

mkdir -p "$WORK/context" "$WORK/bin"
echo hello > "$WORK/context/hello"
printf 'FROM scratch\nCOPY hello /\n' > "$WORK/context/Dockerfile"
executor() { timeout 60 "$build/executor" -c "$WORK/context" --reproducible --log-format text -v debug "$@"; }
# push NAME DESTINATION FLAGS...: builds; the output is in $WORK/NAME.log.
push() {
  local code=0
  executor -d "$2" "${@:3}" > "$WORK/$1.log" 2>&1 || code=$?
  [ "$code" = 0 ] || tail -n 5 "$WORK/$1.log"
  return "$code"
}
# refused TEXT NAME DESTINATION FLAGS...: it fails by itself and in time, and its error has the text.
refused() {
  local code=0
  push "${@:2}" || code=$?
  [ "$code" != 0 ] && [ "$code" -lt 124 ] && grep -A 3 "FATA" "$WORK/$2.log" | grep -qF -- "$1"
}
# login DIRECTORY REGISTRY USER:PASSWORD: a config.json.
login() {
  mkdir -p "$1"
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$2" "$(printf %s "$3" | base64 -w0)" > "$1/config.json"
}
registry() {
  mkdir -p "$WORK/$1"
  start_registry "$WORK/$1" "${2:-}"
  registries+=("$registry_pid")
}

# -- TLS ---------------------------------------------------------------------------------------------------------------
certificate() {
  openssl req -newkey rsa:2048 -nodes -keyout "$WORK/$1.key" -out "$WORK/$1.csr" -subj "/CN=$1" 2> /dev/null
  openssl x509 -req -in "$WORK/$1.csr" -CA "$WORK/ca.pem" -CAkey "$WORK/ca.key" -CAcreateserial -days 2 -out "$WORK/$1.pem" \
    -extfile <(echo "subjectAltName=$2") 2> /dev/null
}
tls_with() { printf '  tls: {certificate: %s, key: %s%s}' "$WORK/$1.pem" "$WORK/$1.key" "${2:-}"; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/ca.key" -out "$WORK/ca.pem" -days 2 -subj '/CN=test CA' 2> /dev/null
certificate server IP:127.0.0.1,DNS:registry.test
certificate elsewhere IP:127.0.0.2,DNS:elsewhere.test
certificate client DNS:client.test
registry tls "$(tls_with server)"
tls=$REGISTRY
tagged() { curl -sf --cacert "$WORK/ca.pem" "https://$tls/v2/$1/manifests/v1" -o /dev/null; }
check "TLS: an unknown CA is refused, and http is no way out" refused --registry-certificate tls-none "$tls/t/none:v1" --insecure
check "TLS: nothing was pushed" bash -c "! curl -sf --cacert '$WORK/ca.pem' 'https://$tls/v2/t/none/manifests/v1'"
check "TLS: --registry-certificate" push tls-ca "$tls/t/ca:v1" --registry-certificate "$tls=$WORK/ca.pem"
check "TLS: it was pushed" tagged t/ca
check "TLS: --skip-tls-verify" push tls-skip "$tls/t/skip:v1" --skip-tls-verify
check "TLS: --skip-tls-verify-registry" push tls-skip-one "$tls/t/skip:v1" --skip-tls-verify-registry "$tls"
check "TLS: ... of another registry does not count" refused certificate tls-skip-other "$tls/t/other:v1" --skip-tls-verify-registry 127.0.0.1:1
check "TLS: SSL_CERT_FILE" env SSL_CERT_FILE="$WORK/ca.pem" timeout 60 "$build/executor" -c "$WORK/context" -d "$tls/t/file:v1"
check "TLS: a certificate file that is not there is named" refused "$WORK/nothing.pem" tls-missing "$tls/t/missing:v1" --registry-certificate "$tls=$WORK/nothing.pem"
# Blobs, uploads and tokens of a registry are often elsewhere: what is trusted for it counts there, too, and for nothing else.
busybox_tar "$WORK/busybox.tar"
layout_from_tar "$WORK/busybox.tar" "$WORK/busybox"
skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/busybox:latest" "docker://$tls/t/base:latest"
start_faulty "$WORK/front" --upstream 127.0.0.1:1
echo "GET ^/v2/ always redirect=https://$tls" >> "$WORK/front/rules"
printf 'FROM %s/t/base\nCOPY hello /\n' "$FAULTY" > "$WORK/elsewhere-base"
pull() { push "$1" unused --no-push -f "$WORK/elsewhere-base" "${@:2}"; }
check "TLS: --registry-certificate of a registry whose storage is elsewhere" pull storage-ca --registry-certificate "$FAULTY=$WORK/ca.pem"
check "TLS: --skip-tls-verify-registry of one" pull storage-skip --skip-tls-verify-registry "$FAULTY"
check "TLS: --skip-tls-verify-pull" pull storage-pull --skip-tls-verify-pull
check "TLS: ... without it" refused certificate storage-none unused --no-push -f "$WORK/elsewhere-base"
check "TLS: --skip-tls-verify-pull is not for pushing" refused certificate tls-pull-push "$tls/t/pull-push:v1" --skip-tls-verify-pull
printf 'FROM scratch\nADD https://%s/v2/ /x\n' "$tls" > "$WORK/download"
check "TLS: --skip-tls-verify is not for ADD" refused certificate tls-add unused --no-push --skip-tls-verify -f "$WORK/download"
check "TLS: --skip-tls-verify-registry of that host is" push tls-add-host unused --no-push --skip-tls-verify-registry "$tls" -f "$WORK/download"
registry elsewhere "$(tls_with elsewhere)"
check "TLS: a certificate for another host is refused" refused certificate tls-elsewhere "$REGISTRY/t/x:v1" --registry-certificate "$REGISTRY=$WORK/ca.pem"
registry mutual "$(tls_with server ", clientcas: [$WORK/ca.pem]")"
check "TLS: a client certificate" push tls-client "$REGISTRY/t/x:v1" --registry-certificate "$REGISTRY=$WORK/ca.pem" \
  --registry-client-cert "$REGISTRY=$WORK/client.pem,$WORK/client.key"
check "TLS: ... is wanted" refused "$REGISTRY" tls-no-client "$REGISTRY/t/y:v1" --registry-certificate "$REGISTRY=$WORK/ca.pem"

# -- Basic and helper programs -----------------------------------------------------------------------------------------
htpasswd -Bbn alice 'pass:word' > "$WORK/htpasswd"
registry basic "auth: {htpasswd: {realm: test, path: $WORK/htpasswd}}"
login "$WORK/alice" "$REGISTRY" alice:pass:word
login "$WORK/mallory" "$REGISTRY" alice:wrong
login "$WORK/narrow" "$REGISTRY/t/narrow" alice:pass:word
check "Basic: the right login" env DOCKER_CONFIG="$WORK/alice" timeout 60 "$build/executor" -c "$WORK/context" -d "$REGISTRY/t/right:v1"
DOCKER_CONFIG="$WORK/mallory" check "Basic: a wrong one is named" refused "user 'alice'" basic-wrong "$REGISTRY/t/wrong:v1"
check "Basic: none is said to be missing" refused config.json basic-none "$REGISTRY/t/none:v1"
DOCKER_CONFIG="$WORK/narrow" check "Basic: a login for one repository" push basic-narrow "$REGISTRY/t/narrow:v1"
DOCKER_CONFIG="$WORK/narrow" check "Basic: ... is not used for others" refused config.json basic-broad "$REGISTRY/t/narrower:v1"
DOCKER_AUTH_CONFIG=$(cat "$WORK/alice/config.json") check "Basic: DOCKER_AUTH_CONFIG" push basic-inline "$REGISTRY/t/inline:v1"
printf 'FROM %s/t/right:v1\nCOPY hello /again\n' "$REGISTRY" > "$WORK/private"
DOCKER_CONFIG="$WORK/alice" check "Basic: a private base" push base "$REGISTRY/t/base:v1" -f "$WORK/private"
DOCKER_CONFIG="$WORK/mallory" check "Basic: a private base and a wrong login: user and image are named" \
  refused "$REGISTRY/t/right:v1: registry $REGISTRY refuses pull on t/right for user 'alice'" base-wrong unused --no-push -f "$WORK/private"

helper() { # helper NAME BODY
  printf '#!/bin/sh\nread registry\n%s\n' "$2" > "$WORK/bin/docker-credential-$1"
  chmod +x "$WORK/bin/docker-credential-$1"
  mkdir -p "$WORK/$1"
  printf '{"credHelpers":{"%s":"%s"}}' "$REGISTRY" "$1" > "$WORK/$1/config.json"
}
helper good "echo \"\$1 \$registry\" > $WORK/asked; echo '{\"Username\":\"alice\",\"Secret\":\"pass:word\"}'"
helper ignorant 'echo "credentials not found in native keychain"; exit 1'
helper broken 'echo "the vault is sealed" >&2; exit 3'
PATH="$WORK/bin:$PATH"
DOCKER_CONFIG="$WORK/good" check "a helper's login" push helper-good "$REGISTRY/t/helper:v1"
check "it was asked for the registry" same "$(cat "$WORK/asked")" "get $REGISTRY"
DOCKER_CONFIG="$WORK/ignorant" check "a helper that knows none" refused config.json helper-ignorant "$REGISTRY/t/ignorant:v1"
DOCKER_CONFIG="$WORK/broken" check "a helper that fails is quoted" refused "the vault is sealed" helper-broken "$REGISTRY/t/broken:v1"

# -- Bearer ------------------------------------------------------------------------------------------------------------
registry plain
plain=$REGISTRY
start_faulty "$WORK/tokens" --upstream "$plain" --bearer-user bob:secret --token-lifetime 2
tokens=$FAULTY
login "$WORK/bob" "$tokens" bob:secret
login "$WORK/eve" "$tokens" bob:guess
export DOCKER_CONFIG="$WORK/bob"
token_requests() { grep -c ' /token' "$WORK/tokens/log" || true; }
check "Bearer: a token is fetched" push bearer "$tokens/private/x:v1"
check "Bearer: one for pulling and pushing" same "$(token_requests)" 1
DOCKER_CONFIG="$WORK/eve" check "Bearer: a wrong login is named" refused "refuses user 'bob'" bearer-wrong "$tokens/private/wrong:v1"
skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/busybox:latest" "docker://$plain/private/busybox:latest"
printf 'FROM %s/private/busybox\nRUN sleep 3 && echo x > /x\nCOPY hello /\n' "$tokens" > "$WORK/slow"
before=$(token_requests)
check "Bearer: a token that expires while the build runs" push bearer-expired "$tokens/private/slow:v1" -f "$WORK/slow"
check "Bearer: ... is fetched anew" [ $(($(token_requests) - before)) -ge 2 ]
check "Bearer: the image is whole" skopeo copy --quiet --src-tls-verify=false "docker://$plain/private/slow:v1" "dir:$WORK/slow-image"

# -- redirects ---------------------------------------------------------------------------------------------------------
start_faulty "$WORK/storage" --upstream "$plain"
echo "GET ^/v2/private/busybox/blobs/ always redirect=http://localhost:${FAULTY##*:}" >> "$WORK/tokens/rules"
check "blobs on another host" push redirect "$tokens/private/redirected:v1" -f "$WORK/slow"
check "were fetched there" [ "$(grep -c '^GET /v2/private/busybox/blobs/.* 200' "$WORK/storage/log")" -ge 2 ]
check "without the login" bash -c "! grep -v 'login=none' '$WORK/storage/log'"
start_faulty "$WORK/phisher" --upstream "$plain" --bearer-user x:y
echo "GET ^/v2/private/lured/blobs/ always redirect=http://localhost:${FAULTY##*:}" >> "$WORK/tokens/rules"
skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false "docker://$plain/private/busybox" "docker://$plain/private/lured:latest"
printf 'FROM %s/private/lured\nCOPY hello /\n' "$tokens" > "$WORK/lured"
check "another host that asks for a login" refused "getting blob private/lured@sha256:" lured "$tokens/t/lured:v1" -f "$WORK/lured"
check "gets none" bash -c "! grep -v 'login=none' '$WORK/phisher/log'"
check "not even a request for a token" bash -c "! grep ' /token' '$WORK/phisher/log'"

# -- proxies -----------------------------------------------------------------------------------------------------------
start_faulty "$WORK/proxy" --upstream "$plain" --connect-to "$tls" --proxy-user 'pat:p@ss'
proxy="http://pat:p%40ss@$FAULTY"
HTTP_PROXY=$proxy check "HTTP_PROXY, with a login" push proxy-http registry.test/t/http:v1 --insecure-registry registry.test
check "was used" grep -q '^PUT http://registry.test/v2/t/http/manifests/v1' "$WORK/proxy/log"
HTTPS_PROXY=$proxy check "HTTPS_PROXY" push proxy-https registry.test/t/https:v1 --registry-certificate "registry.test=$WORK/ca.pem"
check "was asked for a tunnel" grep -q '^CONNECT registry.test:443 200' "$WORK/proxy/log"
check "which led to the registry" tagged t/https
HTTPS_PROXY="http://$FAULTY" check "a proxy that refuses" refused 'the proxy answered 407' proxy-refuses registry.test/t/x:v1
lines=$(wc -l < "$WORK/proxy/log")
HTTPS_PROXY=$proxy NO_PROXY=.other,registry.test check "NO_PROXY" refused 'finding the address of registry.test' no-proxy registry.test/t/no:v1
HTTP_PROXY=$proxy HTTPS_PROXY=$proxy check "loopback is never proxied" push proxy-loopback "$plain/t/loopback:v1"
check "the proxy saw neither" same "$(wc -l < "$WORK/proxy/log")" "$lines"

check "the servers did what they were told" bash -c "! grep BROKEN '$WORK'/*/log"
echo "logins: $passed passed, $failed failed"
[ "$failed" = 0 ]
