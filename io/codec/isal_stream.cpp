#include "io/codec/isal_stream.hpp"

#include <sys/mman.h>

#include <array>
#include <cerrno>

#include <isa-l/crc.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"

namespace kiln::io {

namespace {

constexpr std::uintptr_t address_step = std::uintptr_t{1} << 16U;  // lower bits do not reach the hash
constexpr std::uint32_t largest_mask = (1U << 15U) - 1;  // level 2; level 1 and short blocks use fewer bits of the same hash
constexpr int addresses_to_try = 64;

void* map(std::uintptr_t address) {
  void* const memory =
      mmap(reinterpret_cast<void*>(address), sizeof(isal_zstream), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw_errno(errno, "memory for compressing");
  return memory;
}

}  // namespace

void UnmapStream::operator()(isal_zstream* stream) const { munmap(stream, sizeof(isal_zstream)); }

std::uint32_t bucket_of_address(std::uintptr_t address) {
  const auto bits = static_cast<std::uint32_t>(address / address_step);
  std::array<unsigned char, 4> bytes{};
  for (unsigned i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(bits >> 8U * i);
  return crc32_iscsi(bytes.data(), static_cast<int>(bytes.size()), 0) & largest_mask;
}

// From where the kernel would put it, down: an address is only a wish, and others (threads too) may have taken it.
IsalStream make_isal_stream() {
  IsalStream stream(static_cast<isal_zstream*>(map(0)));
  const auto at = [&stream] { return reinterpret_cast<std::uintptr_t>(stream.get()); };
  std::uintptr_t address = at() / address_step * address_step;
  for (int tries = 0; bucket_of_address(at()) != 0; ++tries) {
    if (tries == addresses_to_try) {
      spdlog::warn(
          "compressing: the system gives no memory at chosen addresses; the digest of a layer may differ from another build's");
      break;
    }
    do address -= address_step;
    while (bucket_of_address(address) != 0);
    stream.reset(static_cast<isal_zstream*>(map(address)));
  }
  return stream;
}

}  // namespace kiln::io
