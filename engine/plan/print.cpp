#include "engine/plan/print.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace kiln::engine {

namespace {

const PlannedStage& stage_at(const Plan& plan, int index) { return plan.stages[static_cast<std::size_t>(index)]; }

std::string describe_base(const Plan& plan, const Source& base) {
  switch (base.kind) {
    case Source::Kind::scratch: return "scratch";
    case Source::Kind::stage: return fmt::format("stage {}", stage_at(plan, base.stage).name);
    case Source::Kind::context: return fmt::format("context {} ({})", base.context, plan.options.named_contexts.at(base.context));
    case Source::Kind::image: return fmt::format("{} for {}", base.image.text(), base.platform.text());
  }
  return "";
}

// "    7  RUN a"; the lines of a heredoc below it.
std::string describe(const dockerfile::Instruction& instruction) {
  std::string text = instruction.original;
  while (text.ends_with('\n')) text.pop_back();
  for (auto newline = text.find('\n'); newline != std::string::npos; newline = text.find('\n', newline + 1)) {
    text.insert(newline + 1, "        ");
  }
  return fmt::format("{:6}  {}\n", instruction.location.first_line, text);
}

std::string describe(const Plan& plan, const PlannedStage& stage) {
  std::string text =
      fmt::format("{}stage {} from {}\n", stage.index == plan.target ? "target " : "", stage.name, describe_base(plan, stage.base));
  for (const int source : stage.copies_from) text += fmt::format("        copies from stage {}\n", stage_at(plan, source).name);
  if (stage.replaced) return text;
  for (const auto& instruction : stage.text->instructions) text += describe(instruction);
  return text;
}

std::string describe(const Fetch& fetch) {
  if (fetch.lines.empty()) return fmt::format("  {} {} (SOURCE_DATE_EPOCH)\n", name_of(fetch.kind), fetch.place);
  return fmt::format("  {} {}{} (line{} {})\n", name_of(fetch.kind), fetch.place,
                     fetch.platform.empty() ? "" : " for " + fetch.platform, fetch.lines.size() == 1 ? "" : "s",
                     fmt::join(fetch.lines, ", "));
}

}  // namespace

std::string print_plan(const Plan& plan, const Fetches& fetches) {
  std::string text;
  std::vector<std::string> left_out;
  for (const auto& stage : plan.stages) {
    if (stage.needed) {
      text += describe(plan, stage);
    } else {
      left_out.push_back(stage.name);
    }
  }
  if (!left_out.empty()) text += fmt::format("not built: {}\n", fmt::join(left_out, ", "));
  text += fetches.known.empty() ? "fetched: nothing\n" : "fetched:\n";
  for (const auto& fetch : fetches.known) text += describe(fetch);
  for (const auto& note : fetches.notes) text += fmt::format("not known: {}\n", note);
  return text;
}

}  // namespace kiln::engine
