// Cache mounts that survive the pod (--cache-mounts=registry): taken from the cache's repository when a RUN wants one that this
// machine does not have, and sent there at the end.
//
// A mount is a manifest, by its id, whose layers are chunks of the mount's index and contents (cache_archive.hpp, chunker.hpp),
// each a zstd frame. Chunks that the manifest found had are neither compressed nor sent again. Every chunk is checked twice: the
// blob's digest as it comes in, and what it holds against the descriptor's annotation. Of two pods that end at once the later one's
// mount stays. Trouble is a warning and never an error: a RUN then finds an empty mount, as it would in a fresh pod.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "engine/build/session.hpp"
#include "engine/cache/patience.hpp"
#include "engine/mounts/cache_directory.hpp"
#include "engine/mounts/chunker.hpp"
#include "io/loop/task_group.hpp"
#include "oci/output/image.hpp"

namespace kiln::engine {

class MountExchange {
 public:
  // Errors: io::Error(usage or unsupported) when the cache is in no repository.
  explicit MountExchange(Session& session);

  // Fills a cache that is not filled, if the repository has it.
  io::Task<void> fetch(CacheKey key, const CacheDirectory& cache);
  // It is to be sent when the build has ended. Its lock is given up by then.
  void note_use(const CacheKey& key, const CacheDirectory& cache);

  // Sends what has been used and is not being used by others, beside what else is to be done until finish().
  void start_sending();
  io::Task<void> finish();
  void cancel() { sending_.cancel(); }

 private:
  struct Known;  // a mount in the repository
  struct Sending;
  struct Restoring;
  struct RawChunk;

  static std::string tag_of(const CacheKey& key);
  io::Task<std::optional<Known>> find(std::string tag);
  io::Task<void> get_manifest(std::string tag, std::optional<oci::RawManifest>& raw);
  io::Task<void> restore(Known known, std::string directory);
  io::Task<void> fetch_chunk(oci::Descriptor chunk, std::string& bytes);
  io::Task<void> send_or_warn(CacheKey key, std::string path);
  io::Task<void> send(CacheKey key, std::string path);
  io::Task<void> send_mount(Sending& sending, CacheKey key, std::string data);
  io::Task<void> send_some(Sending& sending, const Chunker& chunker, const std::string& data);
  io::Task<void> send_chunk(Sending& sending, std::size_t number, std::shared_ptr<const std::vector<std::byte>> bytes);

  Session& session_;
  oci::Registry& reader_;
  oci::Registry& writer_;
  std::string repository_;
  std::map<std::string, std::pair<CacheKey, std::string>> used_;  // by tag: key and directory
  std::set<std::string> left_alone_;                              // tags
  Patience reading_;
  bool gone_ = false;  // the registry, which has been told
  io::TaskGroup sending_;
};

}  // namespace kiln::engine
