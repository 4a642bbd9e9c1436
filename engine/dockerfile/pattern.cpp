#include "engine/dockerfile/pattern.hpp"

#include <fmt/format.h>

#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

Pattern::Pattern(std::string_view text) : text_(text) {
  const std::string_view all(text_);
  for (std::size_t at = 0; at < all.size();) {
    std::size_t length = rune_length(all.substr(at));
    if (all[at] == '*' || all[at] == '?') {
      items_.push_back({all[at] == '*' ? Kind::any_run : Kind::any_one, {}});
    } else {
      if (all[at] == '\\') {
        const std::string_view next =
            at + 1 < all.size() ? all.substr(at + 1, rune_length(all.substr(at + 1))) : std::string_view();
        if (next.empty() || std::string_view("*?\\}/").find(next) == std::string_view::npos) {
          throw io::Error(io::ErrorKind::dockerfile,
                          fmt::format("invalid pattern ({}) in substitution: invalid escape '\\{}'", text, next));
        }
        ++at;
        length = next.size();
      }
      items_.push_back({Kind::literal, all.substr(at, length)});
    }
    at += length;
  }
}

// All places in the pattern that the value can have led to, followed rune by rune: no way back, so no exponential cases.
std::optional<std::size_t> Pattern::match(std::string_view value, std::size_t at, bool longest) const {
  std::vector<char> now(items_.size() + 1), next(items_.size() + 1);
  const auto enter = [this](std::vector<char>& states, std::size_t state) {
    for (; !states[state]; ++state) {
      states[state] = 1;
      if (state == items_.size() || items_[state].kind != Kind::any_run) return;
    }
  };
  enter(now, 0);
  std::optional<std::size_t> end;
  while (true) {
    if (now[items_.size()]) end = at;
    if ((end && !longest) || at >= value.size()) return end;
    const std::string_view rune = value.substr(at, rune_length(value.substr(at)));
    bool alive = false;
    std::fill(next.begin(), next.end(), 0);
    for (std::size_t state = 0; state < items_.size(); ++state) {
      if (!now[state]) continue;
      const Item& item = items_[state];
      if (item.kind == Kind::literal ? item.rune != rune : rune == "\n") continue;
      enter(next, item.kind == Kind::any_run ? state : state + 1);
      alive = true;
    }
    if (!alive) return end;
    std::swap(now, next);
    at += rune.size();
  }
}

std::string Pattern::drop_prefix(const std::string& value, bool longest) const {
  return value.substr(match(value, 0, longest).value_or(0));
}

std::string Pattern::drop_suffix(const std::string& value, bool longest) const {
  const std::string_view view(value);
  std::size_t shortest_begin = value.size();
  bool found = false;
  for (std::size_t begin = 0;; begin += rune_length(view.substr(begin))) {
    if (match(view, begin, true) == value.size()) {
      if (longest) return value.substr(0, begin);
      shortest_begin = begin;
      found = true;
    }
    if (begin >= value.size()) break;
  }
  return found ? value.substr(0, shortest_begin) : value;
}

std::string Pattern::replace(const std::string& value, std::string_view by, bool all) const {
  const std::string_view view(value);
  std::string result;
  bool after_match = false;  // an empty match right after another one does not count
  for (std::size_t at = 0; at <= view.size();) {
    const auto end = match(view, at, true);
    if (end && !(*end == at && after_match)) {
      result += by;
      after_match = *end > at;
      if (!all) return result.append(view.substr(*end));
      if (*end > at) {
        at = *end;
        continue;
      }
    }
    after_match = false;
    if (at == view.size()) break;
    const std::size_t length = rune_length(view.substr(at));
    result += view.substr(at, length);
    at += length;
  }
  return result;
}

}  // namespace kiln::engine::dockerfile
