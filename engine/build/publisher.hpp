// Pushing while building: layers go up as soon as their bytes are there, the manifest last.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/build/layers.hpp"
#include "oci/output/image.hpp"

namespace kiln::engine {

class Publisher {
 public:
  // Checks the right to push, unless told not to, and finds out which repositories are empty.
  Publisher(Session& session, const std::vector<std::string>& destinations);
  io::Task<void> prepare();

  // Sends a layer to every destination: skipped where it is present, mounted where its registry has it, else uploaded,
  // while it still grows when the repository is new and cannot have it.
  void push_layer(ImageLayerPtr layer);

  // Whether some destination is in another registry than the layer and is not known to have it, so that it may have to be sent.
  bool may_send(const ImageLayer& layer) const;
  // Waits until the destinations have told which of these layers, that push_layer() was given, they have; not for long.
  io::Task<void> wait_for_answers(const std::vector<ImageLayerPtr>& layers) const;

  // Config and manifests, one tag after the other, after all layers are there. Gives the references.
  io::Task<std::vector<std::string>> push_image(const oci::Image& image);

 private:
  struct Target {
    oci::Registry* registry;
    std::string repository;
    bool empty = false;
    std::vector<oci::Reference> references;
  };
  io::Task<void> check_push(Target& target);
  io::Task<void> push_to_all(ImageLayerPtr layer);
  io::Task<void> push_to(Target& target, ImageLayerPtr layer, std::string mount_from);
  io::Task<bool> already_there(Target& target, ImageLayerPtr layer, std::string mount_from);

  Session& session_;
  std::vector<Target> targets_;
};

}  // namespace kiln::engine
