// Images on a disk that several builders share: an OCI image layout (image-spec, image-layout.md) with an index of many manifests,
// so that skopeo and others read it, too.
//
// Reading takes no lock and needs no right to write: index.json and blobs get their names when they are whole, and a blob that
// is open can be deleted. What adds an image holds the file .kiln-writers shared (flock) from its first blob to its entry,
// and .kiln-index while it replaces index.json. What deletes holds .kiln-writers alone: whatever no entry names then, half-written
// files of killed processes included, is garbage. The kernel ends a lock with its process, also between nodes over NFSv4.
//
// Plain functions for the waiting pool. Errors: io::Error(filesystem) naming the path; io::Error(integrity) for bytes that are
// not what their digest says.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/base/fd.hpp"
#include "oci/blob/spool.hpp"
#include "oci/image/manifest.hpp"
#include "oci/output/image.hpp"

namespace kiln::oci {

// An open blob. What it holds counts once verify() has read it.
struct BlobFile {
  std::string path;  // for messages
  io::UniqueFd fd;
  Descriptor descriptor;

  void verify() const;
  // Deletes it where that is allowed: it is damaged, and the next writer writes it anew.
  void discard() const noexcept;
};
using BlobFilePtr = std::shared_ptr<BlobFile>;

// An entry of index.json is a descriptor with these annotations: the name (ref_name_annotation), when it was written, and the
// index that the manifest was chosen from.
inline constexpr const char* stored_annotation = "kiln.stored";  // RFC 3339
inline constexpr const char* index_annotation = "kiln.index";    // a digest
std::string name_of(const Descriptor& entry);                    // empty: none

class ImageStore {
 public:
  explicit ImageStore(std::string directory);
  const std::string& directory() const noexcept { return directory_; }

  // The entries of index.json; none where there is no such file.
  std::shared_ptr<const std::vector<Descriptor>> entries() const;
  std::optional<Descriptor> find(std::string_view name) const;
  // By the digest of the manifest, or of the index that it was chosen from for `platform`.
  std::optional<Descriptor> find(const Digest& digest, const Platform& platform) const;

  // Null when there is no such blob, or one of another size.
  BlobFilePtr open_blob(const Descriptor& descriptor) const;
  std::string read_blob(const Descriptor& descriptor) const;  // a small one, verified; deleted if it is damaged

  // Seconds since the epoch; 0: not known.
  std::int64_t stored_at(const Descriptor& entry) const;
  std::int64_t used_at(const Descriptor& entry) const;    // the last note_use(), else when it was stored
  void note_use(const Descriptor& entry) const noexcept;  // where that is allowed

  // Adds one image: first its layers, then the rest. Errors: io::Error(filesystem), also when others keep the directory locked.
  class Writer {
   public:
    explicit Writer(const ImageStore& store);  // makes the directory
    // From several threads at once. A layer that is there already is left alone unless `replace`.
    void add(const Descriptor& layer, const SpoolBlob& blob, bool replace = false);
    // Config, manifest and the entry, in place of one of the same name and platform. The layers are there; `index` may be empty.
    void publish(const Image& image, const std::string& name, const Digest& index);

   private:
    void add_entry(Descriptor entry);
    const ImageStore& store_;
    io::UniqueFd lock_;
  };

  // What may stay.
  struct Limits {
    std::optional<std::int64_t> stored_after;  // seconds since the epoch
    std::optional<std::int64_t> used_after;
    std::optional<std::uint64_t> size;    // bytes of all blobs; the entries used last stay
    std::set<Digest> unwanted;            // manifests that go in any case
    std::map<Digest, std::int64_t> used;  // when a manifest was used, where that is not used_at()
    bool dry_run = false;
  };
  struct Pruned {
    std::vector<Descriptor> entries;  // that went, the incomplete ones included
    std::uint64_t bytes = 0;          // that were freed
  };
  // Nothing when others are at work here and `patient` is false; else waits for them, and fails when that takes a minute.
  std::optional<Pruned> prune(const Limits& limits, bool patient) const;
  // After writing: what was not used for `age` goes, then what was used longest ago until `size` bytes stay; not while others are
  // at work here, who will do it.
  void trim(std::chrono::seconds age, std::uint64_t size) const;

 private:
  std::string blob_path(const Digest& digest) const;
  std::optional<std::vector<Descriptor>> blobs_of(const Descriptor& entry) const;
  void write_index(const std::vector<Descriptor>& entries) const;

  std::string directory_;
  // index.json as it was read last.
  struct Known {
    std::uint64_t inode = 0;
    std::int64_t mtime = 0;  // nanoseconds
    std::uint64_t size = 0;
    friend bool operator==(const Known&, const Known&) = default;
  };
  mutable std::mutex mutex_;
  mutable Known known_;                                             // guarded by mutex_
  mutable std::shared_ptr<const std::vector<Descriptor>> entries_;  // guarded by mutex_
};

}  // namespace kiln::oci
