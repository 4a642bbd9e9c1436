#include "engine/context/glob.hpp"

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

[[noreturn]] void malformed(std::string_view pattern) {
  throw io::Error(io::ErrorKind::context, fmt::format("syntax error in pattern '{}'", pattern));
}

}  // namespace

Glob::Glob(std::string_view pattern, bool double_star) {
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (double_star && pattern.substr(i).starts_with("**")) {
      literal_ = false;
      i += 2;
      const bool directories = i < pattern.size() && pattern[i] == '/';
      if (directories) ++i;
      items_.push_back({directories ? Kind::any_directories : Kind::any_path});
    } else if (c == '*') {
      literal_ = false;
      if (items_.empty() || items_.back().kind != Kind::any_run) items_.push_back({Kind::any_run});
      ++i;
    } else if (c == '?') {
      literal_ = false;
      items_.push_back({Kind::any_one});
      ++i;
    } else if (c == '[') {
      literal_ = false;
      i = parse_set(pattern, i + 1);
    } else {
      if (c == '\\' && ++i == pattern.size()) malformed(pattern);
      items_.push_back({Kind::character, pattern[i]});
      text_ += pattern[i];
      ++i;
    }
  }
}

// After '[': ranges up to ']'.
std::size_t Glob::parse_set(std::string_view pattern, std::size_t at) {
  Set set;
  if (at < pattern.size() && pattern[at] == '^') {
    set.negated = true;
    ++at;
  }
  const auto take = [&] {
    if (at < pattern.size() && pattern[at] == '\\') ++at;
    if (at >= pattern.size()) malformed(pattern);
    return static_cast<unsigned char>(pattern[at++]);
  };
  while (true) {
    if (at >= pattern.size()) malformed(pattern);
    if (pattern[at] == ']' && !set.ranges.empty()) break;
    if (pattern[at] == ']' || pattern[at] == '-') malformed(pattern);
    const unsigned char low = take();
    unsigned char high = low;
    if (at < pattern.size() && pattern[at] == '-') {
      ++at;
      high = take();
    }
    set.ranges.emplace_back(low, high);
  }
  items_.push_back({Kind::set, 0, sets_.size()});
  sets_.push_back(std::move(set));
  return at + 1;
}

bool Glob::match_one(const Item& item, char c) const {
  if (item.kind == Kind::character) return item.value == c;
  if (c == '/') return false;
  if (item.kind == Kind::any_one) return true;
  const Set& set = sets_[item.set];
  const auto byte = static_cast<unsigned char>(c);
  for (const auto& [low, high] : set.ranges) {
    if (byte >= low && byte <= high) return !set.negated;
  }
  return set.negated;
}

bool Glob::match(std::size_t item, std::string_view path, std::size_t at) const {
  for (; item < items_.size(); ++item) {
    const Item& current = items_[item];
    switch (current.kind) {
      case Kind::any_run:
        for (std::size_t end = at;; ++end) {
          if (match(item + 1, path, end)) return true;
          if (end == path.size() || path[end] == '/') return false;
        }
      case Kind::any_path:
        for (std::size_t end = at; end <= path.size(); ++end) {
          if (match(item + 1, path, end)) return true;
        }
        return false;
      case Kind::any_directories:
        for (std::size_t end = at;;) {
          if (match(item + 1, path, end)) return true;
          const auto slash = path.find('/', end);
          if (slash == std::string_view::npos) return false;
          end = slash + 1;
        }
      default:
        if (at == path.size() || !match_one(current, path[at])) return false;
        ++at;
    }
  }
  return at == path.size();
}

}  // namespace kiln::engine
