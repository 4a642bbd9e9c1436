// "/" in the hands of a build in place: what it held before, and what becomes of it afterwards.
//
// A stage must find nothing in "/" but what its Tree says, or leftovers of the executor's image, of tools put into it and of
// earlier builds would end up in layers. So whatever is there is set aside by renames before the first stage takes "/", and comes
// back at the end wherever the build has not put something else. What the build was given by name (contexts, keys, sockets of
// agents) is set aside, too, when it is in the container's own file system and no mount, and comes back whatever the image has
// there: open directories do not mind, and where() says where the rest is meanwhile.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "engine/rootfs/protected_paths.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

class ContainerRoot {
 public:
  struct Settings {
    std::string work_directory;     // of the build
    std::string kiln_directory;     // where the program is
    std::set<std::string> given;    // absolute paths, files or directories, whether they exist or not
    bool pre_cleanup = false;       // what "/" holds is deleted and does not come back
    bool cleanup = false;           // "/" is left empty
    bool preserve_context = false;  // "/" is left as it was found
  };
  ContainerRoot(io::Runtime& runtime, Settings settings);
  ~ContainerRoot();
  ContainerRoot(const ContainerRoot&) = delete;
  ContainerRoot& operator=(const ContainerRoot&) = delete;

  // A directory on the file system of "/", so that trees move between the two by renames: the work directory, or one beside the
  // program where the work directory is a mount. Exists.
  const std::string& directory() const noexcept { return directory_; }
  bool renames() const noexcept { return renames_; }  // false: there is none

  // Once, before the first stage. `keep`: absolute paths that stay; what was given and cannot be moved is added. Errors:
  // io::Error(unsupported) when "/" cannot be written, saying what to change.
  io::Task<void> take(std::set<std::string>& keep);

  // Where what is given as `path` can be read and written: there, until take() has moved it.
  std::string where(const std::string& path) const;

  // The end. `keep` as take() left it; `failed`: what the build has put into "/" is of no use. Errors are logged.
  io::Task<void> give_back(std::set<std::string> keep, bool failed);

 private:
  void set_aside(std::set<std::string>& keep);
  void put_back(const std::set<std::string>& keep, bool failed);
  void move_given(const std::string& path, std::set<std::string>& keep);
  void return_given(const std::string& path, const std::string& place);

  io::Runtime& runtime_;
  Settings settings_;
  std::string directory_;
  bool own_directory_ = false;
  bool renames_ = false;
  bool taken_ = false;
  std::map<std::string, std::string> moved_;  // what was given, by its path, and where it is; parents before what is in them
};

// Paths outside of mounts that a build in place itself reads while "/" changes: credentials and their like, named by the
// environment; the debug image's shell.
std::set<std::string> paths_read_by_builds();

}  // namespace kiln::engine
