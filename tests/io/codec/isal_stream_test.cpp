#include "io/codec/isal_stream.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "io/codec/block_compressor.hpp"

namespace kiln::io {
namespace {

TEST(IsalStream, StandsAtAnAddressOfBucketZeroInEveryThread) {
  constexpr std::size_t count = 16;
  std::array<IsalStream, count> streams;
  std::vector<std::thread> threads;
  for (auto& stream : streams) threads.emplace_back([&stream] { stream = make_isal_stream(); });
  for (auto& thread : threads) thread.join();
  std::set<std::uintptr_t> addresses;
  for (const auto& stream : streams) {
    const auto address = reinterpret_cast<std::uintptr_t>(stream.get());
    EXPECT_EQ(bucket_of_address(address), 0U);
    addresses.insert(address);
  }
  EXPECT_EQ(addresses.size(), count);
}

// "gcdx" is of bucket 0 as well, so these bytes are those of a stream in its place: the second "gcdx begins" is a literal and a
// match of
// 10. With the stream anywhere else it is a match of 11, and the block has 34 bytes.
TEST(IsalStream, BytesAreThoseOfItsPlaceAndNoOther) {
  const std::string text = "gcdx begins" + std::string(1000, 'y') + "gcdx begins again";
  std::string bytes;
  for (const std::byte byte : compress_block({.compression = Compression::gzip, .level = 1}, as_bytes(text)).bytes)
    bytes += fmt::format("{:02x}", byte);
  EXPECT_EQ(bytes, "4a4f4ea950484a4dcfcc2bae1c05a360140c7b908ec8f20a89e989997900000000ffff");
}

}  // namespace
}  // namespace kiln::io
