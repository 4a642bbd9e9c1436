// One entry of a layer's tar: what a path is, without its bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace kiln::oci {

enum class FileType : std::uint8_t { regular, directory, symlink, hard_link, char_device, block_device, fifo };

struct FileTime {
  std::int64_t seconds = 0;  // since the epoch; may be negative
  std::uint32_t nanoseconds = 0;
  friend auto operator<=>(const FileTime&, const FileTime&) = default;
};

using Xattrs = std::map<std::string, std::string>;  // full names: "security.capability", "user.x"; values are bytes

struct TarEntry {
  std::string path;  // relative, cleaned: no leading or trailing '/', no ".", never empty except for the root itself
  FileType type = FileType::regular;
  std::uint32_t mode = 0644;  // permission bits with setuid, setgid and sticky: 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  FileTime mtime;
  std::uint64_t size = 0;   // of a regular file's content, holes included
  std::string link_target;  // symlink: as written; hard_link: cleaned path within the archive
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  Xattrs xattrs;
};

}  // namespace kiln::oci
