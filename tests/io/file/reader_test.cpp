#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "io/base/fd.hpp"
#include "io/file/read_plan.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::io {
namespace {

class FileReaderTest : public ::testing::TestWithParam<ReaderChoice> {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("kiln-reader-" + std::to_string(getpid()));
    std::filesystem::create_directories(path_ / "sub");
    directory_ = UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY));
  }
  void TearDown() override { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(path_ / name) << text; }
  ReadPiece piece(const std::string& name, std::uint64_t offset, std::string& target) {
    ReadPiece piece;
    piece.directory = directory_.get();
    piece.path = name;
    piece.offset = offset;
    piece.target = std::as_writable_bytes(std::span(target));
    return piece;
  }
  std::filesystem::path path_;
  UniqueFd directory_;
};

TEST_P(FileReaderTest, FillsPiecesAndReportsErrors) {
  Runtime runtime({});
  const auto reader = GetParam() == ReaderChoice::ring ? make_ring_reader(runtime) : make_thread_reader(runtime);
  if (!reader) GTEST_SKIP() << "io_uring is refused here";
  for (int i = 0; i < 500; ++i)
    write("sub/f" + std::to_string(i), std::string(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26)));
  write("large", std::string(3'000'000, 'L') + "end");
  std::filesystem::create_symlink("large", path_ / "link");
  std::vector<std::string> targets(504);
  std::vector<ReadPiece> pieces;
  for (std::size_t i = 0; i < 500; ++i) {
    targets[i].resize(i);
    pieces.push_back(piece("sub/f" + std::to_string(i), 0, targets[i]));
  }
  targets[500].resize(3);
  pieces.push_back(piece("large", 3'000'000, targets[500]));
  targets[501].resize(10);
  pieces.push_back(piece("missing", 0, targets[501]));
  targets[502].resize(10);
  pieces.push_back(piece("link", 0, targets[502]));
  targets[503].resize(100);
  pieces.push_back(piece("large", 3'000'000, targets[503]));
  auto body = [&]() -> Task<void> { co_await reader->read_all(pieces); };
  testing::run(runtime, body());
  for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(targets[i], std::string(i, static_cast<char>('a' + i % 26)));
  EXPECT_EQ(targets[500], "end");
  EXPECT_EQ(pieces[501].error, ENOENT);
  EXPECT_EQ(pieces[502].error, ELOOP);
  EXPECT_EQ(pieces[503].read, 3U);
}

INSTANTIATE_TEST_SUITE_P(BackEnds, FileReaderTest, ::testing::Values(ReaderChoice::threads, ReaderChoice::ring));

}  // namespace
}  // namespace kiln::io
