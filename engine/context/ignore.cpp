#include "engine/context/ignore.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "engine/context/glob.hpp"
#include "engine/plan/path.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

struct Rule {
  Glob glob;
  bool negated;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// The path itself, or a directory above it.
bool matches_or_parent(const Glob& glob, std::string_view path) {
  if (glob.literal()) {
    const std::string& text = glob.text();
    return path.starts_with(text) && (path.size() == text.size() || path[text.size()] == '/');
  }
  if (glob.matches(path)) return true;
  for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    if (glob.matches(path.substr(0, slash))) return true;
  }
  return false;
}

}  // namespace

struct IgnoreMatcher::Compiled {
  std::vector<Rule> rules;
  bool has_exceptions = false;
  std::vector<std::string> exceptions;  // literal starts of "!" patterns; "" where one starts with a wildcard
};

IgnoreMatcher::IgnoreMatcher() : compiled_(std::make_unique<Compiled>()) {}
IgnoreMatcher::~IgnoreMatcher() = default;
IgnoreMatcher::IgnoreMatcher(IgnoreMatcher&&) noexcept = default;
IgnoreMatcher& IgnoreMatcher::operator=(IgnoreMatcher&&) noexcept = default;

IgnoreMatcher IgnoreMatcher::parse(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::string> patterns;
  while (!text.empty()) {
    const auto newline = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    if (line.starts_with('#')) continue;
    std::string pattern(trim(line));
    if (pattern.empty()) continue;
    const bool negated = pattern.starts_with('!');
    std::string body(trim(std::string_view(pattern).substr(negated ? 1 : 0)));
    if (!body.empty()) {
      body = clean_path(body);
      if (body.empty()) body = ".";
    }
    patterns.push_back((negated ? "!" : "") + body);
  }
  return from_patterns(patterns);
}

IgnoreMatcher IgnoreMatcher::from_patterns(const std::vector<std::string>& patterns) {
  IgnoreMatcher matcher;
  for (std::string pattern : patterns) {
    const bool negated = pattern.starts_with('!');
    if (negated) pattern.erase(0, 1);
    if (negated && pattern.empty()) throw io::Error(io::ErrorKind::context, "illegal exclusion pattern: \"!\"");
    pattern = clean_path(pattern);
    if (pattern.empty()) continue;  // "." alone
    Rule rule{Glob(pattern, true), negated};
    if (negated) {
      matcher.compiled_->has_exceptions = true;
      matcher.compiled_->exceptions.push_back(pattern.substr(0, pattern.find_first_of("*?[\\")));
    }
    matcher.compiled_->rules.push_back(std::move(rule));
  }
  return matcher;
}

bool IgnoreMatcher::ignored(std::string_view path) const {
  bool result = false;
  for (const auto& rule : compiled_->rules) {
    if (rule.negated == result && matches_or_parent(rule.glob, path)) result = !rule.negated;
  }
  return result;
}

bool IgnoreMatcher::may_reinclude_below(std::string_view directory) const {
  const std::string prefix = std::string(directory) + "/";
  return std::any_of(compiled_->exceptions.begin(), compiled_->exceptions.end(),
                     [&](const std::string& start) { return start.starts_with(prefix) || prefix.starts_with(start); });
}

bool IgnoreMatcher::empty() const { return compiled_->rules.empty(); }

bool path_match(std::string_view pattern, std::string_view path) { return Glob(pattern, false).matches(path); }

}  // namespace kiln::engine
