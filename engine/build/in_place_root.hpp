// "/" as the stages of a build in place share it: there is one, and every stage with a RUN wants its base in it.
//
// What it guarantees:
//   - one stage at a time has "/": from take() until release(). It finds nothing there but its base and what stays (keep());
//   - the files of a stage that has run are where its Rootfs says, until the build ends: the next stage's take() has them moved
//     aside under the same open directory, and never while a Reading lives, which whoever copies from there holds;
//   - while one stage has "/", the base of the next is unpacked beside and then renamed into place; where the work directory is
//     on another file system it is unpacked when its turn has come;
//   - nobody waits for ever: a stage that has "/" waits for no other (its sources have run before it takes it), and neither does
//     whoever holds a Reading;
//   - give_back() leaves "/" as --cleanup, --pre-cleanup and --preserve-context say, after a failure too.
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/build/session.hpp"
#include "engine/rootfs/container_root.hpp"
#include "engine/rootfs/rootfs.hpp"

namespace kiln::engine {

struct StageResult;
using StageResultPtr = std::shared_ptr<StageResult>;

class InPlaceRoot {
 public:
  // What a stage's layers are unpacked from; asked once for each, when that begins.
  using LayersOf = std::function<std::vector<LayerInput>(int index, const StageResult& stage)>;

  InPlaceRoot(Session& session, LayersOf layers_of)
      : session_(session), layers_of_(std::move(layers_of)), changed_(session.runtime.executor()) {}

  // While it lives, nothing in "/" is moved. For the time of one step; whoever has one waits for no stage.
  class Reading {
   public:
    explicit Reading(InPlaceRoot& root) : root_(root) { ++root_.readers_; }
    ~Reading() {
      --root_.readers_;
      root_.changed_.notify_all();
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    InPlaceRoot& root_;
  };

  // Unpacks the stage's base beside "/" if another stage has that now; else nothing, take() will.
  io::Task<void> prepare(int index, StageResultPtr stage);
  // Waits for "/", then gives it to the stage with its base in it; stage->rootfs and stage->tree say what is there. What the
  // stage copies from must have run. Errors: io::Error(unsupported) when "/" cannot be written, or when there is no place to move
  // the files of the stage before to.
  io::Task<void> take(int index, StageResultPtr stage);
  // The stage's RUNs are done; nothing if it has not taken "/".
  void release(int index);

  // Has a stage's files in it, or will have none.
  bool used() const noexcept { return current_ != nullptr; }
  // Waits until no files are on their way.
  io::Task<std::unique_ptr<Reading>> read();
  // Where what the build was given as `path` is now; as long as there is a Reading.
  std::string where(const std::string& path) const { return container_ ? container_->where(path) : path; }

  // Once everything that is pushed or written has been captured; `failed`: without what the build has put there. More than once is
  // once.
  io::Task<void> give_back(bool failed);

 private:
  std::shared_ptr<Rootfs> new_rootfs(int index) const;
  io::Task<void> clear_for(int index);
  void keep_caches();

  Session& session_;
  const LayersOf layers_of_;
  std::unique_ptr<ContainerRoot> container_;  // from the first prepare()
  std::set<std::string> keep_;                // what stays in "/" besides mounts
  std::shared_ptr<Rootfs> current_;           // the stage whose files are in "/"
  std::optional<int> holder_;                 // the stage that runs in "/"
  int readers_ = 0;
  bool moving_ = false;  // files are on their way out of "/"
  io::Notify changed_;
};

}  // namespace kiln::engine
