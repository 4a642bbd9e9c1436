#include "engine/dockerfile/directives.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

std::string_view without_shebang(std::string_view text) {
  if (!text.starts_with("#!")) return text;
  return text.substr(std::min(text.find('\n'), text.size() - 1) + 1);
}

bool is_known(const std::string& key) { return key == "syntax" || key == "escape" || key == "check"; }

// The value of `key` in the unbroken run of directives; nothing when the run is not good.
std::optional<std::string> find_directive(std::string_view text, std::string_view key, std::string_view prefix) {
  std::optional<std::string> value;
  std::set<std::string> seen;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto directive = parse_directive(trim(text.substr(0, end)), prefix);
    if (!directive || !is_known(directive->first)) return value;
    if (!seen.insert(directive->first).second) return std::nullopt;
    if (directive->first == key) value = directive->second;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return value;
}

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

}  // namespace

std::optional<std::pair<std::string, std::string>> parse_directive(std::string_view line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return std::nullopt;
  line = trim(line.substr(prefix.size()));
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const std::string key = lower(trim(line.substr(0, equals)));
  const std::string_view value = trim(line.substr(equals + 1));
  const bool good = !key.empty() && std::isalpha(static_cast<unsigned char>(key.front())) && !value.empty() &&
                    std::all_of(key.begin(), key.end(), [](unsigned char c) { return std::isalnum(c); });
  if (!good) return std::nullopt;
  return std::pair(key, std::string(value));
}

std::string find_syntax(std::string_view text) {
  const std::string_view whole = without_shebang(without_mark(text));
  for (const std::string_view prefix : {"#", "//"}) {
    if (const auto value = find_directive(whole, "syntax", prefix)) return first_word(*value);
  }
  if (!trim_left(whole).starts_with('{')) return "";
  const auto document = nlohmann::json::parse(whole, nullptr, false);
  if (!document.is_object() || !document.contains("syntax") || !document["syntax"].is_string()) return "";
  return first_word(document["syntax"].get<std::string>());
}

std::string find_check(std::string_view text) {
  return find_directive(without_shebang(without_mark(text)), "check", "#").value_or("");
}

void check_frontend(std::string_view reference) {
  if (reference.empty() || reference == "dockerfile.v0") return;
  std::string_view name = reference.substr(0, reference.find('@'));
  if (const auto colon = name.rfind(':'); colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos) {
    name = name.substr(0, colon);
  }
  for (const std::string_view known : {"docker/dockerfile", "docker/dockerfile-upstream"}) {
    if (name == known || (name.ends_with(known) && name[name.size() - known.size() - 1] == '/')) return;
  }
  throw io::Error(
      io::ErrorKind::unsupported,
      fmt::format("the Dockerfile asks for the frontend image \"{}\" (# syntax=), which cannot be run here; built in is "
                  "docker/dockerfile. Take the line out, or set the build argument BUILDKIT_SYNTAX=docker/dockerfile:1",
                  reference));
}

void check_frontend_of(std::string_view text, std::string_view buildkit_syntax) {
  check_frontend(buildkit_syntax.empty() ? find_syntax(text) : std::string(buildkit_syntax));
}

}  // namespace kiln::engine::dockerfile
