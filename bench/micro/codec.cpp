// Codecs and digests, one core, over 32 MB as a layer's bytes are.
#include <benchmark/benchmark.h>

#include "bench/micro/support.hpp"
#include "io/codec/block_compressor.hpp"
#include "io/codec/decompress.hpp"
#include "io/codec/digest.hpp"

namespace kiln::bench {
namespace {

constexpr std::size_t size = 32U << 20U;

const std::vector<std::byte>& sample() {
  static const std::vector<std::byte> bytes = sample_bytes(size);
  return bytes;
}

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(size));
}

std::vector<std::byte> compress(const io::CompressionSettings& settings) {
  io::BlockStream stream(settings);
  std::vector<std::byte> all = stream.header();
  for (std::size_t at = 0; at < size; at += io::compression_block_size) {
    const io::CompressedBlock block = io::compress_block(settings, io::Bytes(sample()).subspan(at, io::compression_block_size));
    stream.append(block);
    all.insert(all.end(), block.bytes.begin(), block.bytes.end());
  }
  const std::vector<std::byte> trailer = stream.trailer();
  all.insert(all.end(), trailer.begin(), trailer.end());
  return all;
}

class MemorySource final : public io::ByteSource {
 public:
  explicit MemorySource(io::Bytes bytes) : rest_(bytes) {}
  std::size_t read(io::MutableBytes buffer) override {
    const std::size_t count = std::min(buffer.size(), rest_.size());
    std::copy_n(rest_.begin(), count, buffer.begin());
    rest_ = rest_.subspan(count);
    return count;
  }

 private:
  io::Bytes rest_;
};

void bench_compress(benchmark::State& state, io::Compression compression) {
  std::size_t compressed = 0;
  for (auto _ : state) compressed = compress({compression, -1}).size();
  count_bytes(state);
  state.counters["ratio"] = static_cast<double>(compressed) / static_cast<double>(size);
}

void bench_decompress(benchmark::State& state, io::Compression compression) {
  const std::vector<std::byte> compressed = compress({compression, -1});
  std::vector<std::byte> buffer(256U << 10U);
  for (auto _ : state) {
    MemorySource source(compressed);
    const auto plain = io::make_decompressor(compression, source);
    while (!plain->next(buffer).empty()) {
    }
  }
  count_bytes(state);
}

template <class Hash>
void bench_hash(benchmark::State& state) {
  for (auto _ : state) {
    Hash hash;
    hash.update(sample());
    benchmark::DoNotOptimize(hash.finish());
  }
  count_bytes(state);
}

BENCHMARK_CAPTURE(bench_compress, deflate, io::Compression::gzip)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(bench_compress, zstd, io::Compression::zstd)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(bench_decompress, inflate, io::Compression::gzip)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(bench_decompress, zstd, io::Compression::zstd)->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(bench_hash, io::Sha256)->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(bench_hash, io::Xxh128)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kiln::bench
