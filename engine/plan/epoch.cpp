#include "engine/plan/epoch.hpp"

#include <charconv>
#include <map>

#include <fmt/format.h>

#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/expand.hpp"
#include "engine/dockerfile/text.hpp"
#include "engine/plan/names.hpp"
#include "engine/plan/plan.hpp"
#include "engine/steps/git_reference.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using dockerfile::Instruction;

constexpr const char* epoch_name = "SOURCE_DATE_EPOCH";

bool is_remote(const std::string& place) { return parse_git_reference(place) || is_download(place); }

// A stage that is nothing but a source.
class SourceStage {
 public:
  SourceStage(const Plan& plan, const std::string& file_name, const dockerfile::StageText& stage)
      : plan_(plan), file_name_(file_name), stage_(stage), values_(plan.global_args) {
    values_.erase(epoch_name);
  }

  EpochSource read() {
    const std::string base = expand(stage_.from, std::get<dockerfile::From>(stage_.from.body).image);
    if (base != "scratch") fail(stage_.from, "SOURCE_DATE_EPOCH stage must use FROM scratch");
    for (const auto& instruction : stage_.instructions) {
      if (const auto* arg = std::get_if<dockerfile::Arg>(&instruction.body)) {
        apply(instruction, *arg);
      } else if (const auto* copy = std::get_if<dockerfile::Copy>(&instruction.body); copy && copy->is_add) {
        apply(instruction, *copy);
      } else {
        fail(instruction, fmt::format("SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported {} instruction",
                                      instruction.keyword));
      }
    }
    if (source_.place.empty()) fail(stage_.from, "SOURCE_DATE_EPOCH stage must contain exactly one remote ADD");
    return std::move(source_);
  }

 private:
  void apply(const Instruction& instruction, const dockerfile::Arg& arg) {
    for (const auto& pair : arg.pairs) {
      const auto given = plan_.options.build_args.find(pair.key);
      if (given != plan_.options.build_args.end()) {
        values_[pair.key] = given->second;
      } else if (pair.value) {
        values_[pair.key] = expand(instruction, *pair.value);
      }
    }
  }

  void apply(const Instruction& instruction, const dockerfile::Copy& add) {
    if (!source_.place.empty()) fail(instruction, "SOURCE_DATE_EPOCH stage must contain exactly one remote ADD");
    if (!add.heredocs.empty() || add.sources.size() != 1) {
      fail(instruction, "SOURCE_DATE_EPOCH stage must contain exactly one remote ADD source");
    }
    source_.place = expand(instruction, add.sources.front());
    if (!is_remote(source_.place)) fail(instruction, "SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD");
    if (add.checksum) source_.checksum = expand(instruction, *add.checksum);
    source_.line = instruction.location.first_line;
  }

  std::string expand(const Instruction& instruction, const std::string& word) {
    try {
      return dockerfile::expand_word(word, lookup_in(values_), plan_.file.escape);
    } catch (const io::Error& error) {
      fail(instruction, error.message());
    }
  }

  [[noreturn]] void fail(const Instruction& instruction, const std::string& what) const {
    throw dockerfile::instruction_error(file_name_, plan_.file.source, what, instruction.location);
  }

  const Plan& plan_;
  const std::string& file_name_;
  const dockerfile::StageText& stage_;
  std::map<std::string, std::string> values_;
  EpochSource source_;
};

std::string text_of(const Plan& plan) {
  for (const auto* values : {&plan.options.build_args, &plan.global_args}) {
    const auto found = values->find(epoch_name);
    if (found != values->end()) return found->second;
  }
  return "";
}

EpochSource source_named(const Plan& plan, const std::string& file_name, const std::string& text) {
  EpochSource source;
  source.build_context = text == "context";
  if (source.build_context) return source;
  if (const auto context = context_named(plan, text, plan.options.platform)) {
    if (context->kind == Source::Kind::context) source.place = plan.options.named_contexts.at(context->context);
    if (!is_remote(source.place)) source.place.clear();
    return source;
  }
  for (const auto& stage : plan.file.stages) {
    const std::string& name = std::get<dockerfile::From>(stage.from.body).name;
    if (!name.empty() && name == dockerfile::lower(text)) return SourceStage(plan, file_name, stage).read();
  }
  throw io::Error(
      io::ErrorKind::dockerfile,
      fmt::format("invalid SOURCE_DATE_EPOCH: {}: it is seconds, \"context\", a named context, or a stage that only adds "
                  "one repository or URL",
                  text));
}

}  // namespace

EpochSource find_epoch_source(const Plan& plan, const std::string& file_name) {
  const std::string text = text_of(plan);
  EpochSource source;
  if (text.empty()) return source;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) {
    source.seconds = seconds;
  } else {
    source = source_named(plan, file_name, text);
  }
  source.text = text;
  return source;
}

}  // namespace kiln::engine
