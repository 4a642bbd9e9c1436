// What a RUN finds mounted (userns) or placed (in place) while it runs.
#pragma once

#include <cstdint>
#include <string>

namespace kiln::engine {

struct SandboxMount {
  enum class Kind {
    bind,   // `source` of this machine, a directory or a file (sockets too)
    cache,  // the same, and what the command does to it stays
    tmpfs,
    file,  // a file that never touches a disk where mounts are possible: `bytes`
  };
  Kind kind = Kind::bind;
  std::string name;       // for messages: the mount as written
  std::string target;     // relative to the root, cleaned, symlinks resolved
  std::string source;     // bind, cache: absolute path outside
  bool directory = true;  // bind: `source` is one
  bool read_only = true;
  std::string upper;       // userns bind: a directory for what is written, thrown away later; empty: writes go to `source`
  std::uint64_t size = 0;  // tmpfs, bytes; 0: no limit
  std::string bytes;       // file
  std::uint32_t mode = 0400, uid = 0, gid = 0;  // file

  bool is_directory() const { return kind == Kind::cache || kind == Kind::tmpfs || (kind == Kind::bind && directory); }
};

}  // namespace kiln::engine
