// --single-snapshot: what all steps of a stage changed together.
#pragma once

#include <set>
#include <string>

#include "engine/tree/tree.hpp"

namespace kiln::engine {

class AccumulatedChanges {
 public:
  // `before`: what the stage is built on.
  explicit AccumulatedChanges(Tree before) : before_(std::move(before)) {}

  // `tree`: as it is after the step that made `changes`. Names in it that the disk has as one inode become links of each other:
  // the layer of one step does not tell where an earlier one has made the file that it gives a name.
  void add(Tree& tree, const Changes& changes);

  // What the steps touched, as it is in `tree`, and what of `before` is not there any more.
  Changes all(const Tree& tree) const;

 private:
  Tree before_;
  std::set<std::string> touched_;
  std::set<std::string> emptied_;  // directories of `before_` that were no directory for a while: nothing in them was kept
};

}  // namespace kiln::engine
