#include "engine/build/in_place_root.hpp"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/stage.hpp"
#include "engine/cache/store.hpp"
#include "engine/plan/path.hpp"
#include "engine/rootfs/protected_paths.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

// What the command line and the environment name, besides caches.
std::set<std::string> given_paths(const BuildRequest& request) {
  std::set<std::string> paths = request.input_paths;
  if (!request.context_directory.empty()) paths.insert(request.context_directory);
  paths.insert(request.dockerfile_path);
  for (const auto& agent : request.ssh_agents) paths.insert(agent.second);
  for (const auto& context : request.named_contexts) {
    if (const auto directory = local_directory(context.second)) paths.insert(*directory);
  }
  if (const char* home = std::getenv("HOME"); home && *home == '/') {
    paths.insert(std::string(home) + "/.ssh");
    paths.insert(std::string(home) + "/.docker/config.json");
  }
  if (const char* docker = std::getenv("DOCKER_CONFIG"); docker && *docker == '/')
    paths.insert(std::filesystem::path(docker) / "config.json");
  return paths;
}

}  // namespace

Task<void> InPlaceRoot::prepare(int index, StageResultPtr stage) {
  if (!container_) {
    const BuildRequest& request = session_.request;
    container_ = std::make_unique<ContainerRoot>(
        session_.runtime, ContainerRoot::Settings{request.work_directory, request.kiln_directory, given_paths(request),
                                                  request.pre_cleanup, request.cleanup, request.preserve_context});
  }
  while (holder_ && !current_) co_await changed_.wait();
  if (!holder_ || !container_->renames()) co_return;
  stage->rootfs = new_rootfs(index);
  const PhaseClock::Activity unpacking(session_.clock, "unpack");
  Tree prepared = co_await stage->rootfs->unpack_beside(layers_of_(index, *stage));
  stage->tree = std::move(prepared);
}

Task<void> InPlaceRoot::take(int index, StageResultPtr stage) {
  while (holder_ || readers_ > 0) co_await changed_.wait();
  holder_ = index;
  co_await clear_for(index);
  const bool prepared = stage->rootfs != nullptr;
  if (!prepared) stage->rootfs = new_rootfs(index);
  current_ = stage->rootfs;
  changed_.notify_all();
  const PhaseClock::Activity unpacking(session_.clock, "unpack");
  if (prepared) {
    co_await current_->move_in(*stage->tree);
  } else {
    Tree tree = co_await current_->unpack(layers_of_(index, *stage));
    stage->tree = std::move(tree);
  }
}

void InPlaceRoot::release(int index) {
  if (holder_ != index) return;
  holder_.reset();
  changed_.notify_all();
}

Task<std::unique_ptr<InPlaceRoot::Reading>> InPlaceRoot::read() {
  while (moving_) co_await changed_.wait();
  co_return std::make_unique<Reading>(*this);
}

Task<void> InPlaceRoot::give_back(bool failed) {
  if (current_) co_await current_->take_back_links();
  if (container_) co_await container_->give_back(keep_, failed);
}

std::shared_ptr<Rootfs> InPlaceRoot::new_rootfs(int index) const {
  const BuildRequest& request = session_.request;
  std::set<std::string> paths =
      protected_paths(SandboxKind::in_place, request.kiln_directory, request.ignore_var_run, request.ignore_paths);
  paths.insert(keep_.begin(), keep_.end());
  const std::string directory = rootfs_directory(session_, container_->directory(), fmt::format("rootfs{}", index));
  return std::make_shared<Rootfs>(session_.runtime, RootfsShape::in_place, directory, std::move(paths));
}

// The first stage finds what the container held, every other what the one before it has left.
Task<void> InPlaceRoot::clear_for(int index) {
  const BuildRequest& request = session_.request;
  if (!current_) {
    keep_ = protected_paths(SandboxKind::in_place, request.kiln_directory, request.ignore_var_run, request.ignore_paths);
    keep_.merge(paths_read_by_builds());
    keep_caches();
    moving_ = true;
    co_await container_->take(keep_);
    moving_ = false;
    co_return;
  }
  if (!container_->renames()) {
    throw io::Error(
        io::ErrorKind::unsupported,
        fmt::format("stage {} has a RUN, and the files of the one before need room on the container's own file system, to be moved "
                    "there: {} and {} are on others",
                    index, request.work_directory, request.kiln_directory));
  }
  moving_ = true;
  co_await current_->move_aside();
  moving_ = false;
}

// They stay where they are, for others may be at work there. A directory of base images counts when it is one: the default's path
// may as well be the image's own.
void InPlaceRoot::keep_caches() {
  const CacheSettings& cache = session_.request.cache;
  std::set<std::string> caches;
  if (const auto directory = layout_directory(cache.repository)) caches.insert(*directory);
  const bool has_images = cache.keep_base_images || std::filesystem::exists(cache.directory + "/index.json");
  if (!cache.directory.empty() && has_images) caches.insert(cache.directory);
  const std::string& mounts = session_.request.cache_mounts_directory;
  if (std::filesystem::exists(mounts)) caches.insert(mounts);
  for (const auto& path : caches) {
    if (!ProtectedPaths(keep_).covers(clean_path(path))) {
      spdlog::warn(
          "the cache {} is in the container's own file system and no mount: RUN sees it, and what RUN changes there is in no layer",
          path);
    }
    keep_.insert(path);
  }
  keep_.insert(mounts);
}

}  // namespace kiln::engine
