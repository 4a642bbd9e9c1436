// Where on the disk a build's many files go.
#pragma once

#include <string>

namespace kiln::engine {

// Makes a directory for tens of thousands of new files; gives its path: `path`, or that with a number.
//
// ext4 gives a new file no inode that was freed in the last minutes, and finds that out by looking at each of them: where a
// root file system was deleted a moment ago, creating a file takes 20 times as long (ext4's recently_deleted()). So the parent
// gets the flag that has ext4 put each new directory into a block group by its name's hash (chattr +T), and where creating
// a file still is slow, another name is tried. Other file systems get `path`. Errors: io::Error(filesystem).
std::string make_spread_directory(const std::string& path);

}  // namespace kiln::engine
