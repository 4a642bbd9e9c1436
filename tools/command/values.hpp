// Values of flags that the executor and `kiln build` have in common. Errors: io::Error(usage) naming the flag.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "engine/build/request.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

io::CompressionSettings parse_compression(const std::string& name, int level);
std::optional<oci::ImageFormat> parse_image_format(const std::string& flag, const std::string& text);
engine::SnapshotMode parse_snapshot_mode(const std::string& text);
std::optional<engine::SandboxKind> parse_sandbox(const std::string& text);

// The flags of the table's section "Registries", and KANIKO_REGISTRY_MAP, KANIKO_REGISTRY_MIRROR, UPSTREAM_CLIENT_TYPE.
void resolve_registries(engine::RegistrySettings& registries, const ParsedFlags& flags);
// The same without those for pushing.
void resolve_pulls(engine::RegistrySettings& registries, const ParsedFlags& flags);

// --cache-ttl, a Go duration.
std::chrono::seconds parse_ttl(const ParsedFlags& flags);

// --cache-mounts and --cache-mounts-limit, after everything that says where the cache is.
void resolve_cache_mounts(engine::BuildRequest& request, const ParsedFlags& flags);

// A path that the command line gives: it is to mean the same when the build changes "/" under the current directory. Empty stays
// empty.
std::string absolute_path(const std::string& path);

// --destination: each one tag of a repository.
void resolve_destinations(engine::BuildRequest& request, const ParsedFlags& flags);

// --digest-file and its two companions.
void resolve_digest_files(engine::BuildRequest& request, const ParsedFlags& flags);

// A --build-arg: NAME=value, or NAME alone, which takes the variable of that name (empty if unset).
void add_build_arg(engine::BuildRequest& request, const std::string& text);

// A --build-context: NAME=directory, docker-image://REFERENCE, oci-layout://DIRECTORY[:NAME][@DIGEST], a git repository or a URL.
void add_named_context(engine::BuildRequest& request, const std::string& text);

// The Dockerfile: as it is from the current directory, else below the context.
std::string find_dockerfile(const std::string& path, const std::string& context);

std::vector<std::string> own_environment();

}  // namespace kiln::tools
