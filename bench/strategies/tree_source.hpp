// The trees that strategies are compared on: one that is made, with an image's mix of files, or a copy of a given one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::bench {

// A Tree whose contents can be read, ready for Rootfs::apply().
struct TreeSource {
  engine::Tree tree;
  engine::Changes puts;     // everything in it
  std::uint64_t bytes = 0;  // of its regular files; a hard link's only once
};

// A tree of about `entries` paths: 1 directory in 10, 1 symlink in 16, 1 hard link in 100, the rest files whose sizes are
// log-normal (median 2.5 KB, mean 7.7 KB, as in language packages and /usr), up to 10 directories deep. The same for the same
// number. Contents come from files that are made in `scratch`, an existing directory.
TreeSource make_tree(std::size_t entries, const std::string& scratch);

// What is below a directory, as a build context has it: owners are root's. It is only read, and must not change meanwhile.
// What is mounted below it, and `except`, are left out. Errors: io::Error(context or filesystem) naming the path.
io::Task<TreeSource> index_directory(io::Runtime& runtime, std::string directory, std::string except);

}  // namespace kiln::bench
