#include "engine/context/glob.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

[[noreturn]] void malformed(std::string_view pattern) {
  throw io::Error(io::ErrorKind::context, fmt::format("syntax error in pattern '{}'", pattern));
}

// The code point at `at`, and how many bytes it has.
std::pair<char32_t, std::size_t> decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first >= 0xF0 && first < 0xF8 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;
  if (length == 1 || first >= 0xF8 || at + length > text.size()) return {first, 1};
  char32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {first, 1};
    value = (value << 6U) | (byte(i) & 0x3FU);
  }
  return {value, length};
}

}  // namespace

bool has_wildcard(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\') {
      ++i;
    } else if (path[i] == '*' || path[i] == '?' || path[i] == '[') {
      return true;
    }
  }
  return false;
}

Glob::Glob(std::string_view pattern, Syntax syntax) : syntax_(syntax) {
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (syntax == Syntax::ignore && pattern.substr(i).starts_with("**")) {
      i += 2;
      if (i < pattern.size() && pattern[i] == '/') ++i;
      // Anything at the end; otherwise whole directories, whether a '/' was written or not.
      items_.push_back({i == pattern.size() ? Step::any_path : Step::any_directories});
    } else if (c == '*') {
      if (items_.empty() || items_.back().step != Step::any_run) items_.push_back({Step::any_run});
      ++i;
    } else if (c == '?') {
      items_.push_back({Step::any_one});
      ++i;
    } else if (c == '[') {
      i = parse_set(pattern, i + 1);
    } else {
      if (c == '\\' && ++i == pattern.size()) malformed(pattern);
      items_.push_back({Step::character, pattern[i]});
      ++i;
    }
  }
  classify(pattern);
}

void Glob::classify(std::string_view pattern) {
  const auto is_character = [](const Item& item) { return item.step == Step::character; };
  wildcards_ = static_cast<std::size_t>(std::count_if(
      items_.begin(), items_.end(), [](const Item& item) { return item.step >= Step::any_run && item.step < Step::set; }));
  const auto first_special = std::find_if_not(items_.begin(), items_.end(), is_character);
  for (auto item = items_.begin(); item != first_special; ++item) prefix_ += item->byte;
  const auto last_special = std::find_if_not(items_.rbegin(), items_.rend(), is_character).base();
  for (auto item = last_special; item != items_.end(); ++item) ending_ += item->byte;
  if (first_special == items_.end()) {
    kind_ = Kind::exact;
    text_ = prefix_;
  } else if (syntax_ == Syntax::ignore && pattern.starts_with("**") &&
             pattern.substr(2).find_first_of("*?[]\\") == std::string_view::npos) {
    // patternmatcher compares the end of the path here, so that "**.md" is any name that ends in ".md".
    kind_ = Kind::suffix;
    text_ = pattern.substr(2);
  }
}

char32_t Glob::parse_set_character(std::string_view pattern, std::size_t& at) const {
  if (at >= pattern.size() || pattern[at] == '-' || pattern[at] == ']') malformed(pattern);
  if (pattern[at] == '\\' && ++at >= pattern.size()) malformed(pattern);
  const auto [value, length] = decode(pattern, at);
  at += length;
  if (at >= pattern.size()) malformed(pattern);
  return value;
}

// After '[': ranges up to ']'.
std::size_t Glob::parse_set(std::string_view pattern, std::size_t at) {
  Set set;
  if (at < pattern.size() && pattern[at] == '^') {
    set.negated = true;
    ++at;
  }
  while (at >= pattern.size() || pattern[at] != ']' || set.ranges.empty()) {
    const char32_t low = parse_set_character(pattern, at);
    char32_t high = low;
    if (pattern[at] == '-') high = parse_set_character(pattern, ++at);
    if (high < low && syntax_ == Syntax::ignore) malformed(pattern);
    set.ranges.emplace_back(low, high);
  }
  items_.push_back({Step::set, 0, sets_.size()});
  sets_.push_back(std::move(set));
  return at + 1;
}

bool Glob::in_set(const Set& set, char32_t c) const {
  if (c == '/' && syntax_ == Syntax::path) return false;
  const bool listed =
      std::any_of(set.ranges.begin(), set.ranges.end(), [c](const auto& range) { return c >= range.first && c <= range.second; });
  return listed != set.negated;
}

// Backtracking; with more than two wildcards what has failed is remembered, which bounds it.
class Glob::Matching {
 public:
  Matching(const Glob& glob, std::string_view path) : glob_(glob), path_(path) {
    if (glob.wildcards_ > 2) failed_.resize(glob.items_.size() * (path.size() + 1));
  }

  bool from(std::size_t item, std::size_t at) {
    for (; item < glob_.items_.size(); ++item) {
      const Item& current = glob_.items_[item];
      if (current.step == Step::character) {
        if (at == path_.size() || path_[at] != current.byte) return false;
        ++at;
      } else if (current.step == Step::any_path) {
        return true;  // it is the last
      } else if (current.step == Step::any_run || current.step == Step::any_directories) {
        return wildcard(item, at);
      } else {
        if (at == path_.size()) return false;
        const auto [c, length] = decode(path_, at);
        if (current.step == Step::any_one ? c == '/' : !glob_.in_set(glob_.sets_[current.set], c)) return false;
        at += length;
      }
    }
    return at == path_.size();
  }

 private:
  bool wildcard(std::size_t item, std::size_t at) {
    if (!failed_.empty()) {
      if (failed_[item * (path_.size() + 1) + at]) return false;
    }
    const bool found = glob_.items_[item].step == Step::any_run ? run(item, at) : directories(item, at);
    if (!found && !failed_.empty()) failed_[item * (path_.size() + 1) + at] = true;
    return found;
  }

  bool run(std::size_t item, std::size_t at) {
    while (!from(item + 1, at)) {
      if (at == path_.size() || path_[at] == '/') return false;
      ++at;
    }
    return true;
  }

  bool directories(std::size_t item, std::size_t at) {
    while (!from(item + 1, at)) {
      const auto slash = path_.find('/', at);
      if (slash == std::string_view::npos) return false;
      at = slash + 1;
    }
    return true;
  }

  const Glob& glob_;
  std::string_view path_;
  std::vector<bool> failed_;
};

bool Glob::matches(std::string_view path) const {
  if (kind_ == Kind::exact) return path == text_;
  if (kind_ == Kind::suffix) return path.ends_with(text_) || (text_.starts_with('/') && path == std::string_view(text_).substr(1));
  if (!path.ends_with(ending_) || !path.starts_with(prefix_)) return false;
  return Matching(*this, path).from(0, 0);
}

}  // namespace kiln::engine
