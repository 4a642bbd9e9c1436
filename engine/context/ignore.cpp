#include "engine/context/ignore.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <unordered_map>

#include "engine/context/glob.hpp"
#include "engine/plan/path.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// Go's filepath.Clean: unlike clean_path it keeps the leading '/' and the ".." that it cannot resolve.
std::string go_clean(std::string_view path) {
  if (path.starts_with('/')) return "/" + clean_path(path);
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    at = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string cleaned;
  for (const auto part : parts) cleaned += (cleaned.empty() ? "" : "/") + std::string(part);
  return cleaned.empty() ? "." : cleaned;
}

// No path of a context begins like this.
bool matches_nothing(std::string_view pattern) {
  return pattern == "." || pattern == ".." || pattern.starts_with("../") || pattern.starts_with('/');
}

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Index = std::unordered_map<std::string, std::vector<std::uint32_t>, TextHash, std::equal_to<>>;

void append(const Index& index, std::string_view key, std::vector<std::uint32_t>& found) {
  if (index.empty()) return;
  const auto entry = index.find(key);
  if (entry != index.end()) found.insert(found.end(), entry->second.begin(), entry->second.end());
}

}  // namespace

struct IgnoreMatcher::Compiled {
  std::vector<bool> exceptions;                         // per rule: is it a "!"?
  Index by_path;                                        // rules without wildcards
  Index by_name;                                        // "**/name"
  std::vector<std::pair<std::uint32_t, Glob>> general;  // the others, in order
  std::vector<std::string> exception_starts;            // what paths that a "!" brings back begin with

  void add(const std::string& pattern, bool exception) {
    Glob glob(pattern, Glob::Syntax::ignore);
    if (matches_nothing(pattern)) return;
    const auto rule = static_cast<std::uint32_t>(exceptions.size());
    exceptions.push_back(exception);
    if (exception) exception_starts.push_back(glob.prefix());
    const std::string& text = glob.text();
    if (glob.kind() == Glob::Kind::exact) {
      by_path[text].push_back(rule);
    } else if (glob.kind() == Glob::Kind::suffix && text.starts_with('/') && text.rfind('/') == 0) {
      by_name[text.substr(1)].push_back(rule);
    } else {
      general.emplace_back(rule, std::move(glob));
    }
  }

  // Rules that match the path itself, in order.
  void find(std::string_view path, std::vector<std::uint32_t>& found) const {
    append(by_path, path, found);
    append(by_name, name_of_path(path), found);
    for (const auto& [rule, glob] : general) {
      if (glob.matches(path)) found.push_back(rule);
    }
    if (found.size() > 1) std::sort(found.begin(), found.end());
  }
};

IgnoreMatcher::IgnoreMatcher() : compiled_(std::make_shared<Compiled>()) {}

IgnoreMatcher IgnoreMatcher::parse(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::string> patterns;
  while (!text.empty()) {
    const auto newline = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    if (line.starts_with('#')) continue;
    std::string_view pattern = trim(line);
    if (pattern.empty()) continue;
    const bool exception = pattern.starts_with('!');
    if (exception) pattern = trim(pattern.substr(1));
    std::string body;
    if (!pattern.empty()) body = go_clean(pattern);
    if (body.size() > 1 && body.starts_with('/')) body.erase(0, 1);
    patterns.push_back((exception ? "!" : "") + body);
  }
  return from_patterns(patterns);
}

IgnoreMatcher IgnoreMatcher::from_patterns(const std::vector<std::string>& patterns) {
  auto compiled = std::make_shared<Compiled>();
  for (const auto& written : patterns) {
    const std::string_view trimmed = trim(written);
    if (trimmed.empty()) continue;
    std::string pattern = go_clean(trimmed);
    const bool exception = pattern.starts_with('!');
    if (exception) pattern.erase(0, 1);
    if (exception && pattern.empty()) throw io::Error(io::ErrorKind::context, "illegal exclusion pattern: \"!\"");
    compiled->add(pattern, exception);
  }
  IgnoreMatcher matcher;
  matcher.compiled_ = std::move(compiled);
  return matcher;
}

bool IgnoreMatcher::decide(const Directory& parent, std::string_view path, Directory* result) const {
  thread_local std::vector<std::uint32_t> own;
  own.clear();
  compiled_->find(path, own);
  if (result) result->matched.clear();
  bool ignored = false;
  const auto take = [&](std::uint32_t rule) {
    ignored = !compiled_->exceptions[rule];
    if (result) result->matched.push_back(rule);
  };
  auto inherited = parent.matched.begin();
  auto found = own.begin();
  while (inherited != parent.matched.end() || found != own.end()) {
    const bool from_parent = found == own.end() || (inherited != parent.matched.end() && *inherited <= *found);
    if (from_parent) {
      if (found != own.end() && *found == *inherited) ++found;
      take(*inherited++);
    } else {
      // Not looked at when it would change nothing: then its children do not inherit it either.
      if (compiled_->exceptions[*found] == ignored) take(*found);
      ++found;
    }
  }
  if (result) result->ignored = ignored;
  return ignored;
}

bool IgnoreMatcher::ignored(std::string_view path) const {
  Directory parent;
  for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    Directory directory;
    decide(parent, path.substr(0, slash), &directory);
    parent = std::move(directory);
  }
  return decide(parent, path, nullptr);
}

bool IgnoreMatcher::may_reinclude_below(std::string_view directory) const {
  if (compiled_->exception_starts.empty()) return false;
  const std::string prefix = directory.empty() ? "" : std::string(directory) + "/";
  return std::any_of(compiled_->exception_starts.begin(), compiled_->exception_starts.end(),
                     [&](const std::string& start) { return start.starts_with(prefix) || prefix.starts_with(start); });
}

bool IgnoreMatcher::empty() const { return compiled_->exceptions.empty(); }

bool IgnoreWalk::visit(std::string_view path, bool is_directory) {
  if (matcher_.empty()) return false;
  while (!open_.empty() && !(path.size() > open_.back().path.size() && path[open_.back().path.size()] == '/' &&
                             path.starts_with(open_.back().path))) {
    open_.pop_back();
  }
  const IgnoreMatcher::Directory root;
  const IgnoreMatcher::Directory& parent = open_.empty() ? root : open_.back().directory;
  if (!is_directory) return matcher_.decide(parent, path, nullptr);
  Open entered{std::string(path), {}};
  const bool ignored = matcher_.decide(parent, path, &entered.directory);
  open_.push_back(std::move(entered));
  return ignored;
}

bool path_match(std::string_view pattern, std::string_view path) { return Glob(pattern, Glob::Syntax::path).matches(path); }

}  // namespace kiln::engine
