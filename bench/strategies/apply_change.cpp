#include "bench/strategies/apply_change.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/rootfs/content_copy.hpp"
#include "engine/sandbox/init_steps.hpp"
#include "io/base/error.hpp"
#include "io/process/child.hpp"

namespace kiln::bench {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void require(bool done, const Operation& operation) {
  if (!done) io::throw_errno(errno, fmt::format("changing '{}'", operation.path));
}

struct stat state_of(const Operation& operation) {
  struct stat state{};
  require(lstat(operation.path.c_str(), &state) == 0, operation);
  return state;
}

io::UniqueFd open_to_change(const Operation& operation, int flags = 0) {
  io::UniqueFd file(open(operation.path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags));
  require(static_cast<bool>(file), operation);
  return file;
}

void append(const Operation& operation) {
  const struct stat state = state_of(operation);
  engine::write_at(open_to_change(operation).get(), static_cast<std::uint64_t>(state.st_size), io::as_bytes("appended\n"),
                   operation.path);
}

// The same number of bytes, each another one than before.
void rewrite(const Operation& operation) {
  const struct stat state = state_of(operation);
  const io::UniqueFd file = open_to_change(operation);
  std::vector<std::byte> bytes(static_cast<std::size_t>(state.st_size));
  require(pread(file.get(), bytes.data(), bytes.size(), 0) == state.st_size, operation);
  for (auto& byte : bytes) byte ^= std::byte{0x55};
  engine::write_at(file.get(), 0, bytes, operation.path);
}

void rewrite_keep_mtime(const Operation& operation) {
  const struct stat state = state_of(operation);
  rewrite(operation);
  const timespec times[2] = {state.st_atim, state.st_mtim};
  require(utimensat(AT_FDCWD, operation.path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0, operation);
}

void write_through_mapping(const Operation& operation) {
  const auto size = static_cast<std::size_t>(state_of(operation).st_size);
  io::UniqueFd file = open_to_change(operation);
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  require(mapped != MAP_FAILED, operation);
  file.reset();
  *static_cast<unsigned char*>(mapped) ^= 0x55;
  munmap(mapped, size);
}

void replace_directory(const Operation& operation) {
  const struct stat state = state_of(operation);
  fs::remove_all(operation.path);
  require(mkdir(operation.path.c_str(), state.st_mode & 07777) == 0, operation);
  const io::UniqueFd file(open(operation.other.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  require(static_cast<bool>(file), operation);
  engine::write_at(file.get(), 0, io::as_bytes("replacement\n"), operation.other);
}

void perform(const Operation& operation) {
  const char* path = operation.path.c_str();
  switch (operation.kind) {
    case Operation::Kind::append: return append(operation);
    case Operation::Kind::rewrite: return rewrite(operation);
    case Operation::Kind::rewrite_keep_mtime: return rewrite_keep_mtime(operation);
    case Operation::Kind::chmod: return require(chmod(path, (state_of(operation).st_mode ^ 0020) & 07777) == 0, operation);
    case Operation::Kind::rename: return require(rename(path, operation.other.c_str()) == 0, operation);
    case Operation::Kind::remove_file: return require(unlink(path) == 0, operation);
    case Operation::Kind::link: return require(link(path, operation.other.c_str()) == 0, operation);
    case Operation::Kind::replace_directory: return replace_directory(operation);
    case Operation::Kind::mmap_write: return write_through_mapping(operation);
  }
}

// The directory in which paths of the request are relative.
std::string enter_root(const json& request) {
  if (!request.contains("overlay_work")) return request.at("root");
  engine::InitRequest mounts;
  mounts.work_directory = request.at("work_directory");
  mounts.directories = request.at("directories");
  mounts.overlay_work = request.at("overlay_work");
  engine::enter_user_namespace(request.at("all_ids"));
  engine::enter_other_namespaces(false);
  return engine::mount_root(mounts);
}

void perform_all(const json& request) {
  const std::string root = enter_root(request);
  fs::current_path(root);
  for (const auto& item : request.at("operations")) perform({item.at(0).get<Operation::Kind>(), item.at(1), item.at(2)});
}

}  // namespace

io::Task<void> apply_change(io::Runtime& runtime, const engine::Rootfs& root, bool all_ids, std::vector<Operation> operations) {
  auto list = json::array();
  for (const auto& operation : operations) list.push_back({operation.kind, operation.path, operation.other});
  const std::vector<std::string> directories = root.directory_paths();
  json request = {{"work_directory", root.work_directory()},
                  {"root", directories.back()},
                  {"directories", directories},
                  {"all_ids", all_ids},
                  {"operations", std::move(list)}};
  if (root.shape() == engine::RootfsShape::overlay) request["overlay_work"] = root.overlay_work_path();
  std::string said;
  io::Command command;
  command.program = "/proc/self/exe";
  command.arguments = {std::string(apply_change_name)};
  command.input = request.dump();
  command.on_line = [&said](int, std::string_view line) { said += line; };
  const io::ExitStatus status = co_await io::run_child(runtime, std::move(command));
  if (!status.ok()) throw io::Error(io::ErrorKind::process, fmt::format("changing the tree failed: {}", said));
}

int apply_change_main() {
  try {
    perform_all(json::parse(std::string(std::istreambuf_iterator<char>(std::cin), {})));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace kiln::bench
