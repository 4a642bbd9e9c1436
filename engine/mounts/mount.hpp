// RUN --mount: the grammar, typed and checked. Rules and error texts are those of BuildKit's frontend
// (instructions/commands_runmount.go, dockerfile2llb/convert_runmount.go).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

struct Mount {
  enum class Type { bind, cache, tmpfs, secret, ssh };
  enum class Sharing { shared, private_, locked };

  Type type = Type::bind;
  std::string target;  // absolute and cleaned once placed; empty for a secret that is only a variable
  std::string source;  // within `from`; for a secret: its id
  std::string from;    // stage, image or named context; empty: the build context (cache: nothing)
  std::string id;      // cache, secret, ssh
  std::optional<Sharing> sharing;
  std::optional<std::uint32_t> mode, uid, gid;
  std::optional<std::string> env;  // secret: the variable that gets it
  std::uint64_t size = 0;          // tmpfs, bytes; 0: no limit
  bool read_only = true;
  bool required = false;
  std::string text;  // as written, for messages
};

std::string_view name_of(Mount::Type type);

using ExpandWord = std::function<std::string(const std::string& word)>;

// One --mount's text. Errors: io::Error(dockerfile).
Mount parse_mount(const std::string& text, const ExpandWord& expand);

// What a mount's from= names, before variables are known; empty when nothing has to be there. Errors: io::Error(dockerfile)
// for a variable in it.
std::string mount_from(const std::string& text);

// Fills in default targets and ids, joins relative targets to `working_directory`, drops all but the last of several mounts
// on one target, and sorts by target, so that a mount comes before those inside it. Errors: io::Error(dockerfile) for "/".
void place_mounts(std::vector<Mount>& mounts, const std::string& working_directory);

}  // namespace kiln::engine
