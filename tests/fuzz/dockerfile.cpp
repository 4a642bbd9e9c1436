// The Dockerfile parser, the expander and the build checks. Any text is parsed or refused with io::Error, and every place that
// is told lies in the text.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/directives.hpp"
#include "engine/dockerfile/expand.hpp"
#include "engine/dockerfile/lint.hpp"
#include "tests/fuzz/require.hpp"

namespace kiln::engine::dockerfile {
namespace {

template <class Body>
void or_refused(Body body) {
  try {
    body();
  } catch (const io::Error& error) {
    fuzz::require(error.kind() != io::ErrorKind::internal, "an input is never an internal error");
    fuzz::require(!error.message().empty(), "an error says something");
  }
}

void require_inside(std::string_view text, const Location& place) {
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  fuzz::require(place.first_line >= 0 && place.first_line <= place.last_line && place.last_line <= lines,
                "a place lies in the text");
  fuzz::require(source_excerpt(text, place).size() < 20'000, "an excerpt is short");
}

std::optional<std::string> lookup(std::string_view name) {
  if (name == "a") return "value/with.dots and blanks";
  if (name == "b") return "";
  return std::nullopt;
}

void expand_all(std::string_view text) {
  for (const char escape : {'\\', '`'}) {
    or_refused([&] { expand_word(text, lookup, escape); });
    or_refused([&] { expand_words(text, lookup, escape); });
  }
  or_refused([&] { expand_heredoc(text, lookup); });
}

void check(const Dockerfile& file) {
  LintOptions options;
  or_refused([&] { options.config = lint_config(file, {}); });
  options.config.all_experimental = true;
  options.ignored = [](std::string_view path) { return path.size() % 2 == 0; };
  or_refused([&] {
    for (const auto& finding : lint(file, options)) require_inside(file.source, finding.location);
  });
  for (const auto& stage : file.stages) {
    for (const auto& instruction : stage.instructions) {
      require_inside(file.source, instruction.location);
      const auto* trigger = std::get_if<OnBuild>(&instruction.body);
      if (trigger) or_refused([&] { parse_trigger(trigger->instruction, file.escape); });
    }
  }
}

}  // namespace
}  // namespace kiln::engine::dockerfile

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiln::engine::dockerfile;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  or_refused([&] { check_frontend(find_syntax(text)); });
  expand_all(text);
  try {
    check(parse_dockerfile(text, "Dockerfile"));
  } catch (const SyntaxError& error) {
    require_inside(text, error.location());
  }
  return 0;
}
