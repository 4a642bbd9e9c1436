// Ignore files and globs: patterns, an empty line, and the path that is asked about.
#include "engine/context/ignore.hpp"

#include <cstdint>
#include <string_view>

#include "engine/context/glob.hpp"
#include "io/base/error.hpp"
#include "tests/fuzz/require.hpp"

namespace {

template <class Body>
void or_refused(Body body) {
  try {
    body();
  } catch (const kiln::io::Error& error) {
    kiln::fuzz::require(error.kind() == kiln::io::ErrorKind::context, "a bad pattern is an error of the context");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiln::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto gap = text.find("\n\n");
  const std::string_view patterns = text.substr(0, gap);
  const std::string_view path = gap == std::string_view::npos ? text : text.substr(gap + 2);
  or_refused([&] {
    const IgnoreMatcher matcher = IgnoreMatcher::parse(patterns);
    const bool ignored = matcher.ignored(path);
    kiln::fuzz::require(ignored == matcher.ignored(path), "the answer is always the same");
    kiln::fuzz::require(!(matcher.empty() && ignored), "no patterns, nothing ignored");
    matcher.may_reinclude_below(path);
  });
  const std::string_view first = patterns.substr(0, patterns.find('\n'));
  for (const Glob::Syntax syntax : {Glob::Syntax::path, Glob::Syntax::ignore}) {
    or_refused([&] {
      const Glob glob(first, syntax);
      const bool matches = glob.matches(path);
      if (glob.kind() == Glob::Kind::exact) kiln::fuzz::require(matches == (glob.text() == path), "a literal matches itself");
    });
  }
  or_refused([&] { path_match(first, path); });
  return 0;
}
