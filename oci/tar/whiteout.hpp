// Whiteouts in layers (OCI image-spec layer.md, Whiteouts).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kiln::oci {

inline constexpr std::string_view whiteout_prefix = ".wh.";
inline constexpr std::string_view opaque_name = ".wh..wh..opq";

enum class WhiteoutKind { none, file, opaque };

struct Whiteout {
  WhiteoutKind kind = WhiteoutKind::none;
  std::string path;  // file: the path that goes; opaque: the directory whose older children go
};

// What the entry at `path` (cleaned) says. Other ".wh..wh." names (AUFS bookkeeping) are kind none with an empty path: skip.
Whiteout parse_whiteout(std::string_view path);
std::string whiteout_path(std::string_view path);  // "a/b" -> "a/.wh.b"

}  // namespace kiln::oci
