#include "engine/sandbox/sandbox.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "engine/sandbox/init_request.hpp"
#include "engine/sandbox/mount_points.hpp"
#include "engine/sandbox/placed_mounts.hpp"
#include "engine/sandbox/reexec.hpp"
#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

namespace fs = std::filesystem;
using io::Task;

void fill_command(InitRequest& init, const RunRequest& request) {
  init.arguments = request.arguments;
  init.environment = request.environment;
  init.working_directory = request.working_directory;
  init.uid = request.uid;
  init.gid = request.gid;
  init.groups = request.groups;
  init.hostname = request.hostname;
  init.no_network = request.no_network;
}

// Makes `path` where it is missing, a file or a directory, and puts the parent's times back: for the detector nothing has
// happened (the path itself is protected).
void ensure_stub(int root, const std::string& path, bool directory) {
  const std::string parent_path(parent_of(path));
  const std::string name(name_of_path(path));
  const io::UniqueFd parent = io::open_beneath(root, parent_path, O_RDONLY | O_DIRECTORY);
  if (!parent) return;
  struct stat before{};
  if (fstatat(parent.get(), name.c_str(), &before, AT_SYMLINK_NOFOLLOW) == 0 || fstat(parent.get(), &before) != 0) return;
  if (directory) {
    mkdirat(parent.get(), name.c_str(), 0755);
  } else {
    const io::UniqueFd file(openat(parent.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  }
  const timespec times[2] = {before.st_atim, before.st_mtim};
  futimens(parent.get(), times);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
}

// BuildKit's hosts file.
std::string hosts_text(const std::string& hostname) {
  return fmt::format("127.0.0.1\tlocalhost {}\n::1\tlocalhost ip6-localhost ip6-loopback\n", hostname);
}

// The directory that a command starts in, where the image names one that it does not have: BuildKit makes it, 0755 and the
// user's, and the layer has it.
void make_working_directory(const Rootfs& root, const Tree& tree, const RunRequest& request) {
  const std::string path = resolve_in_tree(tree, request.working_directory);
  if (path.empty() || tree.find(path)) return;
  Node made;
  made.uid = request.uid;
  made.gid = request.gid;
  made.mtime.seconds = std::time(nullptr);
  MountPoints(root.directories().back()->directory.get(), tree, root.protected_paths()).make_lasting(path, made);
}

class UsernsSandbox final : public Sandbox {
 public:
  UsernsSandbox(io::Runtime& runtime, SandboxChoice choice) : runtime_(runtime), choice_(std::move(choice)) {}
  SandboxKind kind() const noexcept override { return SandboxKind::userns; }
  RootfsShape shape() const noexcept override { return choice_.overlay ? RootfsShape::overlay : RootfsShape::plain; }

  Task<io::ExitStatus> run(Rootfs& root, Tree& tree, RunRequest request) override {
    InitRequest init;
    init.mode = InitRequest::Mode::run_userns;
    fill_command(init, request);
    init.work_directory = root.work_directory();
    const auto relative = [&root](const std::string& path) { return fs::path(path).lexically_relative(root.work_directory()); };
    for (const auto& path : root.directory_paths()) init.directories.push_back(relative(path));
    if (root.shape() == RootfsShape::overlay) init.overlay_work = relative(root.overlay_work_path());
    init.all_ids = choice_.all_ids;
    prepare_mount_points(root, init);
    init.mounts = std::move(request.mounts);
    MountPoints points(root.directories().back()->directory.get(), tree, root.protected_paths());
    io::ExitStatus status;
    std::exception_ptr failure;
    try {
      make_working_directory(root, tree, request);
      make_points(points, init.mounts);
      status = co_await run_init(runtime_, std::move(init), std::move(request.on_line));
    } catch (...) {
      failure = std::current_exception();
    }
    points.clear();
    if (failure) std::rethrow_exception(failure);
    co_return status;
  }

 private:
  // Mount points go into the lowest directory: an overlay's upper directory then shows nothing of them, and in a plain
  // root they are protected paths.
  void prepare_mount_points(const Rootfs& root, InitRequest& init) {
    const int base = root.directories().front()->directory.get();
    for (const char* path : {"proc", "dev", "sys"}) ensure_stub(base, path, true);
    if (root.shape() == RootfsShape::overlay) ensure_stub(base, "etc", true);  // a plain root's detector would see it
    ensure_stub(base, "etc/resolv.conf", false);
    ensure_stub(base, "etc/hosts", false);
    if (access("/etc/resolv.conf", R_OK) == 0) init.resolv_conf = "/etc/resolv.conf";
    init.hosts = root.work_directory() + "/hosts";
    write_file(init.hosts, hosts_text(init.hostname));
  }

  // Those inside other mounts are made where they then are.
  static void make_points(MountPoints& points, const std::vector<SandboxMount>& mounts) {
    std::vector<std::string> covered = {"proc", "dev", "sys"};
    for (const auto& mount : mounts) {
      const bool inside = std::any_of(covered.begin(), covered.end(), [&](const std::string& path) {
        return mount.target == path || mount.target.starts_with(path + "/");
      });
      if (!inside) {
        points.make(mount.target, mount.is_directory());
        covered.push_back(mount.target);
      }
    }
  }

  io::Runtime& runtime_;
  SandboxChoice choice_;
};

class InPlaceSandbox final : public Sandbox {
 public:
  explicit InPlaceSandbox(io::Runtime& runtime) : runtime_(runtime) {}
  SandboxKind kind() const noexcept override { return SandboxKind::in_place; }
  RootfsShape shape() const noexcept override { return RootfsShape::in_place; }

  Task<io::ExitStatus> run(Rootfs& root, Tree& tree, RunRequest request) override {
    if (request.no_network) {
      throw io::Error(io::ErrorKind::unsupported, "RUN --network=none cannot be honoured in place: it needs the userns sandbox");
    }
    InitRequest init;
    init.mode = InitRequest::Mode::run_in_place;
    fill_command(init, request);
    PlacedMounts placed(root.directories().back()->directory.get(), tree, root.protected_paths(),
                        root.work_directory() + "/mounts");
    io::ExitStatus status;
    std::exception_ptr failure;
    try {
      make_working_directory(root, tree, request);
      if (!request.mounts.empty()) {
        auto place = [&placed, &request] { placed.place(request.mounts); };
        co_await io::offload(runtime_.waiting(), place);
      }
      status = co_await run_init(runtime_, std::move(init), std::move(request.on_line));
    } catch (...) {
      failure = std::current_exception();
    }
    // Cancelled or not: nothing of the mounts stays.
    if (failure) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    auto take_back = [&placed] { placed.take_back(); };
    co_await io::offload(runtime_.waiting(), take_back);
    if (failure) std::rethrow_exception(failure);
    co_return status;
  }

 private:
  io::Runtime& runtime_;
};

}  // namespace

std::unique_ptr<Sandbox> make_sandbox(io::Runtime& runtime, const SandboxChoice& choice) {
  if (choice.kind == SandboxKind::in_place) return std::make_unique<InPlaceSandbox>(runtime);
  return std::make_unique<UsernsSandbox>(runtime, choice);
}

}  // namespace kiln::engine
