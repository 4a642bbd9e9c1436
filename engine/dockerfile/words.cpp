#include "engine/dockerfile/words.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"

namespace kiln::engine::dockerfile {

namespace {

// The JSON array at the beginning of `text`: to the bracket that closes it, brackets in strings aside.
std::string_view leading_array(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if ((c == ']' || c == '}') && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return {};
}

FlagWord take_flag(std::string_view& text) {
  FlagWord flag;
  char quote = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const std::string_view rest = text.substr(i);
    if (quote == 0 && blank_length(rest) > 0) break;
    const char c = rest.front();
    if (c == '\\' && rest.size() > 1) {
      const std::size_t length = rune_length(rest.substr(1));
      flag.word += rest.substr(1, length);
      i += 1 + length;
      continue;
    }
    ++i;
    if (c == '\\') continue;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      flag.word += c;
    }
  }
  flag.written = text.substr(0, i);
  text.remove_prefix(i);
  return flag;
}

}  // namespace

std::string_view take_word(std::string_view& text) {
  const auto end = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_separator) - text.begin());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  while (!text.empty() && is_separator(text.front())) text.remove_prefix(1);
  return word;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::string_view word = take_word(text);
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

std::vector<std::string_view> split_quoted_words(std::string_view text, char escape) {
  std::vector<std::string_view> words;
  std::size_t begin = 0, i = 0;
  char quote = 0;
  const auto end_word = [&] {
    if (i > begin) words.push_back(text.substr(begin, i - begin));
  };
  while (i < text.size()) {
    const std::string_view rest = text.substr(i);
    const char c = rest.front();
    if (const std::size_t blank = quote == 0 ? blank_length(rest) : 0) {
      end_word();
      i += blank;
      begin = i;
    } else if (c == escape && quote != '\'') {
      if (rest.size() == 1) break;
      i += 1 + rune_length(rest.substr(1));
    } else {
      if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      }
      ++i;
    }
  }
  end_word();
  return words;
}

std::optional<std::vector<std::string>> parse_json_words(std::string_view text) {
  text = trim_left(text);
  if (!text.starts_with('[')) return std::nullopt;
  const auto document = nlohmann::json::parse(leading_array(text), nullptr, false);
  if (!document.is_array()) return std::nullopt;
  std::vector<std::string> words;
  for (const auto& item : document) {
    if (!item.is_string()) {
      throw WordError("when using JSON array syntax, arrays must be comprised of strings only", text);
    }
    words.push_back(item.get<std::string>());
  }
  return words;
}

std::vector<FlagWord> take_flags(std::string_view& text) {
  std::vector<FlagWord> flags;
  while (true) {
    text = trim_left(text);
    if (!text.starts_with("--")) return flags;
    FlagWord flag = take_flag(text);
    if (flag.word == "--") break;
    flags.push_back(std::move(flag));
  }
  text = trim_left(text);
  return flags;
}

Flags::Flags(const std::vector<FlagWord>& words, const std::map<std::string, FlagKind>& known) {
  for (const auto& word : words) add(word, known);
}

void Flags::add(const FlagWord& flag, const std::map<std::string, FlagKind>& known) {
  const auto fail = [&flag](const std::string& what) { throw WordError(what, flag.written); };
  const auto equals = flag.word.find('=');
  const bool has_value = equals != std::string::npos;
  const std::string name = flag.word.substr(2, has_value ? equals - 2 : std::string::npos);
  std::string value = has_value ? flag.word.substr(equals + 1) : "";
  const auto found = known.find(name);
  if (found == known.end()) {
    std::vector<std::string> names;
    for (const auto& entry : known) names.push_back(entry.first);
    fail(fmt::format("unknown flag: --{}{}", name, did_you_mean(name, names)));
  }
  if (found->second != FlagKind::list && values_.contains(name)) fail(fmt::format("duplicate flag specified: {}", name));
  if (found->second == FlagKind::boolean) {
    if (has_value && value.empty()) fail(fmt::format("missing a value on flag: --{}", name));
    value = has_value ? lower(value) : "true";
    if (value != "true" && value != "false") fail(fmt::format("expecting boolean value for flag --{}, not: {}", name, value));
  } else if (!has_value) {
    fail(fmt::format("missing a value on flag: --{}", name));
  }
  values_[name].push_back({std::move(value), flag.written});
}

std::optional<bool> Flags::optional_boolean(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front().value == "true";
}
bool Flags::boolean(const std::string& name) const { return optional_boolean(name).value_or(false); }
std::optional<std::string> Flags::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front().value;
}
std::vector<std::string> Flags::list(const std::string& name) const {
  std::vector<std::string> values;
  if (const auto found = values_.find(name); found != values_.end()) {
    for (const auto& value : found->second) values.push_back(value.value);
  }
  return values;
}
std::string_view Flags::written(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string_view() : found->second.front().written;
}

}  // namespace kiln::engine::dockerfile
