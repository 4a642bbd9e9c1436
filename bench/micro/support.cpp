#include "bench/micro/support.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "io/base/error.hpp"

namespace kiln::bench {

std::vector<std::byte> sample_bytes(std::size_t size) {
  constexpr std::size_t word = 8;
  constexpr std::size_t vocabulary = 512;
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> words(vocabulary);
  for (auto& item : words) item = random();
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at + word <= size; at += word) {
    const std::uint64_t value = random() % 2 == 0 ? words[random() % vocabulary] : random();
    std::memcpy(bytes.data() + at, &value, word);
  }
  return bytes;
}

ScratchDirectory::ScratchDirectory() {
  const char* temporary = std::getenv("TMPDIR");
  path_ = std::string(temporary ? temporary : "/var/tmp") + "/kiln-micro-XXXXXX";
  if (!mkdtemp(path_.data())) io::throw_errno(errno, "making a scratch directory");
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

io::Runtime& shared_runtime() {
  static io::Runtime runtime{io::RuntimeOptions{}};
  return runtime;
}

}  // namespace kiln::bench
