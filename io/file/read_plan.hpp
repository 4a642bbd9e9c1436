// Reading many files at once, behind one seam with two back ends.
//
// A caller names pieces of files and where their bytes go; the reader fills all of them. Threads are the product; the
// ring (io_uring) is used where the kernel lets us and helps most with cold disks. Both pass the same tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/loop/runtime.hpp"
#include "io/loop/task.hpp"

namespace kiln::io {

// One piece of one file. The file is opened below `directory` with O_NOFOLLOW | O_CLOEXEC (O_NOATIME where permitted).
struct ReadPiece {
  int directory = -1;  // borrowed
  std::string path;    // relative to `directory`
  std::uint64_t offset = 0;
  MutableBytes target;     // must live until read_all() has returned, cancelled or not
  std::uint64_t read = 0;  // out: bytes read; less than target.size() only where the file ended
  int error = 0;           // out: errno of open or read, 0 when fine
};

class FileReader {
 public:
  virtual ~FileReader() = default;
  // Fills every piece. Errors are left in the pieces. Not interruptible.
  virtual Task<void> read_all(std::vector<ReadPiece>& pieces) = 0;
  virtual const char* name() const noexcept = 0;  // "threads" or "io_uring"
};

std::unique_ptr<FileReader> make_thread_reader(Runtime& runtime);
// Nothing when the kernel or a seccomp filter refuses io_uring (EPERM, ENOSYS, ...), with the reason in *why.
std::unique_ptr<FileReader> make_ring_reader(Runtime& runtime, std::string* why = nullptr);

enum class ReaderChoice { automatic, threads, ring };
// automatic: the back end that measured faster for warm files unless KILN_FILE_READER names one; logs one debug line.
std::unique_ptr<FileReader> make_file_reader(Runtime& runtime, ReaderChoice choice = ReaderChoice::automatic);

}  // namespace kiln::io
