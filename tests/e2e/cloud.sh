#!/usr/bin/env bash
# Logins from variables and clouds: each must get into a registry that wants it. The registries' names lead to a proxy, the
# clouds' services to a script that checks what a cloud checks. Usage: tests/e2e/cloud.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-cloud.XXXXXX)
faulty_pids=()
trap 'kill "$registry_pid" "${faulty_pids[@]}" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1 DOCKER_CONFIG="$WORK/nobody" HOME="$WORK"
for name in $(env | grep -oE '^(AWS|AZURE|GOOGLE|GCE|CI|KANIKO|http|https|no|HTTP|HTTPS|NO)_[A-Za-z_]*'); do unset "$name"; done
start_registry "$WORK"
mkdir -p "$WORK/context"
cd "$WORK"
printf 'FROM scratch\nLABEL a=b\nCOPY Dockerfile /\n' > context/Dockerfile
openssl genrsa -out google.key 2048 2> /dev/null
openssl rsa -in google.key -pubout -out google.pub 2> /dev/null
cloud="127.0.0.1:$(free_port)"
touch cloud.log
python3 "$here/cloud.py" --listen "$cloud" --log cloud.log --google-key google.pub 2> cloud.errors &
faulty_pids+=($!)
wait_for_port "${cloud##*:}"

# wants NAME LOGIN...: a registry behind a proxy that wants a login; http leads there, https nowhere.
wants() {
  start_faulty "$WORK/$1" --upstream "$REGISTRY" "${@:2}"
  export HTTP_PROXY="http://$FAULTY" HTTPS_PROXY=http://127.0.0.1:1
}
# push REGISTRY VARIABLES...: with those variables.
push() { env "${@:2}" timeout 60 "$build/executor" -c context -d "$1/private/x:v1" --insecure-registry "$1" --log-format text > log 2>&1; }
# login NAME "WHAT THE CLOUD SAW" REGISTRY VARIABLES...
login() {
  : > cloud.log
  check "$1" push "${@:3}"
  check "$1: the cloud was asked" same "$(paste -sd, cloud.log)" "$2"
}
refused() { # refused TEXT REGISTRY VARIABLES...
  local code=0
  push "${@:2}" || code=$?
  [ "$code" = 1 ] && grep -qF -- "$1" log || { tail -n 3 log; return 1; }
}

wants env --bearer-user bob:secret
check "KANIKO_<HOST>_USER" push reg-1.example.test KANIKO_REG_1_EXAMPLE_TEST_USER=bob KANIKO_REG_1_EXAMPLE_TEST_PASSWORD=secret
check "KANIKO_<DOMAIN>_USER" push reg.example.test KANIKO_EXAMPLE_TEST_USER=bob KANIKO_EXAMPLE_TEST_PASSWORD=secret
check "the nearest counts" refused "user 'eve'" reg.example.test KANIKO_EXAMPLE_TEST_USER=bob KANIKO_EXAMPLE_TEST_PASSWORD=secret \
  KANIKO_REG_EXAMPLE_TEST_USER=eve
check "CI_REGISTRY" push gitlab.example.test CI_REGISTRY=gitlab.example.test/group CI_REGISTRY_USER=bob CI_REGISTRY_PASSWORD=secret
check "... is no login for others" refused "an anonymous user" other.test CI_REGISTRY=gitlab.example.test CI_REGISTRY_USER=bob CI_REGISTRY_PASSWORD=secret
check "--credential-helpers that is not known" bash -c "'$build/executor' -c context --no-push --credential-helpers=vault 2>&1 | grep -q 'env, google, ecr, acr, gitlab'"

wants ecr --bearer-user AWS:cloud-password
ecr=123456789012.dkr.ecr.eu-west-1.amazonaws.com
service="AWS_ENDPOINT_URL=http://$cloud"
asked='ecr eu-west-1 {"registryIds":["123456789012"]} ok'
login "ECR: keys" "$asked" "$ecr" "$service" AWS_ACCESS_KEY_ID=AKIDTEST AWS_SECRET_ACCESS_KEY=secret-test
printf '[default]\naws_access_key_id = x\naws_secret_access_key = y\n[ci]\naws_access_key_id = AKIDTEST\naws_secret_access_key=secret-test\n' > keys
login "ECR: a profile" "$asked" "$ecr" "$service" AWS_SHARED_CREDENTIALS_FILE="$WORK/keys" AWS_PROFILE=ci
printf web-token > web-token
login "ECR: web identity" "sts ok,$asked" "$ecr" "$service" AWS_WEB_IDENTITY_TOKEN_FILE="$WORK/web-token" AWS_ROLE_ARN=arn:aws:iam::1:role/builder
login "ECR: the instance" "imds session ok,imds ok,imds ok,$asked" "$ecr" "$service" AWS_EC2_METADATA_SERVICE_ENDPOINT="http://$cloud/"
check "ECR: a wrong key is named" refused "refuses a login for key AKIDTEST" "$ecr" "$service" AWS_ACCESS_KEY_ID=AKIDTEST AWS_SECRET_ACCESS_KEY=guess
check "ECR: no keys are said to be missing" refused "ecr: no AWS credentials" "$ecr" "$service" AWS_EC2_METADATA_DISABLED=true

wants google --bearer-user oauth2accesstoken:cloud-password
gar=europe-docker.pkg.dev
python3 -c "import json; json.dump({'type': 'service_account', 'client_email': 'builder@project', 'private_key_id': 'k',
'private_key': open('google.key').read(), 'token_uri': 'http://$cloud/google-token'}, open('account.json', 'w'))"
login "Google: a service account" "google account ok" "$gar" GOOGLE_APPLICATION_CREDENTIALS="$WORK/account.json"
login "Google: the metadata server" "google metadata ok" "$gar" GCE_METADATA_HOST="$cloud"
check "Google: a key file that is not there" refused "$WORK/none.json" "$gar" GOOGLE_APPLICATION_CREDENTIALS="$WORK/none.json"
check "Google: nobody" refused "there is no metadata server" "$gar" GCE_METADATA_HOST=127.0.0.1:1

wants azure --bearer-user x:y --refresh-token acr-refresh
echo "POST ^/oauth2/exchange always redirect=http://$cloud" > azure/rules
acr=kiln.azurecr.io
who=(AZURE_CLIENT_ID=client AZURE_TENANT_ID=tenant AZURE_AUTHORITY_HOST="http://$cloud")
login "ACR: a secret" "azure secret ok,azure exchange ok" "$acr" "${who[@]}" AZURE_CLIENT_SECRET=hush
printf federated-token > federated
login "ACR: a federated token" "azure federated ok,azure exchange ok" "$acr" "${who[@]}" AZURE_FEDERATED_TOKEN_FILE="$WORK/federated"
login "ACR: managed identity" "azure managed ok,azure exchange ok" "$acr" AZURE_POD_IDENTITY_AUTHORITY_HOST="http://$cloud"
check "ACR: a wrong secret" refused "Azure AD refuses" "$acr" "${who[@]}" AZURE_CLIENT_SECRET=guess
mkdir identity
printf '{"auths":{"tokens.test":{"auth":"%s","identitytoken":"acr-refresh"}}}' "$(printf '<token>:' | base64)" > identity/config.json
check "an identity token in config.json" push tokens.test DOCKER_CONFIG="$WORK/identity"

check "the servers did what they were told" bash -c "! grep -h BROKEN '$WORK'/*/log"
echo "cloud: $passed passed, $failed failed"
[ "$failed" = 0 ]
