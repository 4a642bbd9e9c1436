#include "engine/dockerfile/pattern.hpp"

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

Pattern::Pattern(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '*') {
      items_.push_back({Kind::any_run, 0});
    } else if (c == '?') {
      items_.push_back({Kind::any_one, 0});
    } else if (c != '\\') {
      items_.push_back({Kind::literal, c});
    } else {
      const char next = i + 1 < text.size() ? text[++i] : '\0';
      if (next != '*' && next != '?' && next != '\\') {
        throw io::Error(io::ErrorKind::dockerfile, fmt::format("invalid escape '\\{}' in pattern \"{}\"", next, text));
      }
      items_.push_back({Kind::literal, next});
    }
  }
}

// Greedy with one point to go back to: linear in practice, never exponential.
bool Pattern::matches(std::string_view text) const {
  std::size_t item = 0, at = 0, back_item = std::string::npos, back_at = 0;
  while (at < text.size()) {
    if (item < items_.size() && items_[item].kind == Kind::any_run) {
      back_item = item++;
      back_at = at;
    } else if (item < items_.size() && (items_[item].kind == Kind::any_one || items_[item].value == text[at])) {
      ++item;
      ++at;
    } else if (back_item != std::string::npos) {
      item = back_item + 1;
      at = ++back_at;
    } else {
      return false;
    }
  }
  while (item < items_.size() && items_[item].kind == Kind::any_run) ++item;
  return item == items_.size();
}

std::string Pattern::drop_prefix(const std::string& value, bool longest) const {
  const std::string_view view(value);
  for (std::size_t i = 0; i <= view.size(); ++i) {
    const std::size_t length = longest ? view.size() - i : i;
    if (matches(view.substr(0, length))) return value.substr(length);
  }
  return value;
}

std::string Pattern::drop_suffix(const std::string& value, bool longest) const {
  const std::string_view view(value);
  for (std::size_t i = 0; i <= view.size(); ++i) {
    const std::size_t begin = longest ? i : view.size() - i;
    if (matches(view.substr(begin))) return value.substr(0, begin);
  }
  return value;
}

std::string Pattern::replace(const std::string& value, const std::string& by, bool all) const {
  if (items_.empty()) return value;
  const std::string_view view(value);
  std::string result;
  std::size_t at = 0;
  bool replaced = false;
  while (at < view.size()) {
    std::size_t length = 0;
    for (std::size_t candidate = view.size() - at; candidate > 0 && length == 0 && (all || !replaced); --candidate) {
      if (matches(view.substr(at, candidate))) length = candidate;
    }
    if (length == 0) {
      result += view[at++];
      continue;
    }
    result += by;
    at += length;
    replaced = true;
  }
  return result;
}

}  // namespace kiln::engine::dockerfile
