// The layer cache of one build: look-ups before steps run, entries written beside the build.
//
// Trouble with the cache is a warning and never an error: after it the build goes on without.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/build/layers.hpp"
#include "engine/cache/store.hpp"

namespace kiln::engine {

class LayerCache {
 public:
  explicit LayerCache(Session& session);

  // One look-up for every key, all at once. Gives the layers of the longest run of hits from the first key on: what follows a
  // step that has to run again may not be taken from another run.
  io::Task<std::vector<ImageLayerPtr>> find(std::vector<std::string> keys);

  // Writes an entry once the layer is complete, with the instruction's text for people; where the build pushes it to the cache's
  // registry it is mounted from there.
  void remember(std::string key, std::string step, ImageLayerPtr layer, bool published);

  // Waits for the entries that are being written. `pushing`: layers are still being pushed; else the entries do not wait
  // for it any more.
  io::Task<void> finish(bool pushing);
  void cancel() { writes_.cancel(); }

 private:
  io::Task<void> look_up(const std::string& key, std::optional<CachedLayer>& found);
  io::Task<void> write(std::string key, std::string step, ImageLayerPtr layer, std::string mount_from);
  io::Task<void> write_or_warn(std::string key, std::string step, ImageLayerPtr layer, std::string mount_from);
  io::Task<void> trim();
  ImageLayerPtr layer_of(const CachedLayer& cached) const;
  std::string mountable_repository() const;
  void trouble(const std::string& what);

  Session& session_;
  std::unique_ptr<CacheStore> store_;
  io::TaskGroup writes_;
  bool broken_ = false;      // look-ups fail
  bool push_ended_ = false;  // nobody pushes any more
};

}  // namespace kiln::engine
