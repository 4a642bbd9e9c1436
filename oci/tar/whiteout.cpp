#include "oci/tar/whiteout.hpp"

namespace kiln::oci {

namespace {

// Splits "a/b" into "a/" and "b".
std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

}  // namespace

Whiteout parse_whiteout(std::string_view path) {
  const auto [directory, name] = split(path);
  Whiteout whiteout{WhiteoutKind::none, std::string(path)};
  if (!name.starts_with(whiteout_prefix)) return whiteout;
  if (name == opaque_name) {
    whiteout.kind = WhiteoutKind::opaque;
    whiteout.path = directory.empty() ? std::string() : std::string(directory.substr(0, directory.size() - 1));
  } else if (name.starts_with(".wh..wh.") || name == whiteout_prefix) {
    whiteout.path.clear();
  } else {
    whiteout.kind = WhiteoutKind::file;
    whiteout.path = std::string(directory) + std::string(name.substr(whiteout_prefix.size()));
  }
  return whiteout;
}

std::string whiteout_path(std::string_view path) {
  const auto [directory, name] = split(path);
  return std::string(directory) + std::string(whiteout_prefix) + std::string(name);
}

}  // namespace kiln::oci
