#include "engine/dockerfile/words.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/dockerfile/suggest.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

[[noreturn]] void fail(const std::string& what) { throw io::Error(io::ErrorKind::dockerfile, what); }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// One flag word off the front, quotes and escapes resolved.
std::string take_flag_word(std::string_view& text, char escape) {
  std::string word;
  char quote = 0;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && is_blank(c)) break;
    if (c == escape && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      word += c;
    }
  }
  text.remove_prefix(i);
  return word;
}

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (!is_blank(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::vector<std::string> split_quoted_words(std::string_view text, char escape) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == escape && quote != '\'' && i + 1 < text.size()) {
      word += c;
      word += text[++i];
    } else if (quote == 0 && is_blank(c)) {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
    } else {
      if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      }
      word += c;
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::optional<std::vector<std::string>> parse_json_words(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  if (!text.starts_with('[')) return std::nullopt;
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_array()) return std::nullopt;
  std::vector<std::string> words;
  for (const auto& item : document) {
    if (!item.is_string()) fail("only string type is allowed in JSON format arrays");
    words.push_back(item.get<std::string>());
  }
  return words;
}

Flags::Flags(std::string_view& text, const std::map<std::string, FlagKind>& known, char escape) {
  while (true) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    if (!text.starts_with("--")) return;
    const std::string word = take_flag_word(text, escape);
    if (word == "--") return;
    const auto equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
    const auto found = known.find(name);
    if (found == known.end()) {
      std::vector<std::string> names;
      for (const auto& entry : known) names.push_back(entry.first);
      fail(fmt::format("unknown flag: --{}{}", name, did_you_mean(name, names)));
    }
    if (found->second != FlagKind::list && values_.contains(name)) fail(fmt::format("duplicate flag specified: {}", name));
    std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (found->second == FlagKind::boolean) {
      if (equals == std::string::npos) value = "true";
      value = lower(value);
      if (value.empty()) fail(fmt::format("missing a value on flag: --{}", name));
      if (value != "true" && value != "false") fail(fmt::format("expecting boolean value for flag --{}, not: {}", name, value));
    } else if (equals == std::string::npos) {
      fail(fmt::format("missing a value on flag: --{}", name));
    }
    values_[name].push_back(std::move(value));
  }
}

std::optional<bool> Flags::optional_boolean(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front() == "true";
}
bool Flags::boolean(const std::string& name) const { return optional_boolean(name).value_or(false); }
std::optional<std::string> Flags::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front();
}
std::vector<std::string> Flags::list(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace kiln::engine::dockerfile
