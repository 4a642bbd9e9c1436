// What is in base images, kept beside them in --cache-dir (file_index.hpp): a COPY onto a base that an earlier build or the warmer
// has seen reads none of its layers, with the layer cache or without.
//
// An index is true of the layers whose digests are its key, so it does not age: it goes with what was not used for long
// (ImageStore::trim, kiln cache prune). Trouble is a warning.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/build/layers.hpp"
#include "engine/cache/file_index.hpp"

namespace kiln::engine {

// Nothing where there is no directory, or no index in it.
io::Task<oci::SpoolBlobPtr> find_base_index(Session& session, std::vector<ImageLayerPtr> layers);
// The tree that the layers of a base image make.
io::Task<std::optional<Tree>> find_base_files(Session& session, std::vector<ImageLayerPtr> layers);

// To be left there by keep_base_images(), if base images are.
struct BaseFiles {
  std::vector<ImageLayerPtr> layers;
  Tree tree;
  WholeFiles whole;
};
void remember_base_files(Session& session, BaseFiles files);
io::Task<void> keep_base_files(Session& session);

}  // namespace kiln::engine
