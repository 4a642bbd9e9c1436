// The layer cache of one build: look-ups before steps run, entries written beside the build.
//
// Trouble with the cache is a warning and never an error: after it the build goes on without.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/build/layers.hpp"
#include "engine/cache/file_index.hpp"
#include "engine/cache/step_inputs.hpp"
#include "engine/cache/store.hpp"

namespace kiln::engine {

// Where the cache is: Kaniko's, beside the first destination, unless it is named. Errors: io::Error(usage).
std::string cache_place(const BuildRequest& request);

class LayerCache {
 public:
  explicit LayerCache(Session& session);

  // One look-up for every key, all at once. Gives the layers of the longest run of hits from the first key on: what follows a
  // step that has to run again may not be taken from another run.
  io::Task<std::vector<ImageLayerPtr>> find(std::vector<std::string> keys);

  // The config of the base image with the manifest `image`, so that no blob need be asked for; and leaves it there.
  io::Task<std::optional<std::string>> find_config(oci::Digest image, oci::Descriptor config);
  void remember_config(oci::Digest image, oci::Descriptor config, std::string bytes, std::string name);

  // An entry to be: its key, that of the entry before it (CachedLayer::before), and the instruction's text for people.
  struct NewEntry {
    std::string key, before, step;
    bool reads_context = false;
  };
  // Writes it once the layer is complete; where the build pushes it to the cache's registry it is mounted from there. Nothing is
  // written any more once a context has changed under a step that reads it.
  void remember(NewEntry entry, ImageLayerPtr layer, bool published);

  // What is in `layers`, of which the first `base` are an image's, if indexes of all of them are there (file_index.hpp): the tree,
  // with contents that are downloaded when somebody wants them.
  io::Task<std::optional<Tree>> find_files(std::vector<ImageLayerPtr> layers, std::size_t base);
  // Leaves such an index there: of the tree that an image's `layers` make; of a layer of this build, once it is complete.
  void remember_files(std::vector<ImageLayerPtr> layers, Tree tree, WholeFiles whole);
  void remember_files(NewEntry entry, ImageLayerPtr layer, Tree tree, Changes changes, WholeFiles whole);

  // From now on nothing is written: keys do not tell any more what steps are made of. Warns with the reason.
  void stop_writing(const std::string& why);
  // Its registry could not be reached any more, which has been told.
  bool gone() const { return gone_; }

  // What the last builds of a stage were made of (input_record.hpp); nothing when that cannot be known.
  io::Task<std::optional<std::vector<StepInputs>>> recorded(std::string name);
  // Leaves it there, with this build's steps that have entries by the time of finish() in front of `known`.
  void record(std::string name, std::vector<StepInputs> steps, std::vector<StepInputs> known);

  // Waits for the entries that are being written. `pushing`: layers are still being pushed; else the entries do not wait
  // for it any more.
  io::Task<void> finish(bool pushing);
  void cancel() { writes_.cancel(); }

  static constexpr std::size_t longest_step = 500;  // bytes of an instruction that an entry tells

 private:
  io::Task<void> look_up(const std::string& key, std::optional<CachedLayer>& found);
  // `number`: of this build's layers, from 1.
  io::Task<void> write(NewEntry names, ImageLayerPtr layer, std::string mount_from);
  io::Task<void> write_or_warn(NewEntry names, ImageLayerPtr layer, std::string mount_from, std::size_t number);
  io::Task<bool> holds(std::size_t number);
  io::Task<std::optional<Tree>> read_files(const std::vector<ImageLayerPtr>& layers, std::size_t base);
  io::Task<void> find_index(std::string key, oci::SpoolBlobPtr& index);
  io::Task<void> find_index_of_base(std::vector<ImageLayerPtr> base, oci::SpoolBlobPtr& index);
  io::Task<void> write_base_index(std::vector<ImageLayerPtr> layers, Tree tree, WholeFiles whole);
  io::Task<void> write_layer_index(NewEntry entry, ImageLayerPtr layer, Tree tree, Changes changes, WholeFiles whole);
  io::Task<void> write_config(oci::Digest image, oci::Descriptor config, std::string bytes, std::string name);
  io::Task<void> write_record(std::string name, std::vector<StepInputs> steps, std::vector<StepInputs> known);
  io::Task<void> trim();
  ImageLayerPtr layer_of(const CachedLayer& cached) const;
  std::string mountable_repository() const;
  void trouble(const std::string& what);
  // `what` could not be left there. Where nothing can be, that is told once, and whoever else is writing stops.
  void tell_unwritten(const std::string& what, const io::Error& error);
  bool writes() const;
  // An entry that makes no sense is as good as none; any other error is the whole cache's.
  void tell_unread(const std::string& key, const io::Error& error);

  Session& session_;
  std::unique_ptr<CacheStore> store_;
  io::TaskGroup writes_;
  struct Record {
    std::vector<StepInputs> steps, known;
  };
  std::map<std::string, Record> records_;    // to be written
  std::set<std::string> there_;              // keys that the store has entries for
  std::vector<ImageLayerPtr> made_;          // that are to be entries, in the order of their steps
  std::vector<std::size_t> context_layers_;  // numbers of those whose steps read a context
  std::size_t checked_ = 0;                  // no context had changed when so many were captured
  bool checking_ = false;
  io::Notify check_ended_;
  bool context_changed_ = false;
  bool broken_ = false;      // look-ups fail
  bool stopped_ = false;     // nothing more is written
  bool lost_ = false;        // the same, and what is being written is not either: the place cannot be written to
  bool gone_ = false;        // because it cannot be reached
  bool push_ended_ = false;  // nobody pushes any more
};

}  // namespace kiln::engine
