// Keys of the layer cache: what identifies a step's result before the step has run.
//
// A key covers everything that can change the step's layer and nothing else: the key of the state before it (down to the
// digest of the base image's manifest and the platform), the instruction after expansion, the variables that a RUN sees,
// user, directory, and what a COPY reads: names, types, modes, owners, links, attributes and bytes; not times. Proxy
// variables and the values of secrets are in no key. Fields are framed with their lengths, so that no two inputs meet in one
// text, and the version stands in front: a change of rules is a new version and never a wrong hit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/codec/digest.hpp"

namespace kiln::engine {

inline constexpr std::string_view cache_key_version = "kiln-cache-1";

// Collects the fields of one key.
class KeyBuilder {
 public:
  explicit KeyBuilder(std::string_view kind);

  KeyBuilder& field(std::string_view name, std::string_view value);
  KeyBuilder& list(std::string_view name, const std::vector<std::string>& values);
  KeyBuilder& number(std::string_view name, std::uint64_t value);

  // 64 hexadecimal digits, as Kaniko's cache tags. Once.
  std::string finish();

 private:
  void frame(std::string_view text);
  io::Sha256 hash_;
};

}  // namespace kiln::engine
