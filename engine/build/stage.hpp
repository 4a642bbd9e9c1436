// Stages at work: each runs its steps once its sources are there; stages that do not wait for each other run side by side.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/build/layers.hpp"
#include "engine/build/publisher.hpp"
#include "engine/plan/resolve.hpp"
#include "engine/rootfs/container_root.hpp"
#include "engine/rootfs/rootfs.hpp"
#include "engine/snapshot/detector.hpp"

namespace kiln::engine {

// What a stage, or an image that COPY --from names, has come to.
struct StageResult {
  std::string name;
  oci::ImageConfig config;  // diff ids of the base only
  std::vector<dockerfile::KeyValue> args;
  oci::ImageFormat format = oci::ImageFormat::docker;
  std::vector<ImageLayerPtr> layers;  // base first
  std::size_t base_layers = 0;
  std::optional<Tree> tree;        // once somebody wanted it
  std::shared_ptr<Rootfs> rootfs;  // if it had a RUN
  std::string key;                 // of its state, for the layer cache; empty: not known
};
using StageResultPtr = std::shared_ptr<StageResult>;

// Of an image that no step has changed.
StageResultPtr result_of(const BaseImage& image, const oci::Platform& platform);
// The directories among named contexts.
std::set<std::string> local_contexts(const std::map<std::string, std::string>& named_contexts);

class StageRunner {
 public:
  StageRunner(Session& session, Publisher& publisher)
      : session_(session), publisher_(publisher), in_place_free_(session.runtime.executor()) {}

  // Runs the target and what it needs; gives the target's result.
  io::Task<StageResultPtr> run();
  // In place: gives "/" back, without the stage's files if the build has failed. Everything that is pushed or written must have
  // been captured; more than once is once.
  io::Task<void> clean_up(bool failed);

 private:
  struct Pending {
    explicit Pending(const io::Executor& executor) : changed(executor) {}
    StageResultPtr result;
    std::exception_ptr error;
    io::Notify changed;
  };

  io::Task<void> check_file();
  io::Task<void> run_and_publish(int index);
  io::Task<StageResultPtr> run_stage(int index);
  io::Task<StageResultPtr> wait_for(int index);
  io::Task<StageResultPtr> start_from(const Source& source);
  io::Task<StageResultPtr> base_of(const PlannedStage& stage);
  io::Task<std::vector<StageResultPtr>> load_sources(const Step& step);
  // The error with its place in the Dockerfile and the lines there; one that only says "stopped" stays as it is.
  io::Error error_at(const dockerfile::Location& location, const io::Error& error) const;
  io::Task<StageResultPtr> outside_source(const Source& source);
  io::Task<StageResultPtr> load_outside(Source source);
  io::Task<StageResultPtr> load_context(Source source);
  io::Task<void> add_context_layer(StageResultPtr stage, std::string name);
  io::Task<void> wait_for_sources(const ResolvedStage& resolved, std::size_t first);
  io::Task<void> ensure_tree(StageResultPtr stage);
  io::Task<void> make_rootfs(int index, StageResultPtr stage, RootfsShape shape);
  io::Task<void> take_root(int index, StageResultPtr stage);
  io::Task<void> empty_root_for(int index);
  std::shared_ptr<Rootfs> new_rootfs(int index, RootfsShape shape, const std::string& directory) const;
  void release_root(int index);

  // The layer cache: keys of the states after each step, as far as they can be known before anything runs; then the layers
  // of the steps that need not run.
  io::Task<std::vector<std::string>> step_keys(StageResultPtr stage, const ResolvedStage& resolved);
  io::Task<std::string> key_after(std::string before, const Step& step);
  io::Task<std::optional<std::string>> copy_inputs(const CopyStep& step);
  io::Task<std::optional<std::vector<std::string>>> mount_inputs(const RunStep& step);
  std::vector<std::string> cacheable(const ResolvedStage& resolved, std::vector<std::string> keys) const;
  io::Task<std::size_t> take_cached(int index, StageResultPtr stage, const ResolvedStage& resolved, std::vector<std::string> keys);

  // One stage's steps. `published`: its layers belong to the image that is pushed.
  class Steps;
  friend class Steps;

  // In place, files of a stage that has run are read where it left them: as long as one of these lives, they are not moved.
  // Whoever has one waits for no stage.
  struct RootReading {
    explicit RootReading(StageRunner& the_runner) : runner(the_runner) { ++runner.root_readers_; }
    ~RootReading() {
      --runner.root_readers_;
      runner.in_place_free_.notify_all();
    }
    RootReading(const RootReading&) = delete;
    RootReading& operator=(const RootReading&) = delete;
    StageRunner& runner;
  };

  Session& session_;
  Publisher& publisher_;
  std::map<int, std::unique_ptr<Pending>> stages_;
  std::map<std::string, std::unique_ptr<Pending>> outside_;  // images and named contexts, each loaded once
  std::set<int> published_;                                  // the target and the stages it is built on
  std::unique_ptr<ContainerRoot> container_root_;            // in place
  std::set<std::string> root_keep_;                          // in place: what stays in "/" besides mounts
  std::shared_ptr<Rootfs> in_place_;                         // the stage whose files are in "/"
  std::optional<int> root_holder_;                           // the stage that runs in "/"
  int root_readers_ = 0;
  bool root_moves_ = false;  // files are on their way out of "/"
  io::Notify in_place_free_;
};

}  // namespace kiln::engine
