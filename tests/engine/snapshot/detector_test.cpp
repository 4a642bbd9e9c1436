// Every kind of change, seen by every detector: the result never depends on the detector or on the shape of the root.
#include "engine/snapshot/detector.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "snapshot_root.hpp"

namespace kiln::engine {
namespace {

using testing::SnapshotRoot;

// In the child: stops the test where a step fails.
void must(bool done) {
  if (!done) _exit(97);
}

void shell(const char* script) { must(std::system(script) == 0); }

// Writes "X" over the first byte through a shared mapping, after the descriptor is closed.
void write_mapped(const char* path) {
  const int file = open(path, O_RDWR);
  must(file >= 0);
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  must(memory != MAP_FAILED);
  close(file);
  std::memcpy(memory, "X", 1);
}

void write_mapped_and_die(const char* path) {
  const pid_t child = fork();
  if (child == 0) {
    write_mapped(path);
    kill(getpid(), SIGKILL);
  }
  must(waitpid(child, nullptr, 0) == child);
}

void bind_socket(const char* path) {
  const int file = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path);
  must(bind(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  close(file);
}

struct Case {
  const char* name;
  std::function<void()> program;
  const char* expected;
  bool keeps_times = false;          // redo and time may miss it
  const char* in_overlay = nullptr;  // where the shape does show (README: Limits)
};

std::function<void()> script(const char* text) {
  return [text] { shell(text); };
}

std::vector<Case> cases() {
  return {
      {"Nothing", script("true"), ""},
      {"Created", script("echo a > new; mkdir d; echo b > d/e; ln -s x d/l; mkfifo d/f"),
       "+ d 755 directory\n+ d/e 644 'b\n'\n+ d/f 644 fifo\n+ d/l 777 -> x\n+ new 644 'a\n'\n"},
      {"Written", script("printf X >> dir/one"), "+ dir/one 644 'text of dir/oneX'\n"},
      {"Truncated", [] { must(truncate("dir/one", 4) == 0); }, "+ dir/one 644 'text'\n"},
      {"Mode", script("chmod 600 dir/two; chmod 711 dir/deep"), "+ dir/deep 711 directory\n+ dir/two 600 'text of dir/two'\n"},
      {"TimeOfALink", script("touch -h -d @5 link"), "+ link 777 -> dir/one\n"},
      {"Removed", script("rm dir/one; rm -r other"), "+ dir 755 directory\n- dir/one\n- other\n"},
      {"RenamedFile", script("mv dir/one other/one"),
       "+ dir 755 directory\n- dir/one\n+ other 755 directory\n+ other/one 644 'text of dir/one'\n"},
      {"RenamedOver", script("printf X > t; mv t dir/one"), "+ dir 755 directory\n+ dir/one 644 'X'\n"},
      {"RenamedDirectory", script("mv dir/deep other/moved; printf X >> other/moved/three"),
       "+ dir 755 directory\n- dir/deep\n+ other 755 directory\n+ other/moved 755 directory\n"
       "+ other/moved/three 644 'text of dir/deep/threeX'\n"},
      {"Swapped", script("mv dir/one t; mv other/four dir/one; mv t other/four"),
       "+ dir 755 directory\n+ dir/one 644 'text of other/four'\n+ other 755 directory\n+ other/four 644 'text of dir/one'\n",
       true},
      {"FileForDirectory", script("rm -r dir/deep; printf X > dir/deep"), "+ dir 755 directory\n+ dir/deep 644 'X'\n"},
      {"DirectoryForFile", script("rm top; mkdir top; printf X > top/in"), "+ top 755 directory\n+ top/in 644 'X'\n"},
      {"DirectoryMadeAnew", script("rm -r dir/deep; mkdir dir/deep; printf X > dir/deep/new"),
       "+ dir 755 directory\n+ dir/deep 755 directory\n+ dir/deep/new 644 'X'\n- dir/deep/three\n"},
      {"SocketForFile",
       [] {
         shell("rm dir/one");
         bind_socket("dir/one");
         bind_socket("dir/new");
       },
       "+ dir 755 directory\n- dir/one\n"},
      {"SocketForDirectory",
       [] {
         shell("rm -r dir/deep");
         bind_socket("dir/deep");
       },
       "+ dir 755 directory\n- dir/deep\n"},
      {"LinkForLink", script("ln -sfn other link"), "+ link 777 -> other\n"},
      {"Mapped", [] { write_mapped("dir/one"); }, "+ dir/one 644 'Xext of dir/one'\n"},
      {"MappedAndKilled", [] { write_mapped_and_die("dir/one"); }, "+ dir/one 644 'Xext of dir/one'\n"},
      {"TouchedOnly", script("chmod 600 dir/one; chmod 644 dir/one; touch -d @1700000000 dir/one"), ""},
      {"CopiedOntoItself", script("cp -p dir/one t; mv t dir/one; touch -d @0 dir"), ""},
      {"ForgedTime", script("printf 'TEXT of dir/one' > dir/one; touch -d @1700000000 dir/one"),
       "+ dir/one 644 'TEXT of dir/one'\n", true},
      {"LinkAdded", script("ln dir/one dir/also"), "+ dir 755 directory\n+ dir/also 644 'text of dir/one'\n"},
      {"LinksAdded", script("ln dir/one dir/a; ln dir/one other/b"),
       "+ dir 755 directory\n+ dir/a 644 'text of dir/one'\n+ other 755 directory\n+ other/b 644 = dir/a\n"},
      {"LinkRemoved", script("rm other/pair"), "+ other 755 directory\n- other/pair\n"},
      {"LinkedWritten", script("printf X >> other/pair"), "+ dir/pair 644 'linkedX'\n+ other/pair 644 = dir/pair\n", false,
       "+ other/pair 644 'linkedX'\n"},
      {"LinkWrittenAndRemoved", script("printf X >> other/pair; rm other/pair"),
       "+ dir/pair 644 'linkedX'\n+ other 755 directory\n- other/pair\n", false, "+ other 755 directory\n- other/pair\n"},
      {"PassingLink", script("ln dir/one t; printf X >> t; rm t"), "+ dir/one 644 'text of dir/oneX'\n"},
      {"PassingLinkInNewDirectory", script("mkdir d; ln dir/one d/t; printf X >> d/t; rm -r d"),
       "+ dir/one 644 'text of dir/oneX'\n"},
      {"ManyEvents",
       script("i=0; while [ $i -lt 9000 ]; do : > other/a; : > dir/b; i=$((i+1)); done; rm other/a dir/b; printf X >> top"),
       "+ dir 755 directory\n+ other 755 directory\n+ top 644 'text of topX'\n"},
  };
}

struct Detectors : ::testing::TestWithParam<std::pair<RootfsShape, SnapshotMode>> {
  void SetUp() override {
    if (GetParam().first == RootfsShape::overlay && !SnapshotRoot::overlay_works())
      GTEST_SKIP() << "no overlay can be mounted here";
  }
  io::Runtime runtime{io::RuntimeOptions{}};
};

TEST_P(Detectors, SeeEveryKindOfChange) {
  const auto [shape, mode] = GetParam();
  for (const Case& change : cases()) {
    if (change.keeps_times && (mode == SnapshotMode::redo || mode == SnapshotMode::time)) continue;
    SCOPED_TRACE(change.name);
    SnapshotRoot root(runtime, shape, mode);
    const bool shows = shape == RootfsShape::overlay && change.in_overlay;
    EXPECT_EQ(root.run(change.program), shows ? change.in_overlay : change.expected);
  }
}

TEST_P(Detectors, StayRightFromRunToRun) {
  const auto [shape, mode] = GetParam();
  SnapshotRoot root(runtime, shape, mode);
  const std::pair<const char*, const char*> runs[] = {
      {"mkdir -p d/e; printf a > d/e/x", "+ d 755 directory\n+ d/e 755 directory\n+ d/e/x 644 'a'\n"},
      {"printf b >> d/e/x", "+ d/e/x 644 'ab'\n"},
      {"mv d f", "- d\n+ f 755 directory\n+ f/e 755 directory\n+ f/e/x 644 'ab'\n"},
      {"printf c >> f/e/x", "+ f/e/x 644 'abc'\n"},
      {"mkdir d; printf d > d/y", "+ d 755 directory\n+ d/y 644 'd'\n"},
      {"mv d t; mv f d; mv t f",
       "+ d 755 directory\n+ d/e 755 directory\n+ d/e/x 644 'abc'\n- d/y\n+ f 755 directory\n- f/e\n+ f/y 644 'd'\n"},
      {"printf e >> d/e/x; printf f >> f/y", "+ d/e/x 644 'abce'\n+ f/y 644 'df'\n"},
      {"rm -r d; mkdir -p d/e; printf g > d/e/x", "+ d 755 directory\n+ d/e 755 directory\n+ d/e/x 644 'g'\n"},
      {"printf h >> d/e/x", "+ d/e/x 644 'gh'\n"},
      {"true", ""},
  };
  for (const auto& [program, expected] : runs) EXPECT_EQ(root.run(script(program)), expected) << program;
}

INSTANTIATE_TEST_SUITE_P(
    All, Detectors,
    ::testing::Values(std::pair(RootfsShape::plain, SnapshotMode::inode_ctime), std::pair(RootfsShape::plain, SnapshotMode::watch),
                      std::pair(RootfsShape::plain, SnapshotMode::full), std::pair(RootfsShape::plain, SnapshotMode::redo),
                      std::pair(RootfsShape::plain, SnapshotMode::time), std::pair(RootfsShape::overlay, SnapshotMode::overlay)),
    [](const auto& info) {
      std::string name(name_of(info.param.second));
      std::erase(name, '-');
      return name;
    });

}  // namespace
}  // namespace kiln::engine
