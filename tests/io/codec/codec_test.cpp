#include <algorithm>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/codec/block_compressor.hpp"
#include "io/codec/decompress.hpp"
#include "io/codec/digest.hpp"
#include "io/codec/read_ahead.hpp"

namespace kiln::io {
namespace {

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::vector<std::byte> bytes, std::size_t piece) : bytes_(std::move(bytes)), piece_(piece) {}
  std::size_t read(MutableBytes buffer) override {
    const std::size_t count = std::min({buffer.size(), piece_, bytes_.size() - given_});
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(given_), count, buffer.begin());
    given_ += count;
    return count;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t piece_;
  std::size_t given_ = 0;
};

std::vector<std::byte> sample(std::size_t size) {
  std::minstd_rand random(7);
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 5 == 0 ? random() : i / 64);
  return bytes;
}

std::vector<std::byte> compress(const CompressionSettings& settings, const std::vector<std::byte>& input) {
  BlockStream stream(settings);
  std::vector<std::byte> out = stream.header();
  for (std::size_t at = 0; at < input.size(); at += compression_block_size) {
    const std::size_t size = std::min(compression_block_size, input.size() - at);
    const CompressedBlock block = compress_block(settings, Bytes(input).subspan(at, size));
    stream.append(block);
    out.insert(out.end(), block.bytes.begin(), block.bytes.end());
  }
  const auto trailer = stream.trailer();
  out.insert(out.end(), trailer.begin(), trailer.end());
  return out;
}

std::vector<std::byte> decompress(std::vector<std::byte> bytes, std::size_t piece) {
  MemorySource source(std::move(bytes), piece);
  const auto inflated = make_decompressor(source);
  std::vector<std::byte> out;
  std::vector<std::byte> buffer(70000);
  while (const std::size_t count = inflated->read(buffer))
    out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
  return out;
}

struct Case {
  Compression compression;
  int level;
  std::size_t size;
};

class RoundTrip : public ::testing::TestWithParam<Case> {};

TEST_P(RoundTrip, GivesTheInputBack) {
  const auto input = sample(GetParam().size);
  const auto compressed = compress({GetParam().compression, GetParam().level}, input);
  EXPECT_EQ(decompress(compressed, 1U << 20U), input);
  EXPECT_EQ(decompress(compressed, 997), input);
  EXPECT_EQ(compressed, compress({GetParam().compression, GetParam().level}, input));
}

INSTANTIATE_TEST_SUITE_P(Codec, RoundTrip,
                         ::testing::Values(Case{Compression::gzip, -1, 0}, Case{Compression::gzip, 1, 1},
                                           Case{Compression::gzip, 1, 3'000'001}, Case{Compression::gzip, 3, 1U << 20U},
                                           Case{Compression::gzip, 4, 2'500'000}, Case{Compression::gzip, 9, 2'500'000},
                                           Case{Compression::zstd, -1, 0}, Case{Compression::zstd, 3, 3'000'001},
                                           Case{Compression::none, 0, 100'000}));

TEST(Gzip, DamageIsFound) {
  const auto input = sample(200'000);
  auto compressed = compress({Compression::gzip, 1}, input);
  auto flipped = compressed;
  flipped[flipped.size() / 2] ^= std::byte{0x10};
  EXPECT_THROW(decompress(flipped, 4096), Error);
  auto checksum = compressed;
  checksum[checksum.size() - 6] ^= std::byte{1};
  EXPECT_THROW(decompress(checksum, 4096), Error);
  compressed.resize(compressed.size() - 9);
  EXPECT_THROW(decompress(compressed, 4096), Error);
}

TEST(Gzip, SeveralMembersAndZeroPadding) {
  const auto input = sample(100'000);
  auto twice = compress({Compression::gzip, 1}, input);
  const auto one = twice;
  twice.insert(twice.end(), one.begin(), one.end());
  twice.resize(twice.size() + 1000);
  auto expected = input;
  expected.insert(expected.end(), input.begin(), input.end());
  EXPECT_EQ(decompress(twice, 333), expected);
  auto garbage = one;
  garbage.push_back(std::byte{'x'});
  EXPECT_THROW(decompress(garbage, 4096), Error);
}

TEST(ReadAhead, PassesBytesAndErrorsOn) {
  const auto input = sample(1'000'000);
  const auto ahead = make_read_ahead(std::make_unique<MemorySource>(input, 12345), 65536, 3);
  std::vector<std::byte> out, buffer(10'000);
  while (const std::size_t count = ahead->read(buffer))
    out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
  EXPECT_EQ(out, input);
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(to_hex(sha256(as_bytes(""))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace kiln::io
