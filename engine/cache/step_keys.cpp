#include "engine/cache/step_keys.hpp"

#include "engine/cache/key.hpp"

namespace kiln::engine {

namespace {

// Whether it is there, and what.
void add_optional(KeyBuilder& key, std::string_view name, const std::optional<std::string>& value) {
  key.list(name, value ? std::vector<std::string>{*value} : std::vector<std::string>{});
}

}  // namespace

std::string config_key(const oci::Digest& manifest) { return KeyBuilder("config").field("manifest", manifest.text()).finish(); }

std::string image_key(const oci::Digest& manifest, const oci::Platform& platform) {
  return KeyBuilder("image").field("manifest", manifest.text()).field("platform", platform.text()).finish();
}

std::string scratch_key(const oci::Platform& platform) { return KeyBuilder("scratch").field("platform", platform.text()).finish(); }

std::string stage_key(const std::string& base, const std::string& settings) {
  return KeyBuilder("stage").field("base", base).field("settings", settings).finish();
}

std::string run_key(const std::string& before, const RunStep& step, const std::vector<std::string>& inputs) {
  KeyBuilder key("RUN");
  key.field("before", before).list("arguments", step.arguments).field("input", step.script).list("environment", step.environment);
  key.field("user", step.user).field("directory", step.working_directory).number("no network", step.no_network ? 1 : 0);
  std::vector<std::string> mounts;
  for (const auto& [mount, from] : step.mounts) {
    for (const auto& text : {mount.text, mount.target, mount.source, mount.id}) mounts.push_back(text);
  }
  return key.list("mounts", mounts).list("inputs", inputs).finish();
}

std::string copy_key(const std::string& before, const CopyStep& step, const std::string& inputs) {
  KeyBuilder key(step.is_add ? "ADD" : "COPY");
  key.field("before", before).list("sources", step.sources).field("destination", step.destination).field("inputs", inputs);
  add_optional(key, "chown", step.chown);
  add_optional(key, "chmod", step.chmod);
  add_optional(key, "checksum", step.checksum);
  std::vector<std::string> heredocs;
  for (const auto& [name, body] : step.heredocs) {
    heredocs.push_back(name);
    heredocs.push_back(body);
  }
  key.list("heredocs", heredocs);
  key.list("excludes", step.excludes).number("link", step.link ? 1 : 0).number("parents", step.parents ? 1 : 0);
  key.number("keep git dir", step.keep_git_dir ? 1 : 0);
  return key.number("unpack", step.unpack ? (*step.unpack ? 1 : 0) : 2).finish();
}

std::string workdir_key(const std::string& before, const WorkdirStep& step) {
  return KeyBuilder("WORKDIR").field("before", before).field("path", step.path).field("user", step.user).finish();
}

}  // namespace kiln::engine
