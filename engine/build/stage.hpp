// Stages at work, in two passes.
//
// First every stage is prepared: its instructions are resolved on its base's config, its steps get their keys and are looked
// up in the layer cache. That needs manifests, configs and the context, and no layer. A COPY --from is keyed by the last key of
// the stage it reads, so keys follow keys and nothing has to run.
// Then the stages run that the target's missing steps need (demand.hpp), each once its sources are there; stages that do not
// wait for each other run side by side.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/build/demand.hpp"
#include "engine/build/in_place_root.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/build/layers.hpp"
#include "engine/build/publisher.hpp"
#include "engine/cache/explain.hpp"
#include "engine/context/git_program.hpp"
#include "engine/plan/resolve.hpp"
#include "engine/rootfs/rootfs.hpp"
#include "engine/snapshot/detector.hpp"

namespace kiln::engine {

// What a stage, or an image that COPY --from names, has come to.
struct StageResult {
  std::string name;
  oci::ImageConfig config;  // diff ids of the base only
  oci::ImageFormat format = oci::ImageFormat::docker;
  std::vector<ImageLayerPtr> layers;  // base first
  std::size_t base_layers = 0;
  std::optional<Tree> tree;        // once somebody wanted it
  std::shared_ptr<Rootfs> rootfs;  // if it had a RUN, or (overlay) what it is built on
  std::set<std::string> off_disk;  // paths that are in `tree` and not yet in `rootfs`
  std::string key;                 // of its state, for the layer cache; empty: not known
  std::string identity;            // of an image: reference and digest in short, for people
  // Files of a named context that is no image.
  bool is_context() const { return tree && key.empty() && base_layers == 0 && layers.empty(); }
};
using StageResultPtr = std::shared_ptr<StageResult>;

// Of an image that no step has changed.
StageResultPtr result_of(const BaseImage& image, const oci::Platform& platform);
// The directory that a named context's value names: of files, or a layout.
std::optional<std::string> local_directory(const std::string& value);
// Where in `directory` a Rootfs of this name lives.
std::string rootfs_directory(const Session& session, const std::string& directory, std::string_view name);
// A stage before it runs.
struct PreparedStage {
  ResolvedStage resolved;
  std::vector<std::string> keys;      // of the states after each step; empty text where there is none
  std::string key;                    // of the state at its end; empty: not known
  std::vector<ImageLayerPtr> cached;  // what the cache has for its first steps
  std::vector<StepInputs> inputs;     // of each step; without caching: none
};
using PreparedStagePtr = std::shared_ptr<PreparedStage>;

// Whether the command line lets the step's layer be taken from the cache.
bool may_be_cached(const CacheSettings& settings, const Step& step);

class StageRunner {
 public:
  StageRunner(Session& session, Publisher& publisher)
      : session_(session),
        publisher_(publisher),
        root_(session, [this](int index, const StageResult& stage) { return layers_to_unpack(index, stage); }) {}

  // Runs the target and what it needs; gives the target's result.
  io::Task<StageResultPtr> run();
  // Looks everything up and builds nothing.
  io::Task<CacheReport> explain();
  // In place: gives "/" back, without the stage's files if the build has failed. Everything that is pushed or written must have
  // been captured; more than once is once.
  io::Task<void> clean_up(bool failed);

 private:
  // What one task makes and others wait for.
  template <class T>
  struct Pending {
    explicit Pending(const io::Executor& executor) : changed(executor) {}
    std::shared_ptr<T> result;
    std::exception_ptr error;
    io::Notify changed;
    bool ended() const { return result || error; }
  };

  // Made by the first who asks for it; the others wait.
  template <class T>
  io::Task<std::shared_ptr<T>> once(std::unique_ptr<Pending<T>>& slot, io::Task<std::shared_ptr<T>> make);

  // Layers on disk, without any step's changes.
  struct UnpackedBase {
    std::shared_ptr<Rootfs> rootfs;
    Tree tree;
  };

  io::Task<void> prepare(int index);
  io::Task<PreparedStagePtr> prepare_stage(int index);
  io::Task<PreparedStagePtr> prepared_stage(int index);
  Demand decide() const;
  void report_skipped(const Demand& demand);
  void report_reused(const std::string& stage, const ResolvedStage& resolved, std::size_t number, Progress::StepEnd end);
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
  io::Task<Tree> read_context(std::string name, std::string value);
  GitLogin git_login(const std::string& remote) const;
  io::Task<void> prepare_context_base(const PlannedStage& stage, StageInput& input, std::string& key);
  void add_context_layer(StageResult& stage);
  io::Task<void> wait_for_sources(const ResolvedStage& resolved, std::size_t first);
  io::Task<void> ensure_tree(StageResultPtr stage);
  io::Task<void> remember_base(const StageResult& stage, const Tree& tree);
  io::Task<void> unpack_base(int index, StageResultPtr stage, const ResolvedStage& resolved, const Sandbox& sandbox);
  io::Task<void> stack_up(int index, StageResultPtr stage, std::set<std::string> paths);
  io::Task<std::shared_ptr<UnpackedBase>> unpack_layers(int index, const StageResult& stage, std::string name, RootfsShape shape,
                                                        std::set<std::string> paths);
  std::vector<LayerInput> layers_to_unpack(int index, const StageResult& stage);
  bool stands_on_others(int index) const;
  bool layers_are_read(int index, const StageResult& stage) const;

  // The layer cache: keys of the states after each step, as far as they can be known before anything runs; then the layers
  // of the steps that need not run.
  bool caching() const { return session_.cache && !session_.request.single_snapshot; }
  io::Task<void> save_file_memory();
  io::Task<std::vector<std::string>> step_keys(std::string base, const ResolvedStage& resolved, std::vector<StepInputs>& inputs);
  io::Task<std::string> source_key(const Source& source, StepInputs& told);
  io::Task<std::string> key_after(std::string before, const Step& step, StepInputs& told);
  io::Task<std::optional<std::string>> copy_inputs(const CopyStep& step, StepInputs& told);
  io::Task<std::optional<std::string>> remote_inputs(CopyStep step, StepInputs& told);
  io::Task<std::string> download_identity(std::string url);
  io::Task<std::optional<std::vector<std::string>>> mount_inputs(const RunStep& step, StepInputs& told);
  std::vector<std::string> cacheable(const PreparedStage& prepared) const;
  std::vector<LayerCache::NewEntry> new_entries(int index) const;
  io::Task<std::vector<MissedStep>> explain_stage(int index, std::size_t first);
  io::Task<void> tell_misses(int index);
  void take_cached(int index, StageResult& stage, const PreparedStage& prepared, std::size_t count);

  // One stage's steps. `published`: its layers belong to the image that is pushed.
  class Steps;
  friend class Steps;

  Session& session_;
  Publisher& publisher_;
  std::map<int, std::unique_ptr<Pending<PreparedStage>>> prepared_;
  std::map<int, std::unique_ptr<Pending<StageResult>>> stages_;
  std::map<std::string, std::unique_ptr<Pending<StageResult>>> outside_;  // images and named contexts, each loaded once
  std::map<std::vector<ImageLayerPtr>, std::unique_ptr<Pending<UnpackedBase>>> unpacked_;  // overlay: by layers
  Demand demand_;
  std::set<int> published_;  // the target and the stages it is built on
  InPlaceRoot root_;
};

template <class T>
io::Task<std::shared_ptr<T>> StageRunner::once(std::unique_ptr<Pending<T>>& slot, io::Task<std::shared_ptr<T>> make) {
  if (!slot) {
    slot = std::make_unique<Pending<T>>(session_.runtime.executor());
    Pending<T>& making = *slot;
    try {
      making.result = co_await std::move(make);
    } catch (...) {
      making.error = std::current_exception();
    }
    making.changed.notify_all();
  }
  Pending<T>& pending = *slot;
  while (!pending.ended()) co_await pending.changed.wait();
  if (pending.error) std::rethrow_exception(pending.error);
  co_return pending.result;
}

}  // namespace kiln::engine
