#include "tools/command/executor_flags.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::tools {

namespace {

using enum ValueKind;
using enum FlagState;

constexpr auto flags = std::to_array<Flag>({
    // What is built
    {"context", 'c', text, "/workspace/",
     "build context: a directory, dir://PATH, tar://PATH, tar://stdin, https://ARCHIVE, git://HOST/PATH[#REF[#COMMIT]], "
     "USER@HOST:PATH or ssh:// with the same, s3://BUCKET/KEY, gs://BUCKET/KEY, "
     "https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB"},
    {"context-sub-path", 0, text, "", "directory within the context, for contexts with a scheme"},
    {"bucket", 'b', text, "", "instead of --context: BUCKET/KEY of Google Cloud Storage, or a URL"},
    {"dockerfile", 'f', text, "Dockerfile", "Dockerfile, looked for here and then in the context; or an http(s):// URL"},
    {"build-arg", 0, list, "", "NAME=value, or NAME to take the variable of that name"},
    {"target", 0, slice, "", "stage to build; of several the first is the image, and the others are built"},
    {"custom-platform", 0, text, "", "os/arch[/variant] of base images and result; unset: this machine's", honoured,
     "customPlatform"},
    {"git", 0, list, "",
     "of a git context: branch=NAME, depth=N (unset: 1; 0: everything), recurse-submodules=true, insecure-skip-tls=true"},
    {"secret", 0, list, "", "for RUN --mount=type=secret, and logins of git and file sources: id=NAME[,src=FILE|,env=VARIABLE]"},
    {"ssh", 0, list, "", "kiln's own: for RUN --mount=type=ssh: default, NAME or NAME=SOCKET of an agent"},
    {"single-snapshot", 0, boolean, "false", "one layer a stage"},
    {"snapshot-mode", 0, text, "", "full, redo or time, or kiln's own watch; unset: the fastest that misses nothing", honoured,
     "snapshotMode"},
    {"use-new-run", 0, boolean, "false", "changes are found without it", needless},
    {"ignore-path", 0, list, "", "path that is left alone and kept out of layers"},
    {"ignore-var-run", 0, boolean, "true", "leave /var/run alone", honoured, "whitelist-var-run"},
    {"skip-unused-stages", 0, boolean, "false", "always so", needless},
    {"force-build-metadata", 0, boolean, "false", "a RUN or WORKDIR that changes nothing makes an empty layer, as with docker",
     needless},
    {"image-fs-extract-retry", 0, integer, "0", "downloads go on where they broke", needless},
    // Where it runs
    {"cleanup", 0, boolean, "false", "leave the container's file system empty (KANIKO_CLEANUP)"},
    {"pre-cleanup", 0, boolean, "false", "delete what the container's file system holds (KANIKO_PRE_CLEANUP)"},
    {"preserve-context", 0, boolean, "false", "leave the container's file system as it was (KANIKO_PRESERVE_CONTEXT)"},
    {"materialize", 0, boolean, "false",
     "in place: leave all files of the image in /, also those of cached steps and of steps after the last RUN"},
    {"force", 0, boolean, "false", "build in place outside a container"},
    {"kaniko-dir", 0, text, "",
     "where working files go, and .docker and ssl/certs are looked for (KANIKO_DIR); the program stays where it is"},
    {"dryrun", 0, boolean, "false", "print the plan to standard output and stop"},
    // What comes out
    {"destination", 'd', list, "", "image to push to"},
    {"no-push", 0, boolean, "false", "do not push (KANIKO_NO_PUSH)"},
    {"tar-path", 0, text, "", "write a docker-save archive", honoured, "tarPath"},
    {"oci-layout-path", 0, text, "", "write an OCI layout directory"},
    {"digest-file", 0, text, "", "write the manifest's digest: a file, or an https:// URL that it is PUT to"},
    {"image-name-with-digest-file", 0, text, "", "write repository@digest of each destination"},
    {"image-name-tag-with-digest-file", 0, text, "", "the same with the tag"},
    {"compression", 0, text, "", "gzip or zstd; unset: gzip"},
    {"compression-level", 0, integer, "-1", "gzip 1 to 9, zstd 1 to 22; below 1: 1"},
    {"compressed-caching", 0, boolean, "true", "layers are never held in memory", needless},
    {"image-format", 0, text, "", "docker or oci; unset: as the base"},
    {"label", 0, list, "", "key=value added to the config"},
    {"annotation", 0, list, "", "key=value added to the manifest"},
    {"reproducible", 0, boolean, "false", "all times fixed; layers of the base stay as they are"},
    {"rewrite-timestamp", 0, boolean, "false",
     "kiln's own: with SOURCE_DATE_EPOCH: no file in a layer is newer (BuildKit's exporter has it as an attribute)"},
    // Registries
    {"push-retry", 0, integer, "0", "whole pushes tried again"},
    {"push-ignore-immutable-tag-errors", 0, boolean, "false", "a tag that cannot be overwritten counts as pushed"},
    {"skip-push-permission-check", 0, boolean, "false", "do not check the right to push first"},
    {"upload-chunk-size", 0, text, "0", "kiln's own: send blobs in pieces of this size (k, m, g); 0: in one"},
    {"insecure", 0, boolean, "false", "allow plain http for pushing"},
    {"skip-tls-verify", 0, boolean, "false", "do not check certificates of registries"},
    {"image-download-retry", 0, integer, "0", "manifest requests tried again"},
    {"insecure-pull", 0, boolean, "false", "allow plain http for pulling"},
    {"insecure-registry", 0, list, "", "registry that may be reached by plain http"},
    {"skip-tls-verify-pull", 0, boolean, "false", "do not check certificates of registries when pulling"},
    {"skip-tls-verify-registry", 0, list, "", "registry whose certificate is not checked"},
    {"registry-certificate", 0, list, "", "host=/ca.pem, for its token service and storage, too"},
    {"registry-client-cert", 0, list, "", "host=/cert.pem,/key.pem, for these, too"},
    {"registry-map", 0, list, "", "registry=mirror[/prefix][;...] (KANIKO_REGISTRY_MAP adds)"},
    {"registry-mirror", 0, list, "",
     "mirror of Docker Hub, HOST[:PORT][/PREFIX]; after http:// it may be reached by plain http (KANIKO_REGISTRY_MIRROR adds)"},
    {"skip-default-registry-fallback", 0, boolean, "false", "fail when no mirror has the image"},
    {"credential-helpers", 0, list, "",
     "where to ask for logins after the files: env, google, ecr, acr, gitlab; unset: all; empty: none"},
    // Layer cache
    {"cache", 0, boolean, "false", "take layers of earlier builds from the cache, and leave this build's there"},
    {"cache-repo", 0, text, "", "where the cache is: a repository, or oci:/dir; unset: <first destination>/cache"},
    {"cache-dir", 0, text, "/cache",
     "with --cache, base images are taken from what a warmer has left here; if given, also where RUN --mount=type=cache is kept"},
    {"cache-limit", 0, text, "0",
     "kiln's own: size that a cache in oci:/dir is kept below (k, m, g) by deleting what is older than --cache-ttl, then what was "
     "used longest ago; 0: nothing is deleted"},
    {"cache-ttl", 0, text, "336h", "older layers are not used"},
    {"cache-run-layers", 0, boolean, "true", "cache what RUN makes"},
    {"cache-copy-layers", 0, boolean, "false", "what COPY, ADD and WORKDIR make is always cached: it costs nothing here", needless},
    {"no-push-cache", 0, boolean, "false", "use the cache and leave nothing there"},
    {"cache-mounts", 0, text, "local",
     "kiln's own: where RUN --mount=type=cache survives: local (--cache-dir), or registry: in the cache's repository, too"},
    {"cache-mounts-limit", 0, text, "1g",
     "kiln's own: cache mounts with more bytes than this (k, m, g) are neither sent to the repository nor taken from it; 0: any"},
    {"explain-cache", 0, text, "",
     "kiln's own: text or json: build nothing, tell what the cache has and which inputs of the other steps have changed"},
    // Log
    {"verbosity", 'v', text, "info", "trace, debug, info, warn, error, fatal or panic"},
    {"log-format", 0, text, "color", "text, color or json"},
    {"log-timestamp", 0, boolean, "false", "times instead of seconds since the start"},
    {"trace-file", 0, text, "", "kiln's own: write where the time went, for ui.perfetto.dev"},
    {"azure-container-registry-config", 0, text, "", "came with a library", needless, "", true},
    // kiln's own
    {"sandbox", 0, text, "", "kiln's own: how RUN is executed, userns or in-place; unset: probed"},
    {"no-overlay", 0, boolean, "false", "kiln's own: never use overlay in the userns sandbox"},
    {"build-context", 0, list, "",
     "kiln's own: NAME=directory, docker-image://REFERENCE, oci-layout://DIRECTORY[:NAME][@DIGEST], git repository or URL, for "
     "FROM and --from"},
    {"memory-budget", 0, text, "96m", "kiln's own: bytes of buffers (k, m, g)"},
    {"work-dir", 0, text, "", "kiln's own: where spool and root file systems are kept while building"},
    {"help-table", 0, boolean, "false", "print the README's tables", honoured, "", true},
});

constexpr auto variables = std::to_array<Variable>({
    {"KANIKO_DIR", honoured, "as `--kaniko-dir`"},
    {"KANIKO_NO_PUSH", honoured, "overrides `--no-push`"},
    {"KANIKO_REGISTRY_MIRROR", honoured, "one more `--registry-mirror`"},
    {"KANIKO_REGISTRY_MAP", honoured, "one more `--registry-map`"},
    {"KANIKO_CLEANUP", honoured, "overrides `--cleanup`"},
    {"KANIKO_PRE_CLEANUP", honoured, "overrides `--pre-cleanup`"},
    {"KANIKO_PRESERVE_CONTEXT", honoured, "overrides `--preserve-context`"},
    {"KANIKO_PRINT_PLAN", honoured, "print the plan to standard output, then build"},
    {"KANIKO_IGNORE_ASSERTIONS", needless, "there are none"},
    {"KANIKO_TELEMETRY_ENDPOINT", needless, "with a warning: nothing is sent anywhere"},
    {"KANIKO_TELEMETRY_OMIT_DOCKERFILE", needless, "nothing is sent anywhere"},
    {"SNAPSHOT_TIMEOUT_DURATION", needless, "snapshots do not hang"},
    {"GIT_TOKEN, GIT_USERNAME, GIT_PASSWORD, GIT_PULL_METHOD", honoured, "login and protocol of git contexts"},
    {"S3_ENDPOINT, S3_FORCE_PATH_STYLE", honoured, "another place of s3:// contexts, and the bucket in its path"},
    {"STORAGE_EMULATOR_HOST", honoured, "another place of gs:// contexts"},
    {"AZURE_STORAGE_ACCESS_KEY", honoured, "login of contexts in Azure's blob storage; unset: the URL says all"},
    {"SOURCE_DATE_EPOCH", honoured,
     "time of the image and of what COPY and WORKDIR make, in seconds; or context, a stage or a named context, whose time it is"},
    {"DOCKER_CONFIG, DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, HOME", honoured,
     "where logins are looked for"},
    {"KANIKO_<HOST>_USER, KANIKO_<HOST>_PASSWORD", honoured,
     "a login: `KANIKO_REG_EXAMPLE_COM_USER`, or for all below `KANIKO_EXAMPLE_COM_USER`"},
    {"CI_REGISTRY, CI_REGISTRY_USER, CI_REGISTRY_PASSWORD", honoured, "GitLab's login"},
    {"GOOGLE_APPLICATION_CREDENTIALS, GCE_METADATA_HOST", honoured,
     "GCR, Artifact Registry and gs:// contexts: key file, gcloud's file, metadata server"},
    {"AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_PROFILE, AWS_CONTAINER_CREDENTIALS_FULL_URI", honoured,
     "ECR and s3:// contexts, with the SDK's other variables of these: keys, web identity, credentials file, container, instance"},
    {"AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE", honoured,
     "ACR: secret, workload identity, else managed identity; `AZURE_ENVIRONMENT`, `AZURE_AUTHORITY_HOST` choose the cloud"},
    {"HTTP_PROXY, HTTPS_PROXY, NO_PROXY, SSL_CERT_DIR, SSL_CERT_FILE", honoured, "every connection; lower-case proxies too"},
    {"UPSTREAM_CLIENT_TYPE", honoured, "added to the User-Agent of pushes"},
    {"BUILDER_OUTPUT", honoured, "`$BUILDER_OUTPUT/images` gets name and digest of what was pushed"},
    {"BENCHMARK_FILE, STACKLOG_PATH", needless, "profiles of another program"},
    {"DOCKER_CREDENTIAL_GCR_CONFIG", needless, "what it is for is built in"},
});

constexpr auto switches = std::to_array<FeatureSwitch>({
    {"BUILDKIT_ARG_ENV_PRECEDENCE", Switch::always_on},
    {"CACHE_LOOKAHEAD", Switch::either_way},
    {"CACHE_PROBE_AFTER_MISS", Switch::either_way},
    {"CHOWN_ON_IMPLICIT_DIRS", Switch::always_on},
    {"CLEAN_KANIKO_DIR", Switch::either_way},
    {"COPY_AS_ROOT", Switch::always_on},
    {"COPY_CHMOD_ON_IMPLICIT_DIRS", Switch::always_on},
    {"CROSS_REPO_MOUNT", Switch::either_way},
    {"DEPRECATE_INTER_STAGE_RESTORE", Switch::either_way},
    {"DISABLE_HTTP2", Switch::either_way},
    {"EXPAND_HEREDOC", Switch::always_on},
    {"HASH_DIR_FRAMING", Switch::either_way},
    {"IGNORE_CACHED_MANIFEST", Switch::either_way},
    {"INFER_CROSS_STAGE_CACHE_KEY", Switch::either_way},
    {"NEW_CACHE_LAYOUT", Switch::either_way},
    {"NO_PROPAGATE_ANNOTATIONS", Switch::always_on},
    {"OCI_SCRATCH_BASE", Switch::honoured},
    {"OCI_STAGES", Switch::either_way},
    {"OCI_WARMER", Switch::either_way},
    {"PATH_SCOPED_REGISTRY_AUTH", Switch::either_way},
    {"PRECOMPILE_DOCKERIGNORE", Switch::either_way},
    {"PRESERVE_HARDLINKS", Switch::always_on},
    {"PRESERVE_MOUNTED_PATHS", Switch::either_way},
    {"RELATIVE_LINK_TARGETS", Switch::always_on},
    {"REPRODUCIBLE_PRESERVE_BASE_LAYERS", Switch::always_on},
    {"RESOLVE_CACHE_KEY", Switch::either_way},
    {"ROLLING_CACHE_KEY", Switch::either_way},
    {"RUN_HONOR_GROUP", Switch::always_on},
    {"RUN_MOUNT_BIND", Switch::always_on},
    {"RUN_MOUNT_CACHE", Switch::either_way},
    {"RUN_MOUNT_SECRET", Switch::either_way},
    {"RUN_VIA_TINI", Switch::either_way},
    {"SCOPED_DOCKERIGNORE", Switch::always_on},
    {"SECUREJOIN_EXTRACTION", Switch::either_way},
    {"SHARED_BASE_CACHE", Switch::either_way},
    {"SKIP_CACHED_STAGES", Switch::either_way},
    {"SKIP_RELABEL_RECOMPRESS", Switch::either_way},
    {"SKIP_WRITE_WHITEOUTS", Switch::either_way},
    {"SQUASH_STAGES", Switch::either_way},
    {"UNTAR_SKIP_ROOT", Switch::always_on},
    {"VOLUME_SKIP_MKDIR", Switch::always_on},
    {"WARMER_CACHE_LOCK", Switch::either_way},
});

constexpr std::string_view switch_prefix = "FF_KANIKO_";

// What cannot be read leaves the fork's default.
bool says_off(std::string_view value) { return engine::dockerfile::parse_boolean(value) == false; }

void check_switch(std::string_view name, std::string_view value, std::vector<std::string>& warnings) {
  const auto known = std::ranges::find(switches, name.substr(switch_prefix.size()), &FeatureSwitch::name);
  if (known == switches.end()) {
    std::vector<std::string> names;
    for (const auto& each : switches) names.push_back(fmt::format("{}{}", switch_prefix, each.name));
    warnings.push_back(fmt::format("unknown variable {}: it has no effect{}", name, engine::dockerfile::did_you_mean(name, names)));
  } else if (known->effect == Switch::always_on && says_off(value)) {
    throw io::Error(io::ErrorKind::unsupported,
                    fmt::format("{}={}: kiln makes images as BuildKit does and has no other way; remove it", name, value));
  }
}

// Names that are not known are left alone: Kubernetes makes such variables for a service that is called kaniko.
void check_variable(std::string_view name, std::string_view value, std::vector<std::string>& warnings) {
  const auto known = std::ranges::find(variables, name, &Variable::name);
  if (known == variables.end()) return;
  if (known->state == FlagState::refused && !value.empty() && !says_off(value)) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("{}={}: not supported yet", name, value));
  }
  if (name == "KANIKO_TELEMETRY_ENDPOINT") warnings.push_back("KANIKO_TELEMETRY_ENDPOINT has no effect: kiln sends no telemetry");
}

// The flags from one to another.
std::span<const Flag> section(std::string_view first, std::string_view last) {
  return {std::ranges::find(flags, first, &Flag::name), std::ranges::find(flags, last, &Flag::name) + 1};
}

}  // namespace

std::span<const Flag> executor_flags() { return flags; }
std::span<const Flag> registry_flags() { return section("push-retry", "credential-helpers"); }
std::span<const Flag> pull_flags() { return section("image-download-retry", "credential-helpers"); }
std::span<const Flag> log_flags() { return section("verbosity", "log-timestamp"); }
std::span<const Variable> executor_variables() { return variables; }
std::span<const FeatureSwitch> feature_switches() { return switches; }

std::vector<std::string> check_environment(const std::vector<std::string>& environment) {
  std::vector<std::string> warnings;
  for (const std::string_view text : environment) {
    const auto equals = std::min(text.find('='), text.size());
    const std::string_view name = text.substr(0, equals);
    const std::string_view value = text.substr(std::min(equals + 1, text.size()));
    if (name.starts_with(switch_prefix)) check_switch(name, value, warnings);
    if (name.starts_with("KANIKO_")) check_variable(name, value, warnings);
  }
  return warnings;
}

std::string executor_markdown() {
  std::vector<Flag> shown;
  std::ranges::copy_if(flags, std::back_inserter(shown), [](const Flag& flag) { return flag.name != "help-table"; });
  std::string text = flag_markdown(shown) + "\n| variable | what it does |\n| --- | --- |\n";
  for (const auto& variable : variables) {
    std::string names = "`";
    for (const char c : variable.name) names += c == ',' ? std::string("`,") : c == ' ' ? std::string(" `") : std::string(1, c);
    const std::string_view prefix = variable.state == needless ? "*no effect:* " : variable.state == refused ? "*refused:* " : "";
    text += fmt::format("| {}` | {}{} |\n", names, prefix, variable.help);
  }
  const auto listed = [](Switch effect) {
    std::string names;
    for (const auto& each : switches) {
      if (each.effect == effect) names += fmt::format("{}`{}`", names.empty() ? "" : ", ", each.name);
    }
    return names;
  };
  text += fmt::format(
      "| `FF_KANIKO_…` | honoured: {}. Always on, and an explicit off is refused because the image would be another "
      "one: {}. "
      "*No effect*, the image is the same: {} |\n",
      listed(Switch::honoured), listed(Switch::always_on), listed(Switch::either_way));
  return text;
}

}  // namespace kiln::tools
