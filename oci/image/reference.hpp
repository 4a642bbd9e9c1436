// Image references in Docker's normal form (distribution/reference): the registry and tag that a short name leaves out.
//   "debian"              -> docker.io / library/debian : latest
//   "host:5000/a/b:t@sha256:.." -> host:5000 / a/b : t @ sha256:..
#pragma once

#include <string>
#include <string_view>

#include "oci/image/digest.hpp"

namespace kiln::oci {

struct Reference {
  std::string registry;    // "docker.io", "host", "host:port"; "index.docker.io" is normalised to "docker.io"
  std::string repository;  // with "library/" for Docker Hub's own
  std::string tag;         // "latest" when neither tag nor digest was written; empty with a digest alone
  Digest digest;           // empty when not written

  std::string repository_name() const;  // registry/repository
  std::string text() const;             // the whole normal form
  std::string familiar() const;         // as Docker prints it: without docker.io/ and library/
  // What a manifest is asked by: the digest where there is one, else the tag.
  std::string manifest_reference() const;

  friend bool operator==(const Reference&, const Reference&) = default;
};

// Throws io::Error(usage) naming the text and what is wrong with it.
Reference parse_reference(std::string_view text);

}  // namespace kiln::oci
