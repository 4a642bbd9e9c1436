// Moving a file or a directory to anywhere, also to another file system.
#pragma once

#include <string>

namespace kiln::engine {

// Moves `name` of the open directory `from` to `to_name` of `to`, where nothing is: by rename; where that is refused (another
// file system, a directory of an overlay's lower layer), entry by entry and at last by copying with owner, mode, times,
// extended attributes and hard links. Errors: io::Error(filesystem) naming the entry; then a part may have been moved.
void move_entry(int from, const std::string& name, int to, const std::string& to_name);

}  // namespace kiln::engine
