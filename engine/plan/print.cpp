#include "engine/plan/print.hpp"

#include <fmt/format.h>

namespace kiln::engine {

namespace {

std::string base_of(const Plan& plan, const Source& base) {
  switch (base.kind) {
    case Source::Kind::scratch: return "scratch";
    case Source::Kind::stage: return fmt::format("stage {}", plan.stages[static_cast<std::size_t>(base.stage)].name);
    case Source::Kind::context: return fmt::format("context {}", base.context);
    case Source::Kind::image: return fmt::format("{} for {}", base.image.text(), base.platform.text());
  }
  return "";
}

}  // namespace

std::string print_plan(const Plan& plan) {
  std::string text, left_out;
  for (const auto& stage : plan.stages) {
    if (!stage.needed) {
      left_out += fmt::format("{}{}", left_out.empty() ? "" : ", ", stage.name);
      continue;
    }
    text += fmt::format("{}stage {} from {}\n", stage.index == plan.target ? "target " : "", stage.name, base_of(plan, stage.base));
    for (const int source : stage.copies_from) {
      text += fmt::format("  copies from stage {}\n", plan.stages[static_cast<std::size_t>(source)].name);
    }
    for (const auto& instruction : stage.text->instructions) text += fmt::format("  {}\n", instruction.original);
  }
  if (!left_out.empty()) text += fmt::format("not needed: {}\n", left_out);
  return text;
}

}  // namespace kiln::engine
