#include "engine/cache/fingerprint.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "engine/cache/copied_files.hpp"
#include "engine/context/context.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

class Fingerprints : public ::testing::Test {
 protected:
  Fingerprints() {
    char name[] = "/tmp/kiln-fingerprint-XXXXXX";
    directory_ = mkdtemp(name);
    file("a/one", "first");
    file("a/two", "second");
    file("b/three", "third");
  }
  ~Fingerprints() override { fs::remove_all(directory_); }

  void file(const std::string& name, const std::string& text) const {
    fs::create_directories((fs::path(directory_) / name).parent_path());
    std::ofstream(fs::path(directory_) / name) << text;
  }

  io::Task<void> list(const CopyStep& step, FileMemory* memory, std::string& key) {
    Context context(directory_, IgnoreMatcher());
    context.remember_in(memory);
    const Tree tree = co_await context.scan(runtime_, "");
    Listing listing(memory);
    for (const auto& source : step.sources) list_copied_files(step, source, tree, listing);
    key = co_await fingerprint(runtime_, listing);
  }
  std::string key(const CopyStep& step, FileMemory* memory) {
    std::string key;
    testing::run(runtime_, list(step, memory, key));
    return key;
  }
  static CopyStep copy(std::vector<std::string> sources) {
    CopyStep step;
    step.sources = std::move(sources);
    step.destination = "/to";
    return step;
  }

  io::Runtime runtime_{io::RuntimeOptions{}};
  std::string directory_;
};

TEST_F(Fingerprints, DoNotDependOnTheMemory) {
  FileMemory memory("");
  CopyStep excluding = copy({"."});
  excluding.excludes = {"b"};
  CopyStep parents = copy({"a/one"});
  parents.parents = true;
  std::set<std::string> keys;
  for (const auto& step : {copy({"."}), copy({"a"}), copy({"a/one"}), copy({"a", "b"}), copy({"*"}), excluding, parents}) {
    const std::string alone = key(step, nullptr);
    EXPECT_EQ(key(step, &memory), alone);
    EXPECT_EQ(key(step, &memory), alone);
    keys.insert(alone);
  }
  EXPECT_EQ(keys.size(), 7U);
  EXPECT_EQ(memory.files()->all().size(), 3U);
}

TEST_F(Fingerprints, AreRememberedAndNotRead) {
  FileMemory memory("");
  const std::string right = key(copy({"."}), &memory);
  // Another digest under the right stamp: what is known is not read.
  std::vector<KnownFile> wrong(memory.files()->all().begin(), memory.files()->all().end());
  wrong.front().digest.fill(std::byte{0});
  memory.add(wrong);
  EXPECT_NE(key(copy({"."}), &memory), right);
}

TEST_F(Fingerprints, SeeAChangeOfTheSameSizeAtOnce) {
  FileMemory memory("");
  std::set<std::string> keys;
  for (const char* text : {"first", "FIRST", "First", "fIrst", "fiRst"}) {
    file("a/one", text);
    keys.insert(key(copy({"."}), &memory));
  }
  EXPECT_EQ(keys.size(), 5U);
}

TEST_F(Fingerprints, SeeWhatMetadataSays) {
  FileMemory memory("");
  const std::string plain = key(copy({"."}), &memory);
  fs::last_write_time(directory_ + "/a/one", fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(key(copy({"."}), &memory), plain);
  chmod((directory_ + "/a/one").c_str(), 0600);
  EXPECT_NE(key(copy({"."}), &memory), plain);
  chmod((directory_ + "/a/one").c_str(), 0644);
  EXPECT_EQ(key(copy({"."}), &memory), plain);
  fs::create_hard_link(directory_ + "/a/one", directory_ + "/a/copy");
  const std::string linked = key(copy({"."}), &memory);
  fs::remove(directory_ + "/a/copy");
  file("a/copy", "first");
  EXPECT_NE(key(copy({"."}), &memory), linked);
}

io::Task<void> hash(io::Runtime& runtime, std::vector<HashedFile>& files, io::ReaderChoice choice) {
  co_await hash_files(runtime, files, choice);
}

std::vector<HashedFile> many_files(const std::string& directory) {
  auto content = std::make_shared<ContentDirectory>();
  content->directory = io::UniqueFd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<HashedFile> files;
  for (unsigned number = 0; number < 300; ++number) {
    HashedFile file;
    file.content.directory = content;
    file.content.path = "many/" + std::to_string(number);
    file.size = number == 100 ? (3U << 20U) : number * number;
    std::ofstream(directory + "/" + file.content.path) << std::string(file.size, static_cast<char>(number));
    files.push_back(file);
  }
  return files;
}

TEST_F(Fingerprints, OfFilesAreTheSameThroughRingAndThreads) {
  fs::create_directory(directory_ + "/many");
  for (const auto choice : {io::ReaderChoice::threads, io::ReaderChoice::ring}) {
    std::vector<HashedFile> files = many_files(directory_);
    testing::run(runtime_, hash(runtime_, files, choice));
    for (std::size_t i = 0; i < files.size(); ++i) {
      const std::string text(files[i].size, static_cast<char>(i));
      EXPECT_EQ(files[i].hash, io::sha256(io::as_bytes(text))) << i;
      EXPECT_FALSE(files[i].changed);
    }
  }
}

TEST_F(Fingerprints, FindOutThatAFileIsNotWhatWasSeen) {
  struct stat status{};
  ASSERT_EQ(stat((directory_ + "/a/one").c_str(), &status), 0);
  auto content = std::make_shared<ContentDirectory>();
  content->directory = io::UniqueFd(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  HashedFile seen;
  seen.content.directory = content;
  seen.content.path = "a/one";
  seen.size = 5;
  seen.stamp.inode = status.st_ino;
  seen.stamp.ctime_ns = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec;
  seen.stamp.size = 5;
  HashedFile earlier = seen;
  earlier.stamp.ctime_ns -= 1;
  HashedFile shorter = seen;
  shorter.size = shorter.stamp.size = 4;
  for (const auto choice : {io::ReaderChoice::threads, io::ReaderChoice::ring}) {
    std::vector<HashedFile> files = {seen, earlier, shorter};
    testing::run(runtime_, hash(runtime_, files, choice));
    EXPECT_FALSE(files[0].changed);
    EXPECT_TRUE(files[1].changed);
    EXPECT_TRUE(files[2].changed);
  }
}

}  // namespace
}  // namespace kiln::engine
