#include "engine/plan/plan.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/expand.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"
#include "engine/mounts/mount.hpp"
#include "engine/plan/names.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using dockerfile::Instruction;
using dockerfile::lower;

// The arguments that are always there (BuildKit's automatic platform arguments).
std::map<std::string, std::string> automatic_args(const PlanOptions& options) {
  const auto& target = options.platform;
  const auto& build = options.build_platform;
  std::map<std::string, std::string> values = {{"TARGETPLATFORM", target.text()},
                                               {"TARGETOS", target.os},
                                               {"TARGETARCH", target.architecture},
                                               {"TARGETVARIANT", target.variant},
                                               {"TARGETOSVERSION", target.os_version},
                                               {"BUILDPLATFORM", build.text()},
                                               {"BUILDOS", build.os},
                                               {"BUILDARCH", build.architecture},
                                               {"BUILDVARIANT", build.variant},
                                               {"BUILDOSVERSION", build.os_version},
                                               {"TARGETSTAGE", options.target.empty() ? "default" : options.target}};
  for (auto& [name, value] : values) {
    const auto given = options.build_args.find(name);
    if (given != options.build_args.end()) value = given->second;
  }
  return values;
}

// What `--from=text` names: a context or a stage by number or name, which may stand later, else an image.
Source source_named(const Plan& plan, const std::string& text) {
  if (text.find('$') != std::string::npos) {
    throw io::Error(io::ErrorKind::dockerfile,
                    "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as "
                    "a workaround");
  }
  if (const auto context = context_named(plan, text, plan.options.platform)) return *context;
  const int count = static_cast<int>(plan.file.stages.size());
  const auto index = as_index(text);
  if (index && *index >= count) throw io::Error(io::ErrorKind::dockerfile, fmt::format("invalid stage index {}", text));
  const auto found = index ? index : stage_named(plan, text, count);
  Source source;
  source.kind = found ? Source::Kind::stage : Source::Kind::image;
  if (found) {
    source.stage = *found;
  } else {
    source.image = oci::parse_reference(text);
    source.platform = plan.options.platform;
  }
  return source;
}

io::Error too_late(const std::string& text, const std::string& stage) {
  return io::Error(io::ErrorKind::dockerfile,
                   fmt::format("cannot copy from stage \"{}\", it needs to be defined before current stage \"{}\"", text, stage));
}

class Planner {
 public:
  Planner(dockerfile::Dockerfile file, std::string file_name, PlanOptions options) : file_name_(std::move(file_name)) {
    plan_.file = std::move(file);
    plan_.options = std::move(options);
  }

  Plan make() {
    collect_global_args();
    find_epoch();
    for (std::size_t i = 0; i < plan_.file.stages.size(); ++i) add_stage(static_cast<int>(i));
    plan_.target = find_target(plan_.options.target);
    refuse_circles();
    plan_.targets.insert(plan_.target);
    for (const auto& name : plan_.options.more_targets) plan_.targets.insert(find_target(name));
    for (const int target : plan_.targets) mark_needed(target);
    return std::move(plan_);
  }

 private:
  void collect_global_args() {
    auto& values = plan_.global_args;
    values = automatic_args(plan_.options);
    for (const auto& instruction : plan_.file.global_args) {
      for (const auto& pair : std::get<dockerfile::Arg>(instruction.body).pairs) {
        const auto given = plan_.options.build_args.find(pair.key);
        if (given != plan_.options.build_args.end()) {
          values[pair.key] = given->second;
        } else if (pair.value) {
          values[pair.key] = expand(instruction, *pair.value);
        }
      }
    }
  }

  // What was looked up takes the place of what names it.
  void find_epoch() {
    plan_.epoch = find_epoch_source(plan_, file_name_);
    plan_.source_date_epoch = plan_.epoch.seconds;
    if (!plan_.epoch.named() || !plan_.options.looked_up_epoch) return;
    plan_.source_date_epoch = plan_.options.looked_up_epoch->seconds;
    const std::string text = plan_.source_date_epoch ? std::to_string(*plan_.source_date_epoch) : "";
    auto& given = plan_.options.build_args;
    (given.contains("SOURCE_DATE_EPOCH") ? given : plan_.global_args)["SOURCE_DATE_EPOCH"] = text;
  }

  dockerfile::SyntaxError error_at(const Instruction& instruction, const std::string& what) const {
    return dockerfile::instruction_error(file_name_, plan_.file.source, what, instruction.location);
  }

  std::string expand(const Instruction& instruction, const std::string& word) {
    try {
      return dockerfile::expand_word(word, lookup_in(plan_.global_args), plan_.file.escape);
    } catch (const io::Error& error) {
      throw error_at(instruction, error.message());
    }
  }

  void add_stage(int index) {
    const auto& text = plan_.file.stages[static_cast<std::size_t>(index)];
    const auto& from = std::get<dockerfile::From>(text.from.body);
    PlannedStage stage;
    stage.index = index;
    stage.text = &text;
    stage.named = !from.name.empty();
    stage.name = stage.named ? lower(from.name) : fmt::format("stage-{}", index);
    const oci::Platform platform = from.platform ? platform_of(text.from, *from.platform) : plan_.options.platform;
    stage.base = resolve_base(index, text.from, platform);
    if (const auto context = stage.named ? context_named(plan_, stage.name, platform) : std::nullopt) {
      stage.base = *context;
      stage.replaced = true;
      plan_.stages.push_back(std::move(stage));
      return;
    }
    for (const auto& instruction : text.instructions) {
      for (const auto& name : sources_named(instruction)) {
        const Source source = source_of(index, instruction, name);
        if (source.kind == Source::Kind::stage) stage.copies_from.insert(source.stage);
      }
    }
    plan_.stages.push_back(std::move(stage));
  }

  std::vector<std::string> sources_named(const Instruction& instruction) {
    std::vector<std::string> names;
    if (const auto* copy = std::get_if<dockerfile::Copy>(&instruction.body)) {
      if (copy->from) names.push_back(*copy->from);
    } else if (const auto* run = std::get_if<dockerfile::Run>(&instruction.body)) {
      try {
        for (const auto& mount : run->mounts) names.push_back(mount_from(mount));
      } catch (const io::Error& error) {
        throw error_at(instruction, error.message());
      }
      std::erase_if(names, [](const std::string& name) { return name.empty() || name == "scratch"; });
    }
    return names;
  }

  Source source_of(int index, const Instruction& instruction, const std::string& text) {
    try {
      const Source source = source_named(plan_, text);
      if (source.kind == Source::Kind::stage && source.stage >= index) later_.push_back({index, source.stage, &instruction, text});
      return source;
    } catch (const io::Error& error) {
      throw error_at(instruction, error.message());
    }
  }

  Source resolve_base(int index, const Instruction& instruction, const oci::Platform& platform) {
    const std::string& written = std::get<dockerfile::From>(instruction.body).image;
    const std::string image = expand(instruction, written);
    if (image.empty()) throw error_at(instruction, fmt::format("base name ({}) should not be blank", written));
    Source source;
    source.platform = platform;
    if (image == "scratch") return source;
    if (const auto context = context_named(plan_, image, source.platform)) return *context;
    if (const auto stage = stage_named(plan_, image, index)) {
      source.kind = Source::Kind::stage;
      source.stage = *stage;
      return source;
    }
    source.kind = Source::Kind::image;
    try {
      source.image = oci::parse_reference(image);
    } catch (const io::Error& error) {
      throw error_at(instruction, error.message());
    }
    return source;
  }

  oci::Platform platform_of(const Instruction& instruction, const std::string& word) {
    const std::string text = expand(instruction, word);
    try {
      if (text.empty()) throw io::Error(io::ErrorKind::dockerfile, "empty platform value from expression " + word);
      return oci::parse_platform(text);
    } catch (const io::Error& error) {
      throw error_at(instruction, error.message());
    }
  }

  // A stage that copies from itself, or from one that copies from it. Whether needed or not.
  void refuse_circles() {
    std::set<int> done;
    for (const auto& stage : plan_.stages) {
      std::set<int> path;
      walk_copies(stage.index, path, done);
    }
  }

  void walk_copies(int index, std::set<int>& path, std::set<int>& done) {
    if (path.contains(index)) {
      const auto& stage = plan_.stages[static_cast<std::size_t>(index)];
      throw error_at(stage.text->from, fmt::format("circular dependency detected on stage: {}", stage.name));
    }
    if (done.contains(index)) return;
    path.insert(index);
    for (const int source : plan_.stages[static_cast<std::size_t>(index)].copies_from) walk_copies(source, path, done);
    path.erase(index);
    done.insert(index);
  }

  int find_target(const std::string& target) const {
    const int count = static_cast<int>(plan_.stages.size());
    if (target.empty()) return count - 1;
    if (const auto named = stage_named(plan_, target, count)) return *named;
    if (const auto index = as_index(target); index && *index < count) return *index;
    std::vector<std::string> names;
    for (const auto& stage : plan_.stages) {
      if (stage.named) names.push_back(stage.name);
    }
    throw io::Error(io::ErrorKind::dockerfile, fmt::format("{}: target stage \"{}\" could not be found{}", file_name_, target,
                                                           dockerfile::did_you_mean(lower(target), names)));
  }

  void mark_needed(int index) {
    auto& stage = plan_.stages[static_cast<std::size_t>(index)];
    if (stage.needed) return;
    stage.needed = true;
    for (const auto& later : later_) {
      if (later.stage == index) throw error_at(*later.instruction, too_late(later.text, stage.name).message());
    }
    if (stage.base.kind == Source::Kind::stage) mark_needed(stage.base.stage);
    for (const int source : stage.copies_from) mark_needed(source);
  }

  // A stage that reads one which does not stand before it: an error if it is needed.
  struct Later {
    int stage;
    int source;
    const Instruction* instruction;
    std::string text;
  };

  std::string file_name_;
  Plan plan_;
  std::vector<Later> later_;
};

}  // namespace

Source resolve_from(const Plan& plan, int stage, const std::string& text) {
  Source source = source_named(plan, text);
  if (source.kind == Source::Kind::stage && source.stage >= stage) {
    throw too_late(text, plan.stages[static_cast<std::size_t>(stage)].name);
  }
  return source;
}

Plan make_plan(dockerfile::Dockerfile file, const std::string& file_name, PlanOptions options) {
  return Planner(std::move(file), file_name, std::move(options)).make();
}

}  // namespace kiln::engine
