#include "oci/image/platform.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

// containerd's platforms/database.go: normalizeArch.
void normalise(Platform& platform) {
  auto& arch = platform.architecture;
  auto& variant = platform.variant;
  if (arch == "x86_64" || arch == "x86-64") arch = "amd64";
  if (arch == "i386") arch = "386";
  if (arch == "aarch64") arch = "arm64";
  if (arch == "armhf") {
    arch = "arm";
    variant = "v7";
  }
  if (arch == "armel") {
    arch = "arm";
    variant = "v6";
  }
  if (arch == "amd64" && variant == "v1") variant.clear();
  if (arch == "arm64" && (variant == "8" || variant == "v8")) variant.clear();
  if (arch == "arm" && (variant.empty() || variant == "7")) variant = "v7";
  if (arch == "arm" && (variant == "5" || variant == "6" || variant == "8")) variant = "v" + variant;
}

std::string Platform::text() const {
  std::string text = os + "/" + architecture;
  if (!variant.empty()) text += "/" + variant;
  return text;
}

Platform parse_platform(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= lower.size();) {
    const std::size_t slash = std::min(lower.find('/', at), lower.size());
    parts.push_back(lower.substr(at, slash - at));
    at = slash + 1;
  }
  const bool bad = parts.size() > 3 || std::any_of(parts.begin(), parts.end(), [](const auto& part) {
                     return part.empty() || part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") != std::string::npos;
                   });
  if (bad) throw io::Error(io::ErrorKind::usage, fmt::format("bad platform '{}': it is written os/arch or os/arch/variant", text));
  Platform platform = host_platform();
  if (parts.size() == 1) {
    if (parts[0] == "linux") return platform;
    platform.variant.clear();
    platform.architecture = parts[0];
  } else {
    platform.os = parts[0];
    platform.architecture = parts[1];
    platform.variant = parts.size() == 3 ? parts[2] : "";
  }
  normalise(platform);
  return platform;
}

Platform host_platform() {
  utsname names{};
  uname(&names);
  Platform platform;
  platform.architecture = names.machine;
  if (platform.architecture == "armv7l") platform.architecture = "armhf";
  normalise(platform);
  return platform;
}

}  // namespace kiln::oci
