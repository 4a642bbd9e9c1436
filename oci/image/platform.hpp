// os/arch[/variant], normalised as containerd does (x86_64 -> amd64, aarch64 -> arm64, arm64/v8 -> arm64, ...).
#pragma once

#include <string>
#include <string_view>

namespace kiln::oci {

struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;
  std::string os_version;

  std::string text() const;  // os/arch[/variant]
  friend bool operator==(const Platform&, const Platform&) = default;
};

// The one spelling of names that mean the same (containerd's platforms.Normalize).
void normalise(Platform& platform);
// Throws io::Error(usage) naming the text.
Platform parse_platform(std::string_view text);
Platform host_platform();

}  // namespace kiln::oci
