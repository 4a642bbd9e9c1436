// Where on the disk a build's many files go.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

namespace kiln::engine {

// ext4 puts what is in a directory near it, and without a journal gives nothing an inode that was freed in the last minutes, which
// it finds out by looking at each of them (recently_deleted() in ext4's ialloc.c): where a root file system was deleted a moment
// ago, a file takes up to 40 times as long. So a directory that was slow to make, as what is to be in it would be, is made anew
// elsewhere: with the flag that has ext4 choose a block group by the name's hash (chattr +T) on its parent meanwhile, under names
// until one is fast, and then renamed. Where that does not help, a process stops trying: making directories may be slow for other
// reasons.

// CPU time; 20 to 50 microseconds where no inode is in the way.
inline constexpr std::chrono::nanoseconds slow_creation = std::chrono::microseconds(100);

// As mkdirat(2): 0, or -1 and errno. `parent` may be opened with O_PATH.
int make_spread_directory(int parent, const std::string& name, mode_t mode, std::chrono::nanoseconds slow = slow_creation);

// A directory for tens of thousands of files: always in a block group by its name. Makes its parents.
// Errors: io::Error(filesystem).
void make_spread_directory(const std::string& path);

}  // namespace kiln::engine
