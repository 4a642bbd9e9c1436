// What the parts of one build share.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/build/phases.hpp"
#include "engine/build/request.hpp"
#include "engine/context/context.hpp"
#include "engine/plan/plan.hpp"
#include "engine/sandbox/sandbox.hpp"
#include "io/file/read_plan.hpp"
#include "io/loop/task_group.hpp"
#include "oci/image/config.hpp"
#include "oci/registry/hub.hpp"
#include "oci/store/image_store.hpp"

namespace kiln::engine {

class ContextReads;
class LayerCache;
class MountExchange;
struct BaseFiles;
struct BaseImage;

struct Session {
  Session(io::Runtime& the_runtime, const BuildRequest& the_request, Progress& the_progress);
  ~Session();

  io::Runtime& runtime;
  const BuildRequest& request;
  Progress& progress;
  PhaseClock clock;
  io::http::Client http;
  oci::RegistryHub hub;
  std::unique_ptr<io::FileReader> reader;
  std::string spool_directory;
  std::string scratch_directory;
  std::shared_ptr<const ContentDirectory> scratch;  // files that belong to no root file system
  std::unique_ptr<FileMemory> file_memory;          // of contexts, where there are keys; null: off
  std::unique_ptr<ContextReads> context_reads;      // for those keys; null: off
  std::optional<Context> context;
  std::map<std::string, Context> named_contexts;  // those that are directories
  std::string dockerfile_name;                    // for messages
  std::string dockerfile_text;
  Plan plan;
  std::optional<SandboxChoice> sandbox;
  io::Task<const SandboxChoice*> choose_sandbox();  // probed when the first RUN wants it
  bool probing = false;
  io::Notify probed;
  // Called when the plan is made. `epoch`: seconds.
  void fix_times(std::optional<std::int64_t> epoch);
  std::optional<std::int64_t> source_date_epoch;
  FileTime now;               // time of what the build itself makes
  std::string created;        // the same as RFC 3339, for config and history
  std::string fixed_created;  // the same when it does not depend on the clock, else empty
  std::uint64_t bytes_pulled = 0;
  std::uint64_t bytes_pushed = 0;
  std::uint64_t blobs_pushed = 0;
  std::uint64_t blobs_mounted = 0;
  std::uint64_t blobs_present = 0;
  // Files of servers by their URLs: what has been fetched for a key, and the version that a key was made of.
  struct Download {
    std::optional<Node> file;
    std::string version;
  };
  std::map<std::string, Download> downloads;
  int next_step = 0;
  int next_checkout = 0;
  int next_transfer = 0;
  std::unique_ptr<oci::ImageStore> image_store;         // the directory of base images; null: none
  std::vector<std::shared_ptr<BaseImage>> base_images;  // of this build
  std::vector<BaseFiles> base_files;                    // of those, to be kept
  std::unique_ptr<LayerCache> cache;                    // null: off
  std::unique_ptr<MountExchange> mounts;                // of cache mounts with the cache's repository; null: off
  io::Notify layer_pushed;                              // a layer has reached its destinations
  bool cache_failed = false;                            // a layer that the cache promised could not be had
  // Ends what is still going on after a failure; `failure` becomes what was the first thing to go wrong.
  io::Task<void> stop_transfers(std::exception_ptr& failure);
  io::TaskGroup transfers;  // downloads, captures and uploads: joined before the manifest is pushed
};

// Opens the directories among the contexts that are named: from then on they may be moved.
void open_named_contexts(Session& session);

std::string created_text(std::int64_t seconds);  // RFC 3339

}  // namespace kiln::engine
