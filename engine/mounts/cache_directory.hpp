// The directories behind RUN --mount=type=cache: kept between builds, shared or locked between RUNs and processes.
//
// ROOT/<sha256 of the key>[-N]/{lock,data}; N: further instances of a private cache. A lock is an flock on `lock`, so it ends
// with its process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/mounts/mount.hpp"
#include "io/base/fd.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// What makes two cache mounts the same one. As with BuildKit, another owner, mode or seed is another cache.
struct CacheKey {
  std::string id;
  std::string seed;  // from= and source=, and what is there; empty: nothing
  std::uint32_t mode = 0755, uid = 0, gid = 0;
  std::string hash() const;
};

class CacheDirectory {
 public:
  CacheDirectory(std::string path, io::UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  const std::string& path() const { return path_; }
  std::string data() const { return path_ + "/data"; }  // absolute
  bool filled() const;                                  // data() is there
  // A directory to prepare new data in, empty.
  std::string fresh() const;
  // Makes it data(), unless somebody else was faster.
  void adopt(const std::string& fresh) const;

 private:
  std::string path_;
  io::UniqueFd lock_;
};

// Waits for the lock: shared by any number of holders, locked by one; private takes an instance that nobody holds.
// `on_wait` is called once if it takes longer than a moment. Cancellable. Errors: io::Error(filesystem) naming the directory;
// one that belongs to another user is refused.
io::Task<std::unique_ptr<CacheDirectory>> open_cache(std::string root, CacheKey key, Mount::Sharing sharing,
                                                     std::function<void()> on_wait);

// Shared with others, at the path of one that was open before; null when somebody has locked it.
std::unique_ptr<CacheDirectory> try_open_cache(const std::string& path);

}  // namespace kiln::engine
