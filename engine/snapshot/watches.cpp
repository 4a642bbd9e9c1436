#include "engine/snapshot/watches.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "engine/snapshot/disk_walk.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

// IN_MODIFY is for truncate(2), which opens nothing; IN_CLOSE_WRITE for mappings, whose writes nothing else tells of.
constexpr std::uint32_t interest =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR;

}  // namespace

bool Watches::open() {
  close();
  inotify_ = io::UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) why_ = fmt::format("inotify_init1: {}", std::strerror(errno));
  return is_open();
}

void Watches::close() {
  inotify_.reset();
  paths_.clear();
  numbers_.clear();
  touched_.clear();
  forget_doubt();
  stale_ = false;
}

bool Watches::add(int root, const std::string& path) {
  const io::UniqueFd directory = io::open_beneath(root, path, O_PATH | O_DIRECTORY);
  if (!directory) return true;
  const std::string name = fmt::format("/proc/self/fd/{}", directory.get());
  const int number = inotify_add_watch(inotify_.get(), name.c_str(), interest);
  if (number < 0) {
    why_ = errno == ENOSPC ? fmt::format("fs.inotify.max_user_watches is too small: {} directories are watched", size())
                           : fmt::format("inotify_add_watch: {}", std::strerror(errno));
    return false;
  }
  paths_[number] = path;
  numbers_[path] = number;
  return true;
}

void Watches::drain(const ProtectedPaths& keep) {
  alignas(inotify_event) std::array<char, 65536> buffer;
  while (true) {
    const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != EAGAIN) doubt(fmt::format("reading inotify's queue: {}", std::strerror(errno)));
    if (size <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += sizeof(inotify_event) + event->len;
      take(*event, event->len > 0 ? std::string_view(event->name) : std::string_view(), keep);
    }
  }
  const bool lost = std::any_of(moving_.begin(), moving_.end(), [](const auto& move) { return move.second; });
  if (lost) doubt("a new file was moved out of sight");
}

void Watches::take(const inotify_event& event, std::string_view name, const ProtectedPaths& keep) {
  if ((event.mask & (IN_Q_OVERFLOW | IN_UNMOUNT)) != 0) {
    doubt("inotify's queue was too short");
    stale_ = true;  // directories may have gone and come unseen
    return;
  }
  const auto watch = paths_.find(event.wd);
  if (watch == paths_.end()) return;  // told of before it was taken off
  if ((event.mask & IN_IGNORED) != 0) {
    const auto number = numbers_.find(watch->second);
    if (number != numbers_.end() && number->second == event.wd) numbers_.erase(number);
    paths_.erase(watch);
    return;
  }
  const std::string path = name.empty() ? watch->second : join_path(watch->second, name);
  if (keep.covers(path)) return;
  touched_.insert(watch->second);
  if ((event.mask & IN_ISDIR) == 0) {
    take_file(event, path);
  } else if ((event.mask & IN_CREATE) != 0) {
    doubt("a directory was made");
  } else if ((event.mask & (IN_MOVED_FROM | IN_MOVED_TO)) != 0) {
    doubt("a directory was moved");
    stale_ = true;
  }
}

void Watches::take_file(const inotify_event& event, const std::string& path) {
  if ((event.mask & IN_CREATE) != 0) born_.insert(path);
  if ((event.mask & IN_MOVED_FROM) != 0) moving_[event.cookie] = born_.erase(path) > 0;
  if ((event.mask & IN_DELETE) != 0 && born_.erase(path) > 0) doubt("a file came and went");
  if ((event.mask & IN_MOVED_TO) == 0) return;
  if (born_.contains(path)) doubt("a new file was replaced");
  const auto move = moving_.find(event.cookie);
  if (move == moving_.end() || move->second) born_.insert(path);
  if (move != moving_.end()) moving_.erase(move);
}

void Watches::doubt(std::string reason) {
  if (doubt_.empty()) doubt_ = std::move(reason);
}

void Watches::forget_doubt() {
  doubt_.clear();
  born_.clear();
  moving_.clear();
}

}  // namespace kiln::engine
