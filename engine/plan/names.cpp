#include "engine/plan/names.hpp"

#include <charconv>

#include <fmt/format.h>

#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using dockerfile::lower;

bool same_reference(const std::string& a, const std::string& b) {
  try {
    return oci::parse_reference(a).text() == oci::parse_reference(b).text();
  } catch (const io::Error&) {
    return false;
  }
}

}  // namespace

std::optional<int> as_index(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<int> stage_named(const Plan& plan, const std::string& name, int before) {
  for (int i = before - 1; i >= 0; --i) {
    const auto& from = std::get<dockerfile::From>(plan.file.stages[static_cast<std::size_t>(i)].from.body);
    if (!from.name.empty() && lower(from.name) == lower(name)) return i;
  }
  return std::nullopt;
}

std::optional<Source> context_named(const Plan& plan, const std::string& text, const oci::Platform& platform) {
  constexpr std::string_view image_scheme = "docker-image://";
  const std::string suffix = "::" + platform.text();
  for (const std::string& ending : {suffix, std::string()}) {
    for (const auto& [key, value] : plan.options.named_contexts) {
      if (!key.ends_with(ending) || (ending.empty() && key.find("::") != std::string::npos)) continue;
      const std::string name = key.substr(0, key.size() - ending.size());
      if (lower(name) != lower(text) && !same_reference(name, text)) continue;
      Source source;
      source.platform = platform;
      if (value == fmt::format("{}scratch", image_scheme)) return source;
      if (value.starts_with(image_scheme)) {
        source.kind = Source::Kind::image;
        source.image = oci::parse_reference(value.substr(image_scheme.size()));
      } else {
        source.kind = Source::Kind::context;
        source.context = key;
      }
      return source;
    }
  }
  return std::nullopt;
}

dockerfile::Lookup lookup_in(const std::map<std::string, std::string>& values) {
  return [&values](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(std::string(name));
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

}  // namespace kiln::engine
