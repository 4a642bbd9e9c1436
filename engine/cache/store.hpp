// Where layers of earlier builds are kept: one entry a key.
//
// registry   `repository:<key>`: an image with one layer, as Kaniko's cache has it, so that retention rules written for that
//            keep working. Key, diff id and time are annotations of the manifest: a look-up is one request.
// layout     `oci:/dir`: each entry is an OCI layout of its own in the directory `/dir:<key>`.
// An entry counts only if it names the key that it was looked up by; its blob is checked against its digest when it is read.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "io/loop/runtime.hpp"
#include "oci/registry/hub.hpp"

namespace kiln::engine {

struct CachedLayer {
  oci::Descriptor layer;
  oci::Digest diff_id;
  std::int64_t created = 0;  // seconds since the epoch
  oci::Registry* registry = nullptr;
  std::string repository;  // in `registry`
  std::string file;        // of a layout: the blob's path
};

class CacheStore {
 public:
  virtual ~CacheStore() = default;
  // The entry, or nothing. Errors: io::Error of any kind; an entry that makes no sense is Error(integrity).
  virtual io::Task<std::optional<CachedLayer>> find(std::string key) = 0;
  // Writes an entry for the complete `blob`. `mount_from`: a repository of the same registry that has the blob; may be empty.
  virtual io::Task<void> put(std::string key, CachedLayer entry, oci::SpoolBlobPtr blob, std::string mount_from) = 0;
  // The registry's host, to know what can be mounted; empty for a layout.
  virtual std::string host() const = 0;
};

// `place`: "oci:/dir" or a repository. Errors: io::Error(usage) naming it.
std::unique_ptr<CacheStore> open_cache_store(io::Runtime& runtime, oci::RegistryHub& hub, const std::string& place);

}  // namespace kiln::engine
