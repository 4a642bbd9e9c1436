// What a build is asked for and what it gives: the whole seam between the engine and the command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/cache/cache_report.hpp"
#include "engine/sandbox/sandbox.hpp"
#include "engine/snapshot/detector.hpp"
#include "io/codec/block_compressor.hpp"
#include "io/http/client.hpp"
#include "io/loop/runtime.hpp"
#include "oci/image/manifest.hpp"
#include "oci/image/platform.hpp"

namespace kiln::engine {

// How registries are reached; names are "host" or "host:port".
struct RegistrySettings {
  bool insecure_push = false;                                                      // --insecure
  bool insecure_pull = false;                                                      // --insecure-pull
  std::set<std::string> insecure;                                                  // --insecure-registry
  bool skip_tls_verify_push = false;                                               // --skip-tls-verify
  bool skip_tls_verify_pull = false;                                               // --skip-tls-verify-pull
  std::set<std::string> skip_tls_verify;                                           // --skip-tls-verify-registry
  std::map<std::string, std::string> certificates;                                 // host -> PEM file
  std::map<std::string, std::pair<std::string, std::string>> client_certificates;  // host -> certificate, key
  // registry -> mirrors "host[/prefix]" in the order to try; then the registry itself unless no_fallback.
  std::map<std::string, std::vector<std::string>> mirrors;
  bool no_fallback = false;             // --skip-default-registry-fallback
  int push_retries = 0;                 // --push-retry: whole pushes tried again
  int pull_retries = 0;                 // --image-download-retry
  std::uint64_t upload_chunk_size = 0;  // bytes; 0: unlimited
  bool skip_push_check = false;
  std::optional<std::vector<std::string>> login_providers;  // --credential-helpers; unset: all that there are
  bool ignore_immutable_tags = false;                       // --push-ignore-immutable-tag-errors
  std::string upstream_client;                              // UPSTREAM_CLIENT_TYPE: added to the User-Agent of pushes
};

// The layer cache.
struct CacheSettings {
  bool enabled = false;                      // --cache
  std::string repository;                    // --cache-repo: a repository or "oci:/dir"; empty: <first destination>/cache
  std::chrono::seconds ttl{14 * 24 * 3600};  // --cache-ttl: older entries are not used
  bool run_layers = true;                    // --cache-run-layers
  bool copy_layers = true;                   // --cache-copy-layers
  bool read = true;
  bool write = true;  // not --no-push-cache
  // --cache-dir: an oci::ImageStore that base images are taken from; empty: none. `keep_base_images`: and left in.
  std::string directory;
  bool keep_base_images = false;
  bool mounts_in_registry = false;           // --cache-mounts=registry: RUN --mount=type=cache is kept in the repository, too
  std::uint64_t mounts_limit = 1ULL << 30U;  // --cache-mounts-limit: bytes of files; a mount with more is not sent; 0: unlimited
  bool explain = false;     // build nothing: tell what would be found and why not the rest (BuildResult::cache_report)
  std::string file_memory;  // the file that tells what the context's files held last; empty: none
  std::uint64_t limit = 0;  // --cache-limit: bytes that caches on disk are kept below; 0: unlimited
};

struct BuildRequest {
  // -- input
  std::string context_directory;                                 // absolute; empty: no context
  std::optional<std::int64_t> context_time;                      // seconds: of one that was fetched; for SOURCE_DATE_EPOCH=context
  std::string dockerfile_path;                                   // absolute
  std::map<std::string, std::optional<std::string>> build_args;  // without a value: taken from `environment`
  std::map<std::string, std::string> named_contexts;             // --build-context: directories are absolute
  std::string target;                                            // empty: the last stage
  std::vector<std::string> more_targets;                         // stages to build besides; the image is the first one's
  std::map<std::string, std::string> secrets;                    // --secret: id -> bytes
  std::map<std::string, std::string> ssh_agents;                 // --ssh: id -> an agent's socket
  std::set<std::string> input_paths;                             // other files that were named; all read by now
  oci::Platform platform;
  bool platform_given = false;  // asked for; else the result is of its base's platform
  // -- output
  std::vector<std::string> destinations;  // image references
  bool push = true;
  std::string tar_path;          // docker-archive; empty: none
  std::string oci_layout_path;   // directory; empty: none
  std::string oci_archive_path;  // tar of a layout; empty: none
  std::string digest_file;       // this and the next two: a file, or an https:// URL that it is PUT to
  std::string image_name_with_digest_file;
  std::string image_name_tag_with_digest_file;
  std::string builder_output;                                  // directory of Cloud Build's file "images"; empty: none
  std::optional<oci::ImageFormat> format;                      // unset: as the base
  oci::ImageFormat scratch_format = oci::ImageFormat::docker;  // what "as the base" is for FROM scratch
  io::CompressionSettings compression;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  bool reproducible = false;       // times fixed to zero, as Kaniko's
  bool rewrite_timestamp = false;  // with SOURCE_DATE_EPOCH: no file in a layer is newer, as with BuildKit's exporter
  // -- how
  SnapshotMode snapshot_mode = SnapshotMode::automatic;
  bool single_snapshot = false;
  std::optional<SandboxKind> sandbox;
  bool allow_overlay = true;
  bool force = false;
  bool ignore_var_run = true;
  std::vector<std::string> ignore_paths;
  std::string work_directory;          // for the spool, scratch files and Rootfs; the caller's to remove
  std::string cache_mounts_directory;  // where RUN --mount=type=cache lives between builds; made when needed
  std::string kiln_directory;          // where the program lives; never touched in place
  bool pre_cleanup = false;            // in place: what "/" holds at the start is deleted, and not put back at the end
  bool cleanup = false;                // in place: "/" is left empty
  bool preserve_context = false;       // in place: "/" is left as it was found
  bool materialize = false;            // in place: "/" has all of the target's files when the build ends
  bool print_plan = false;             // tell it to the progress before anything runs
  bool dry_run = false;                // and stop then
  RegistrySettings registries;
  CacheSettings cache;
};

// What happens, as it happens, for log lines and the live display. Called on the loop thread; must not block.
class Progress {
 public:
  virtual ~Progress() = default;
  struct StepInfo {
    int id = 0;         // unique in the build
    std::string stage;  // name, or "stage-N"; empty when the file has one stage
    int index = 0;      // from 1, in its stage
    int count = 0;
    std::string text;     // "RUN apt-get update", one line
    bool reused = false;  // is not run: step_finished() comes at once
  };
  enum class StepEnd { done, cached, not_needed };
  struct StepOutcome {
    StepEnd end = StepEnd::done;
    std::chrono::nanoseconds took{0};
    std::size_t changes = 0;  // paths
    std::uint64_t bytes = 0;  // of regular files among them
    std::string detail = {};  // what else is worth knowing; may be empty
  };
  virtual void step_started(const StepInfo&) {}
  virtual void step_output(int /*step*/, int /*stream*/, std::string_view /*line*/) {}
  virtual void step_finished(int /*step*/, const StepOutcome&) {}
  virtual void step_failed(int /*step*/, std::string_view /*error*/) {}
  // A transfer: pull or push of a blob, a capture. `total` 0: not known (yet).
  virtual void transfer_started(int /*id*/, std::string_view /*what*/, std::uint64_t /*total*/) {}
  virtual void transfer_advanced(int /*id*/, std::uint64_t /*bytes*/) {}  // more bytes
  virtual void transfer_finished(int /*id*/, std::string_view /*note*/) {}
  virtual void plan(std::string_view /*text*/) {}     // several lines; only if asked for
  virtual void message(std::string_view /*text*/) {}  // one line worth reading
  // A piece of work of some phase has ended; `kind` is the phase's name, `detail` says what it was about. For traces.
  using Time = std::chrono::steady_clock::time_point;
  virtual void span(std::string_view /*kind*/, std::string_view /*detail*/, Time /*begin*/, Time /*end*/) {}
};

struct Phase {
  std::string name;                  // "resolve", "pull", "unpack", "run", "snapshot", "capture", "push"
  std::chrono::nanoseconds took{0};  // time with at least one activity of the kind
  std::uint64_t bytes = 0;
};

struct BuildResult {
  oci::Digest manifest_digest;
  std::uint64_t manifest_size = 0;  // bytes
  std::string media_type;           // of the manifest
  oci::Digest config_digest;
  std::vector<std::string> pushed;  // references with tag
  std::vector<oci::Descriptor> layers;
  std::uint64_t layers_new = 0;
  std::uint64_t bytes_pulled = 0, bytes_pushed = 0;
  std::uint64_t blobs_pushed = 0, blobs_mounted = 0, blobs_present = 0;
  std::vector<Phase> phases;
  CacheReport cache_report;  // of CacheSettings::explain
  std::chrono::nanoseconds took{0};
  std::uint64_t peak_memory = 0;  // bytes resident, of this process
};

// Builds. Errors: io::Error of every kind; nothing is tagged unless everything before it succeeded.
io::Task<BuildResult> build(io::Runtime& runtime, BuildRequest request, Progress& progress);

}  // namespace kiln::engine
