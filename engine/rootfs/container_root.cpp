#include "engine/rootfs/container_root.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/plan/path.hpp"
#include "engine/rootfs/move_aside.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"

namespace kiln::engine {

namespace {

namespace fs = std::filesystem;

io::UniqueFd open_existing(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) io::throw_errno(errno, fmt::format("opening '{}'", path));
  return fd;
}

bool on_root_file_system(const std::string& path) {
  struct stat root{}, status{};
  return stat("/", &root) == 0 && stat(path.c_str(), &status) == 0 && root.st_dev == status.st_dev;
}

bool is_below(std::string_view path, std::string_view directory) {
  return path == directory || (path.starts_with(directory) && path.size() > directory.size() && path[directory.size()] == '/');
}

void check_writable() {
  if (access("/", W_OK) == 0) return;
  if (errno == EROFS) {
    throw io::Error(io::ErrorKind::unsupported,
                    "RUN needs the base image in place of '/', and the container's root file system is read-only: set "
                    "readOnlyRootFilesystem: false, or let the pod have user namespaces (no seccomp profile, or SYS_ADMIN with "
                    "hostUsers: false) and an emptyDir at /kaniko/work. Builds without RUN work as they are");
  }
  io::throw_errno(errno, "RUN needs the base image in place of '/', which cannot be written");
}

void warn_of_missing_capabilities() {
  constexpr std::pair<int, const char*> wanted[] = {{CAP_CHOWN, "CHOWN"},
                                                    {CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
                                                    {CAP_FOWNER, "FOWNER"},
                                                    {CAP_SETUID, "SETUID"},
                                                    {CAP_SETGID, "SETGID"}};
  std::string missing;
  for (const auto& [capability, name] : wanted) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(name);
  }
  if (missing.empty()) return;
  spdlog::warn(
      "this container has not the capabilities {}: commands that change owners, users or other users' files will fail; "
      "add them in securityContext.capabilities",
      missing);
}

}  // namespace

ContainerRoot::ContainerRoot(io::Runtime& runtime, Settings settings)
    : runtime_(runtime), settings_(std::move(settings)), directory_(settings_.work_directory) {
  renames_ = on_root_file_system(directory_);
  if (renames_) return;
  std::string path = settings_.kiln_directory + "/kiln-XXXXXX";
  if (!on_root_file_system(settings_.kiln_directory) || !mkdtemp(path.data())) return;
  chmod(path.c_str(), 0711);
  directory_ = path;
  own_directory_ = renames_ = true;
}

ContainerRoot::~ContainerRoot() {
  std::error_code ignored;
  if (own_directory_) fs::remove_all(directory_, ignored);
}

io::Task<void> ContainerRoot::take(std::set<std::string>& keep) {
  if (taken_) co_return;
  check_writable();
  warn_of_missing_capabilities();
  taken_ = true;
  if (own_directory_) keep.insert(directory_);
  auto work = [this, &keep] { set_aside(keep); };
  co_await io::offload(runtime_.waiting(), work);
}

void ContainerRoot::set_aside(std::set<std::string>& keep) {
  for (const auto& path : settings_.given) move_given(path, keep);
  const ProtectedPaths paths(keep);
  const io::UniqueFd root = open_existing("/");
  if (settings_.pre_cleanup || !renames_) {
    empty_root(root.get(), paths);
    return;
  }
  const std::string before = directory_ + "/before";
  fs::create_directories(before);
  move_tree(root.get(), open_existing(before).get(), paths, {});
}

// A directory that came with the container's image cannot be renamed on an overlay, nor can one with a mount in it: then it stays,
// and is left alone.
void ContainerRoot::move_given(const std::string& path, std::set<std::string>& keep) {
  const std::string relative = clean_path(path);
  if (relative.empty() || is_below(settings_.kiln_directory, path)) return;
  const ProtectedPaths paths(keep);
  if (paths.covers(relative)) return;
  const std::string directory = fmt::format("{}/given/{}", directory_, moved_.size());
  const std::string place = directory + "/" + fs::path(relative).filename().string();
  if (!paths.below(relative) && renames_) {
    fs::create_directories(directory);
    // What is not there may be made while the build runs, or has gone with its parent.
    if (rename(path.c_str(), place.c_str()) == 0 || (errno == ENOENT && where(path) == path)) moved_["/" + relative] = place;
    if (where(path) != path) return;
  }
  spdlog::warn(
      "{} is in the container's own file system and cannot be moved: RUN sees it, and what RUN changes there is in no layer", path);
  keep.insert("/" + relative);
}

std::string ContainerRoot::where(const std::string& path) const {
  const std::string clean = "/" + clean_path(path);
  for (auto entry = moved_.rbegin(); entry != moved_.rend(); ++entry) {
    if (is_below(clean, entry->first)) return entry->second + clean.substr(entry->first.size());
  }
  return path;
}

io::Task<void> ContainerRoot::give_back(std::set<std::string> keep, bool failed) {
  if (!taken_) co_return;
  taken_ = false;
  auto work = [this, &keep, failed] {
    try {
      put_back(keep, failed);
    } catch (const std::exception& error) {
      spdlog::warn("giving '/' back: {}", error.what());
    }
  };
  co_await io::offload(runtime_.waiting(), work);
}

void ContainerRoot::put_back(const std::set<std::string>& keep, bool failed) {
  const ProtectedPaths paths(keep);
  const io::UniqueFd root = open_existing("/");
  if (failed || settings_.cleanup || settings_.preserve_context) empty_root(root.get(), paths);
  const std::string before = directory_ + "/before";
  const bool wanted = settings_.preserve_context || !settings_.cleanup;
  if (wanted && !settings_.pre_cleanup && access(before.c_str(), F_OK) == 0) {
    TreeMove move;
    move.replace = false;
    move_tree(open_existing(before).get(), root.get(), paths, move);
  }
  for (const auto& [path, place] : std::exchange(moved_, {})) return_given(path, place);
}

void ContainerRoot::return_given(const std::string& path, const std::string& place) {
  struct stat status{};
  if (lstat(place.c_str(), &status) != 0) return;  // never made
  fs::create_directories(fs::path(path).parent_path());
  if (lstat(path.c_str(), &status) == 0) fs::rename(path, place + ".in-the-way");
  fs::rename(place, path);
}

std::set<std::string> paths_read_by_builds() {
  std::set<std::string> paths;
  const auto add = [&paths](const std::string& path) {
    if (path.starts_with("/") && access(path.c_str(), F_OK) == 0) paths.insert("/" + clean_path(path));
  };
  for (const char* name : {"REGISTRY_AUTH_FILE", "GOOGLE_APPLICATION_CREDENTIALS", "AWS_WEB_IDENTITY_TOKEN_FILE",
                           "AWS_SHARED_CREDENTIALS_FILE", "AZURE_FEDERATED_TOKEN_FILE", "SSL_CERT_FILE"}) {
    if (const char* path = std::getenv(name)) add(path);
  }
  const char* search = std::getenv("PATH");
  if (search && std::string_view(search).find("/busybox") != std::string_view::npos) add("/busybox");
  return paths;
}

}  // namespace kiln::engine
