#include "engine/cache/step_inputs.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "engine/cache/key.hpp"
#include "engine/dockerfile/text.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t longest_step = 200;  // bytes
constexpr std::size_t longest_name = 200;

std::string hash_of(const std::vector<std::string>& values) { return KeyBuilder("short").list("", values).finish().substr(0, 8); }

std::string shortened(std::string text, std::size_t longest) {
  if (text.size() > longest) text.resize(longest);
  return text;
}

bool is_proxy(std::string_view name) {
  const std::string upper = dockerfile::upper(name);
  return upper.ends_with("_PROXY");
}

class Parts {
 public:
  explicit Parts(StepInputs& inputs) : inputs_(inputs) {}
  void add(std::string kind, std::string name, std::string value) {
    inputs_.parts.insert_or_assign({std::move(kind), shortened(std::move(name), longest_name)}, std::move(value));
  }
  void option(const char* name, const std::optional<std::string>& value) {
    if (value) add("option", name, short_hash(*value));
  }
  void option(const char* name, bool value) {
    if (value) add("option", name, "given");
  }

 private:
  StepInputs& inputs_;
};

void add_run(Parts& parts, const RunStep& run) {
  parts.add("command", "", hash_of(run.arguments));
  if (!run.script.empty()) parts.add("heredoc", run.script_path, short_hash(run.script));
  for (const auto& variable : run.environment) {
    const auto equals = std::min(variable.find('='), variable.size());
    if (!is_proxy(variable.substr(0, equals)))
      parts.add("variable", variable.substr(0, equals), short_hash(variable.substr(equals)));
  }
  parts.add("user", "", short_hash(run.user));
  parts.add("workdir", "", short_hash(run.working_directory));
  parts.option("--network=none", run.no_network);
  for (const auto& [mount, from] : run.mounts) {
    parts.add("mount", mount.text, hash_of({mount.text, mount.target, mount.source, mount.id}));
  }
}

void add_copy(Parts& parts, const CopyStep& copy) {
  parts.add("sources", "", hash_of(copy.sources));
  parts.add("destination", "", short_hash(copy.destination));
  parts.option("--chown", copy.chown);
  parts.option("--chmod", copy.chmod);
  parts.option("--checksum", copy.checksum);
  if (!copy.excludes.empty()) parts.add("option", "--exclude", hash_of(copy.excludes));
  parts.option("--link", copy.link);
  parts.option("--parents", copy.parents);
  parts.option("--keep-git-dir", copy.keep_git_dir);
  if (copy.unpack) parts.add("option", "--unpack", *copy.unpack ? "true" : "false");
  for (const auto& [name, body] : copy.heredocs) parts.add("heredoc", name, short_hash(body));
}

}  // namespace

std::string short_hash(std::string_view text) { return io::to_hex(io::sha256(io::as_bytes(text))).substr(0, 8); }

void add_parts(StepInputs& inputs, const Step& step) {
  inputs.step = shortened(step.text, longest_step);
  Parts parts(inputs);
  if (const auto* run = std::get_if<RunStep>(&step.action)) {
    add_run(parts, *run);
  } else if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
    add_copy(parts, *copy);
  } else {
    const auto& workdir = std::get<WorkdirStep>(step.action);
    parts.add("workdir", "", short_hash(workdir.path));
    parts.add("user", "", short_hash(workdir.user));
  }
}

void spell_files(StepInputs& inputs) {
  for (auto& file : inputs.hashes) {
    inputs.files.insert_or_assign(std::move(file.path), fmt::format("{}{:o} {:08x}", file.type, file.mode, file.hash));
  }
  inputs.hashes.clear();
}

namespace {

// "a/b/c" -> "a/b/" of two components and more, "a/" of one; what is at the top stands for itself.
std::string directory_for(const std::string& path, std::size_t components) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < components; ++i) {
    const auto slash = path.find('/', end);
    if (slash == std::string::npos) break;
    end = slash + 1;
  }
  if (end == 0) return components == 0 ? "" : path;
  return path.substr(0, end);
}

// What a file or a directory adds to the directory that it becomes a part of. A sum, so that grouping twice is grouping once.
std::uint64_t contribution(const std::string& path, const std::string& state) {
  std::uint64_t value = 0;
  if (path.ends_with('/')) {
    std::from_chars(state.data(), state.data() + state.size(), value, 16);
    return value;
  }
  const io::Sha256Value hash = io::sha256(io::as_bytes(fmt::format("{}\n{}", path, state)));
  for (std::size_t i = 0; i < 8; ++i) value = value << 8U | std::to_integer<std::uint64_t>(hash[i]);
  return value;
}

}  // namespace

void group_files(StepInputs& inputs, std::size_t components) {
  struct Group {
    std::uint64_t sum = 0;
    std::string alone;  // the state of what is no part of anything else
  };
  std::map<std::string, Group> groups;
  for (const auto& [path, state] : inputs.files) {
    const std::string directory = directory_for(path, components);
    Group& group = groups[directory];
    group.sum += contribution(path, state);
    if (directory == path) group.alone = state;
  }
  inputs.files.clear();
  for (auto& [directory, group] : groups) {
    inputs.files[directory] = group.alone.empty() ? fmt::format("{:016x}", group.sum) : std::move(group.alone);
  }
  inputs.grouped = components;
}

}  // namespace kiln::engine
