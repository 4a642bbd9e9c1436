// The same hashes whichever way the files are read.
#include "engine/snapshot/content_hashes.hpp"

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "../../support/run_task.hpp"

namespace kiln::engine {
namespace {

using Hashes = std::vector<io::Xxh128Value>;

io::Task<void> hash_into(io::Runtime& runtime, int root, const std::vector<DiskEntry>& files, io::ReaderChoice choice,
                         Hashes& hashes) {
  hashes = co_await hash_contents(runtime, root, files, choice);
}

TEST(ContentHashes, DoNotDependOnTheReader) {
  std::string path = "/var/tmp/kiln-hashes.XXXXXX";
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  std::vector<DiskEntry> files;
  for (const std::size_t size : {0U, 1U, 5000U, 900'000U, 3'000'000U, 1'000'000U, 1'000'000U, 1'000'000U, 1'000'000U, 9'000'000U}) {
    DiskEntry entry;
    entry.path = "f" + std::to_string(files.size());
    entry.stamp.size = size;
    std::ofstream(path + "/" + entry.path, std::ios::binary) << std::string(size, static_cast<char>('a' + files.size()));
    files.push_back(entry);
  }
  const io::UniqueFd root(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  io::Runtime runtime{io::RuntimeOptions{}};
  Hashes by_threads;
  Hashes by_ring;
  testing::run(runtime, hash_into(runtime, root.get(), files, io::ReaderChoice::threads, by_threads));
  testing::run(runtime, hash_into(runtime, root.get(), files, io::ReaderChoice::ring, by_ring));
  EXPECT_EQ(by_threads, by_ring);
  EXPECT_NE(by_threads[5], by_threads[6]);
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace kiln::engine
