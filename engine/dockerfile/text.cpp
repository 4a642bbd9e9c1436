#include "engine/dockerfile/text.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace kiln::engine::dockerfile {

namespace {

struct Rune {
  char32_t value = 0;
  std::size_t length = 0;  // 0: not UTF-8
};

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

// RFC 3629.
Rune decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = (lead & 0xe0U) == 0xc0 ? 2 : (lead & 0xf0U) == 0xe0 ? 3 : (lead & 0xf8U) == 0xf0 ? 4 : 0;
  if (length == 0 || text.size() < length) return {};
  char32_t value = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return {};
    value = (value << 6U) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < smallest[length] || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff) return {};
  return {value, length};
}

bool is_blank(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

template <class Change>
std::string changed(std::string_view text, Change change) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [&](char c) { return static_cast<char>(change(static_cast<unsigned char>(c))); });
  return result;
}

}  // namespace

std::size_t blank_length(std::string_view text) {
  if (text.empty()) return 0;
  const Rune rune = decode(text);
  return rune.length > 0 && is_blank(rune.value) ? rune.length : 0;
}

std::string_view trim_left(std::string_view text) {
  while (const std::size_t length = blank_length(text)) text.remove_prefix(length);
  return text;
}

std::string_view trim(std::string_view text) {
  text = trim_left(text);
  while (!text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && text.size() - at < 4 && is_continuation(text[at])) --at;
    if (blank_length(text.substr(at)) != text.size() - at) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

std::string lower(std::string_view text) {
  return changed(text, [](unsigned char c) { return std::tolower(c); });
}
std::string upper(std::string_view text) {
  return changed(text, [](unsigned char c) { return std::toupper(c); });
}

std::optional<bool> parse_boolean(std::string_view text) {
  for (const std::string_view yes : {"true", "1", "t", "T", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "0", "f", "F", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::size_t rune_length(std::string_view text) { return std::max<std::size_t>(decode(text).length, 1); }

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Rune rune = decode(text);
    if (rune.length == 0) return false;
    text.remove_prefix(rune.length);
  }
  return true;
}

std::string go_quoted(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const Rune rune = decode(text);
    const char c = text.front();
    constexpr std::string_view named = "\a\b\f\n\r\t\v";
    if (rune.length == 0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (const auto at = named.find(c); at != std::string_view::npos) {
      result += {'\\', "abfnrtv"[at]};
    } else if (rune.value < 0x20 || rune.value == 0x7f) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(rune.value));
    } else if (rune.value != ' ' && (is_blank(rune.value) || (rune.value >= 0x80 && rune.value < 0xa0))) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(rune.value));
    } else {
      result += text.substr(0, rune.length);
    }
    text.remove_prefix(std::max<std::size_t>(rune.length, 1));
  }
  return result + "\"";
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

}  // namespace kiln::engine::dockerfile
