// Where layers of earlier builds are kept: one entry a key.
//
// registry   `repository:<key>`: an image with one layer, as Kaniko's cache has it, so that retention rules written for that
//            keep working. Key, diff id and time are annotations of the manifest: a look-up is one request.
// layout     `oci:/dir`: an oci::ImageStore, where an entry's name is its key; base images may be in the same one.
// An entry counts only if it names the key that it was looked up by; its blob is checked against its digest when it is read.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/loop/runtime.hpp"
#include "oci/registry/hub.hpp"
#include "oci/store/image_store.hpp"

namespace kiln::engine {

struct CachedLayer {
  oci::Descriptor layer;
  oci::Digest diff_id;
  std::int64_t created = 0;  // seconds since the epoch
  std::string step;          // the instruction, for people
  std::string before;        // the key of the entry that a build must have before it can use this one; empty: none
  oci::Registry* registry = nullptr;
  std::string repository;  // in `registry`
  oci::BlobFilePtr file;   // of a layout
};

// What a store holds, for lists.
struct StoredEntry {
  enum class Kind { layer, image, mount, files };
  Kind kind = Kind::layer;
  std::string name;    // the key; of a base image its reference; of a cache mount its tag
  std::string before;  // as CachedLayer's
  oci::Digest manifest;
  std::int64_t created = 0;                          // seconds since the epoch
  std::int64_t used = 0;                             // the same; 0: the store does not know
  std::int64_t needed_created = 0, needed_used = 0;  // of the youngest entry that needs it (retention.hpp)
  std::uint64_t size = 0;                            // bytes of its layers
  std::string step;                                  // of a cache mount its id
  std::string problem;                               // why it cannot be used; empty: nothing
};

// What is to go. A limit that is unset lets everything stay; what cannot be used goes always. An entry is as young, and was used as
// lately, as the youngest of those that need it.
struct PruneLimits {
  std::optional<std::int64_t> created_after;  // seconds since the epoch
  std::optional<std::int64_t> used_after;
  std::optional<std::uint64_t> size;  // bytes; the entries used last stay
  bool dry_run = false;
};

struct Pruned {
  std::vector<StoredEntry> entries;
  std::uint64_t bytes = 0;
};

class CacheStore {
 public:
  virtual ~CacheStore() = default;
  // The entry, or nothing. Errors: io::Error of any kind; an entry that makes no sense is Error(integrity).
  virtual io::Task<std::optional<CachedLayer>> find(std::string key) = 0;
  // Writes an entry for the complete `blob`. `mount_from`: a repository of the same registry that has the blob; may be empty.
  virtual io::Task<void> put(std::string key, CachedLayer entry, oci::SpoolBlobPtr blob, std::string mount_from) = 0;
  // The config of a base image (base_config.hpp), or nothing. Errors as find().
  virtual io::Task<std::optional<std::string>> find_config(std::string key, oci::Descriptor config) = 0;
  // `name`: of the base, for people.
  virtual io::Task<void> put_config(std::string key, oci::Descriptor config, std::string bytes, std::string name) = 0;
  // A small document beside the entries (input_record.hpp), or nothing. Errors as find().
  virtual io::Task<std::optional<std::string>> find_document(std::string name) = 0;
  virtual io::Task<void> put_document(std::string name, std::string bytes) = 0;
  // Deletes entries that are older than `age` and then those used longest ago, until all have at most `size` bytes; of a layout.
  virtual io::Task<void> trim(std::chrono::seconds /*age*/, std::uint64_t /*size*/) { co_return; }
  // Everything, the newest first.
  virtual io::Task<std::vector<StoredEntry>> list() = 0;
  // Errors: io::Error(unsupported) for a limit that the store cannot know, and where nothing can be deleted.
  virtual io::Task<Pruned> prune(PruneLimits limits) = 0;
  // The registry's host, to know what can be mounted; empty for a layout.
  virtual std::string host() const = 0;
  // Whether the registry has given a sign of life in the last seconds: after a failure, whether others will fail, too.
  virtual bool alive() const { return true; }
};

// The directory of "oci:/dir", absolute; nothing for a repository.
std::optional<std::string> layout_directory(const std::string& place);

// `place`: "oci:/dir" or a repository. Errors: io::Error(usage) naming it.
std::unique_ptr<CacheStore> open_cache_store(io::Runtime& runtime, oci::RegistryHub& hub, const std::string& place);

}  // namespace kiln::engine
