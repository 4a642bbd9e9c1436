#include "engine/plan/path.hpp"

#include <vector>

namespace kiln::engine {

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    std::size_t slash = path.find('/', at);
    if (slash == std::string_view::npos) slash = path.size();
    const std::string_view part = path.substr(at, slash - at);
    at = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string cleaned;
  for (const auto part : parts) {
    if (!cleaned.empty()) cleaned += '/';
    cleaned += part;
  }
  return cleaned;
}

std::string absolute_path(std::string_view directory, std::string_view path, bool keep_trailing) {
  const bool trailing = path.ends_with('/') || path.ends_with("/.") || path == "." || path.empty();
  std::string joined(path);
  if (!path.starts_with('/')) joined = std::string(directory) + "/" + joined;
  std::string absolute = "/" + clean_path(joined);
  if (keep_trailing && trailing && absolute != "/") absolute += '/';
  return absolute;
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace kiln::engine
