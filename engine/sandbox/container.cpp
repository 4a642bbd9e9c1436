// Where we are: container signs and mount points.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "engine/plan/path.hpp"
#include "engine/sandbox/sandbox.hpp"

namespace kiln::engine {

namespace {

std::string read_text(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

bool exists(const char* path) { return access(path, F_OK) == 0; }

// mountinfo writes blanks and backslashes as three octal digits.
std::string decode_octal(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool root_is_overlay() {
  std::istringstream lines(read_text("/proc/mounts"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string device, point, type;
    if (fields >> device >> point >> type && point == "/") return type == "overlay";
  }
  return false;
}

}  // namespace

bool in_container() {
  for (const char* path : {"/run/.containerenv", "/.dockerenv", "/var/run/secrets/kubernetes.io/serviceaccount",
                           "/__runsc_containers__", "/run/systemd/container", "/proc/vz"}) {
    if (exists(path)) return true;
  }
  const char* named = std::getenv("container");
  if (named && *named) return true;
  const std::string groups = read_text("/proc/self/cgroup");
  for (const char* runtime : {"docker", "kubepods", "containerd", "crio", "libpod", "lxc", "garden", "rkt"}) {
    if (groups.find(runtime) != std::string::npos) return true;
  }
  return root_is_overlay();
}

std::set<std::string> mount_points() {
  std::set<std::string> points;
  std::istringstream lines(read_text("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    if (fields >> id >> parent >> device >> root >> point && point != "/") points.insert(decode_octal(point));
  }
  return points;
}

std::set<std::string> protected_paths(SandboxKind kind, const std::string& kiln_directory, bool ignore_var_run,
                                      const std::vector<std::string>& ignored) {
  std::set<std::string> paths;
  if (kind == SandboxKind::in_place) {
    paths = mount_points();
    paths.insert({"/proc", "/sys", "/dev", "/etc/mtab", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname"});
    paths.insert(kiln_directory);
    if (ignore_var_run) paths.insert("/var/run");
  } else {
    paths = {"/proc", "/sys", "/dev", "/etc/resolv.conf", "/etc/hosts"};
  }
  for (const auto& path : ignored) paths.insert("/" + clean_path(path));
  return paths;
}

std::string_view name_of(SandboxKind kind) { return kind == SandboxKind::userns ? "userns" : "in-place"; }

}  // namespace kiln::engine
