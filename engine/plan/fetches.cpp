#include "engine/plan/fetches.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "engine/plan/resolve.hpp"
#include "engine/steps/git_reference.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

class FetchCollector {
 public:
  FetchCollector(const Plan& plan, const std::string& file_name) : plan_(plan), file_name_(file_name) {}

  Fetches collect() {
    stages_.resize(plan_.stages.size());
    add_place(plan_.epoch.place, plan_.epoch.line);
    for (const auto& stage : plan_.stages) {
      if (stage.needed) add_stage(stage);
    }
    return std::move(fetches_);
  }

 private:
  // As far as a stage can be known before its base is.
  struct Outcome {
    oci::ImageConfig config;
    std::vector<dockerfile::KeyValue> args;
    bool base_known = true;  // it stands on scratch, by way of other stages or not
  };

  void add_stage(const PlannedStage& stage) {
    const int line = stage.text->from.location.first_line;
    add_source(stage.base, line);
    Outcome outcome;
    outcome.config = scratch_config(plan_.options.platform);
    outcome.base_known = stage.base.kind == Source::Kind::scratch;
    if (stage.base.kind == Source::Kind::stage) outcome = *stages_[static_cast<std::size_t>(stage.base.stage)];
    ResolvedStage resolved = resolve_stage(plan_, stage, file_name_, {outcome.config, outcome.args, "", outcome.base_known});
    for (const auto& reason : resolved.left_out) {
      fetches_.notes.push_back(fmt::format("stage {}: without its base: {}", stage.name, reason));
    }
    for (const auto& step : resolved.steps) add_step(step);
    outcome.config = std::move(resolved.config);
    outcome.args = std::move(resolved.args);
    stages_[static_cast<std::size_t>(stage.index)] = std::move(outcome);
  }

  void add_step(const Step& step) {
    const int line = step.location.first_line;
    if (const auto* run = std::get_if<RunStep>(&step.action)) {
      for (const auto& mount : run->mounts) {
        if (mount.from) add_source(*mount.from, line);
      }
    } else if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
      if (copy->from) add_source(*copy->from, line);
      if (!copy->is_add) return;
      for (const auto& source : copy->sources) add_place(source, line);
    }
  }

  void add_source(const Source& source, int line) {
    if (source.kind == Source::Kind::image) add({Fetch::Kind::image, source.image.text(), source.platform.text(), {line}});
    if (source.kind == Source::Kind::context) add_place(plan_.options.named_contexts.at(source.context), line);
  }

  void add_place(const std::string& place, int line) {
    std::vector<int> lines;
    if (line != 0) lines.push_back(line);
    if (parse_git_reference(place)) {
      add({Fetch::Kind::git, place, "", std::move(lines)});
    } else if (is_download(place)) {
      add({Fetch::Kind::url, place, "", std::move(lines)});
    }
  }

  void add(Fetch fetch) {
    const auto known = std::find_if(fetches_.known.begin(), fetches_.known.end(), [&](const Fetch& other) {
      return other.kind == fetch.kind && other.place == fetch.place && other.platform == fetch.platform;
    });
    if (known == fetches_.known.end()) {
      fetches_.known.push_back(std::move(fetch));
    } else if (!fetch.lines.empty() && (known->lines.empty() || known->lines.back() != fetch.lines.front())) {
      known->lines.push_back(fetch.lines.front());
    }
  }

  const Plan& plan_;
  const std::string& file_name_;
  std::vector<std::optional<Outcome>> stages_;
  Fetches fetches_;
};

}  // namespace

Fetches find_fetches(const Plan& plan, const std::string& file_name) { return FetchCollector(plan, file_name).collect(); }

std::string_view name_of(Fetch::Kind kind) {
  switch (kind) {
    case Fetch::Kind::image: return "image";
    case Fetch::Kind::git: return "git";
    case Fetch::Kind::url: return "url";
  }
  return "";
}

}  // namespace kiln::engine
