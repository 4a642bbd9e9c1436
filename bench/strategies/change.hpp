// What a command may do to a tree, and what a snapshot has to say about it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tree/tree.hpp"

namespace kiln::bench {

enum class ChangeKind {
  none,
  one_file,            // bytes appended
  one_percent,         // new bytes of the same size in every hundredth file
  forged_mtime,        // new bytes of the same size, then the old mtime
  chmod,               // of one file
  rename_back,         // to another name and back: only ctimes and the directory's mtime differ
  remove,              // one file
  hard_link,           // a new name for a file
  replaced_directory,  // deleted, and a new one of that name with another file in it
  mmap_write,          // through a shared mapping, after the descriptor was closed
};

inline constexpr std::array all_changes = {
    ChangeKind::none,        ChangeKind::one_file, ChangeKind::one_percent, ChangeKind::forged_mtime,       ChangeKind::chmod,
    ChangeKind::rename_back, ChangeKind::remove,   ChangeKind::hard_link,   ChangeKind::replaced_directory, ChangeKind::mmap_write};

std::string_view name_of(ChangeKind kind);

struct Operation {
  enum class Kind { append, rewrite, rewrite_keep_mtime, chmod, rename, remove_file, link, replace_directory, mmap_write };
  Kind kind = Kind::append;
  std::string path;
  std::string other;  // rename, link: the new name; replace_directory: the file in it
};

struct PlannedChange {
  std::vector<Operation> operations;
  engine::Changes expected;  // sorted by path_less
};

// Chooses what to change in `tree`, by `seed`. A file whose content is in `changed` is one that an earlier run has written over:
// there is nothing left that a detector could compare it with, so it is not chosen. Errors: io::Error(not_found) when the tree has
// nothing of the kind.
PlannedChange plan_change(const engine::Tree& tree, ChangeKind kind, std::uint64_t seed,
                          const engine::ContentDirectory* changed = nullptr);

struct Verdict {
  std::size_t expected = 0;          // changes that were made
  std::size_t missed = 0;            // of those, not told
  std::size_t false_reports = 0;     // told, and not so: directories above what was changed do not count
  std::size_t false_candidates = 0;  // suspected, looked at more closely, and found to be as before
};
// `candidates`: how many entries the strategy suspected.
Verdict judge(const PlannedChange& planned, const engine::Changes& told, std::size_t candidates);

}  // namespace kiln::bench
