#include "bench/strategies/change.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::bench {

namespace {

using engine::Change;
using engine::FileType;
using engine::Node;
using engine::Tree;

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// Files with bytes in them and one name, which can be changed without changing another path.
std::vector<std::string> changeable_files(const Tree& tree, const engine::ContentDirectory* changed) {
  std::vector<std::string> files;
  tree.walk("", [&](const std::string& path, const Node& node) {
    const bool fresh = !changed || node.content.directory.get() != changed;
    const bool writable = node.size > 0 && (node.mode & 0200) != 0;
    if (node.type == FileType::regular && node.link_id == 0 && writable && fresh) files.push_back(path);
    return true;
  });
  if (files.empty()) throw io::Error(io::ErrorKind::not_found, "the tree has no writable regular file to change");
  return files;
}

// Directories with 1 to 50 files and nothing else.
std::vector<std::string> replaceable_directories(const Tree& tree) {
  struct Count {
    std::size_t files = 0;
    bool others = false;
  };
  std::map<std::string, Count> counts;
  tree.walk("", [&](const std::string& path, const Node& node) {
    Count& count = counts[parent_of(path)];
    ++count.files;
    count.others = count.others || node.type != FileType::regular || node.link_id != 0;
    return true;
  });
  std::vector<std::string> directories;
  for (const auto& [path, count] : counts) {
    if (!path.empty() && !count.others && count.files <= 50) directories.push_back(path);
  }
  if (directories.empty()) throw io::Error(io::ErrorKind::not_found, "the tree has no directory of 1 to 50 files to replace");
  return directories;
}

class Planner {
 public:
  Planner(const Tree& tree, std::uint64_t seed, const engine::ContentDirectory* changed)
      : tree_(tree), seed_(seed), changed_(changed), random_(seed) {}

  PlannedChange plan(ChangeKind kind) {
    switch (kind) {
      case ChangeKind::none: break;
      case ChangeKind::one_file: put(Operation::Kind::append, one_file()); break;
      case ChangeKind::one_percent:
        for (const auto& path : every_hundredth_file()) put(Operation::Kind::rewrite, path);
        break;
      case ChangeKind::forged_mtime: put(Operation::Kind::rewrite_keep_mtime, one_file()); break;
      case ChangeKind::chmod: put(Operation::Kind::chmod, one_file()); break;
      case ChangeKind::mmap_write: put(Operation::Kind::mmap_write, one_file()); break;
      case ChangeKind::rename_back: rename_and_back(one_file()); break;
      case ChangeKind::remove: remove(one_file()); break;
      case ChangeKind::hard_link: link(one_file()); break;
      case ChangeKind::replaced_directory: replace(pick(replaceable_directories(tree_))); break;
    }
    std::ranges::sort(planned_.expected, engine::path_less, &Change::path);
    return std::move(planned_);
  }

 private:
  std::string pick(const std::vector<std::string>& paths) { return paths[random_() % paths.size()]; }
  std::string one_file() { return pick(changeable_files(tree_, changed_)); }

  std::vector<std::string> every_hundredth_file() {
    const auto files = changeable_files(tree_, changed_);
    std::vector<std::string> chosen;
    for (std::size_t at = random_() % std::min<std::size_t>(100, files.size()); at < files.size(); at += 100)
      chosen.push_back(files[at]);
    return chosen;
  }

  void put(Operation::Kind kind, const std::string& path) {
    planned_.operations.push_back({kind, path, ""});
    planned_.expected.push_back({Change::Kind::put, path});
  }

  void rename_and_back(const std::string& path) {
    const std::string other = new_name(path);
    planned_.operations.push_back({Operation::Kind::rename, path, other});
    planned_.operations.push_back({Operation::Kind::rename, other, path});
  }

  void remove(const std::string& path) {
    planned_.operations.push_back({Operation::Kind::remove_file, path, ""});
    planned_.expected.push_back({Change::Kind::remove, path});
  }

  void link(const std::string& path) {
    const std::string other = new_name(path);
    planned_.operations.push_back({Operation::Kind::link, path, other});
    planned_.expected.push_back({Change::Kind::put, other});
  }

  void replace(const std::string& directory) {
    const std::string file = fmt::format("{}/replacement-{}", directory, seed_);
    planned_.operations.push_back({Operation::Kind::replace_directory, directory, file});
    for (const auto& name : tree_.children(directory)) {
      planned_.expected.push_back({Change::Kind::remove, fmt::format("{}/{}", directory, name)});
    }
    planned_.expected.push_back({Change::Kind::put, file});
  }

  std::string new_name(const std::string& path) const { return fmt::format("{}.changed-{}", path, seed_); }

  const Tree& tree_;
  std::uint64_t seed_;
  const engine::ContentDirectory* changed_;
  std::mt19937_64 random_;
  PlannedChange planned_;
};

// Directories whose mtime an operation may move.
std::set<std::string> directories_above(const PlannedChange& planned) {
  std::set<std::string> above;
  const auto add = [&above](std::string path) {
    while (!path.empty()) {
      path = parent_of(path);
      above.insert(path);
    }
  };
  for (const auto& operation : planned.operations) {
    add(operation.path);
    add(operation.other);
  }
  return above;
}

}  // namespace

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::none: return "none";
    case ChangeKind::one_file: return "one-file";
    case ChangeKind::one_percent: return "one-percent";
    case ChangeKind::forged_mtime: return "forged-mtime";
    case ChangeKind::chmod: return "chmod";
    case ChangeKind::rename_back: return "rename-back";
    case ChangeKind::remove: return "delete";
    case ChangeKind::hard_link: return "hard-link";
    case ChangeKind::replaced_directory: return "replaced-dir";
    case ChangeKind::mmap_write: return "mmap-write";
  }
  return "";
}

PlannedChange plan_change(const Tree& tree, ChangeKind kind, std::uint64_t seed, const engine::ContentDirectory* changed) {
  return Planner(tree, seed, changed).plan(kind);
}

Verdict judge(const PlannedChange& planned, const engine::Changes& told, std::size_t candidates) {
  const auto same = [](const Change& change) {
    return [&change](const Change& other) { return other.kind == change.kind && other.path == change.path; };
  };
  // Sorted by path, so a change is looked for where its path is.
  const auto contains = [&same](const engine::Changes& changes, const Change& change) {
    const auto range = std::ranges::equal_range(changes, change.path, engine::path_less, &Change::path);
    return std::ranges::any_of(range, same(change));
  };
  const std::set<std::string> above = directories_above(planned);
  Verdict verdict;
  verdict.expected = planned.expected.size();
  const auto puts = static_cast<std::size_t>(std::ranges::count(told, Change::Kind::put, &Change::kind));
  verdict.false_candidates = candidates - std::min(candidates, puts);
  for (const auto& change : planned.expected) verdict.missed += contains(told, change) ? 0 : 1;
  for (const auto& change : told) {
    const bool explained = contains(planned.expected, change) || (change.kind == Change::Kind::put && above.contains(change.path));
    verdict.false_reports += explained ? 0 : 1;
  }
  return verdict;
}

}  // namespace kiln::bench
