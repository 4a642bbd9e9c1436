#include "engine/context/context.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/run_task.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() {
    char name[] = "/tmp/kiln-context-XXXXXX";
    path = mkdtemp(name);
  }
  ~Directory() { fs::remove_all(path); }
  void file(const std::string& name) const {
    fs::create_directories((fs::path(path) / name).parent_path());
    std::ofstream(fs::path(path) / name) << name;
  }
  std::string path;
};

std::string scanned(Context& context, std::vector<std::string> roots) {
  io::Runtime runtime({});
  Tree tree;
  for (const auto& root : roots) {
    auto task = [&]() -> io::Task<void> { tree = co_await context.scan(runtime, root); };
    testing::run(runtime, task());
  }
  std::string paths;
  tree.walk("", [&](const std::string& path, const Node&) {
    if (!path.empty()) paths += path + " ";
    return true;
  });
  return paths;
}

TEST(Context, ScansWhatIsAskedFor) {
  const Directory directory;
  for (const char* name : {"a/b/c", "a/d", "x/y/z", "top", "target/in"}) directory.file(name);
  fs::create_symlink("target", fs::path(directory.path) / "link");
  fs::create_symlink("/etc", fs::path(directory.path) / "outside");
  chmod((directory.path + "/x").c_str(), 0701);
  struct Case {
    std::vector<std::string> roots;
    const char* ignore;
    const char* paths;
  };
  const std::vector<Case> cases = {
      {{""}, "", "a a/b a/b/c a/d link outside target target/in top x x/y x/y/z "},
      {{"a"}, "", "a a/b a/b/c a/d "},
      {{"a/b"}, "", "a a/b a/b/c "},
      {{"a/b", "top"}, "", "a a/b a/b/c top "},
      {{"nothing"}, "", ""},
      {{"top/x"}, "", "top "},
      {{"link/in"}, "", "link target target/in "},
      {{"link"}, "", "link target target/in "},
      {{"outside/passwd"}, "", "outside "},
      {{""}, "*\n!x/y", "x x/y x/y/z "},
      {{"x"}, "*\n!x/y", "x x/y x/y/z "},
      {{"a"}, "*\n!x/y", ""},
      {{""}, "a\ntop\n**/in\nlink\noutside", "target x x/y x/y/z "},
      {{"link/in"}, "link", ""},
      {{""}, "**/y\n!x/y/z", "a a/b a/b/c a/d link outside target target/in top x x/y x/y/z "},
  };
  for (const auto& item : cases) {
    Context context(directory.path, IgnoreMatcher::parse(item.ignore));
    EXPECT_EQ(scanned(context, item.roots), item.paths) << item.roots[0] << " ignoring " << item.ignore;
  }
  Context context(directory.path, {});
  io::Runtime runtime({});
  Tree tree;
  auto task = [&]() -> io::Task<void> { tree = co_await context.scan(runtime, "x/y/z"); };
  testing::run(runtime, task());
  EXPECT_EQ(tree.find("x")->mode, 0701U);  // the directories above are the real ones
}

TEST(Context, SaysWhyWhatIsThereIsMissing) {
  const Directory directory;
  directory.file("ignored/file");
  directory.file("kept");
  fs::create_symlink("../../etc/passwd", fs::path(directory.path) / "outside");
  mknod((directory.path + "/socket").c_str(), S_IFSOCK | 0600, 0);
  const Context context(directory.path, IgnoreMatcher::parse("ignored"));
  EXPECT_EQ(context.why_missing("ignored/file"), " (it is there, and the ignore file leaves it out)");
  EXPECT_EQ(context.why_missing("outside"), " (it is a link to ../../etc/passwd, which the context does not have)");
  EXPECT_EQ(context.why_missing("socket"), " (it is a socket, which no layer can hold)");
  EXPECT_EQ(context.why_missing("kept"), "");
  EXPECT_EQ(context.why_missing("nowhere"), "");
}

// Many directories: on threads the result is the same.
TEST(Context, ManyDirectories) {
  const Directory directory;
  for (int i = 0; i < 60; ++i) {
    for (int j = 0; j < 3; ++j) directory.file("d" + std::to_string(i) + "/e" + std::to_string(j) + "/f");
  }
  fs::create_hard_link(directory.path + "/d1/e1/f", directory.path + "/d2/e2/linked");
  Context context(directory.path, {});
  io::Runtime runtime({});
  Tree tree;
  auto task = [&]() -> io::Task<void> { tree = co_await context.scan(runtime, ""); };
  testing::run(runtime, task());
  EXPECT_EQ(tree.size(), 1U + 60 + 180 + 180 + 1);
  EXPECT_NE(tree.find("d1/e1/f")->link_id, 0U);
  EXPECT_EQ(tree.find("d1/e1/f")->link_id, tree.find("d2/e2/linked")->link_id);
}

}  // namespace
}  // namespace kiln::engine
