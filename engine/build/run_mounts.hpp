// What one RUN finds mounted: its --mounts and its heredoc script, made ready for the sandbox, and given up afterwards.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/build/steps.hpp"
#include "engine/mounts/agent_proxy.hpp"
#include "engine/mounts/cache_directory.hpp"

namespace kiln::engine {

class StageRunner::Steps::Mounts {
 public:
  Mounts(Steps& steps, const RunStep& step) : steps_(steps), session_(steps.session_), step_(step) {}

  // Fills in the request's mounts and the variables that come with them. Errors name the mount; finish() is due in any case.
  io::Task<void> prepare(RunRequest& request);
  // Private copies, sockets and locks go.
  io::Task<void> finish();

 private:
  // Where a bind, or the seed of a cache, is read from.
  struct From {
    Tree tree;
    std::string path;  // resolved in it
    std::function<void(const std::string& path, Node& node)> take;
    std::string directory;  // shows the same tree on this machine; empty: none does
  };

  // Files at a From, as "m" and what is below it; their contents are in files or inline.
  struct Files {
    Tree tree;
    Changes changes;
  };

  io::Task<void> add(const RunMount& mount, RunRequest& request);
  io::Task<void> add_bind(const RunMount& mount, SandboxMount placed, RunRequest& request);
  io::Task<void> add_cache(const RunMount& mount, SandboxMount placed, RunRequest& request);
  void add_secret(const Mount& mount, SandboxMount placed, RunRequest& request);
  void add_agent(const Mount& mount, SandboxMount placed, RunRequest& request);
  void add_script(RunRequest& request);
  io::Task<void> open_caches();
  CacheKey key_of(const RunMount& mount) const;
  io::Task<void> fill_cache(const RunMount& mount, const CacheDirectory& cache);
  io::Task<From> find_source(const RunMount& mount);
  io::Task<Files> gather(From from);
  io::Task<std::string> copy_out(From from);
  io::Task<std::string> seed_of(const RunMount& mount);
  std::string private_directory();
  bool in_place() const { return steps_.sandbox_->shape() == RootfsShape::in_place; }

  Steps& steps_;
  Session& session_;
  const RunStep& step_;
  std::vector<std::string> private_;          // directories of this RUN alone
  std::map<std::string, std::string> seeds_;  // of caches with from=, by the mount's text
  std::map<std::string, std::unique_ptr<CacheDirectory>> caches_;
  std::set<std::string> placed_caches_;
  std::vector<std::unique_ptr<AgentProxy>> agents_;
};

}  // namespace kiln::engine
