// Tar headers written, and an archive of 10,000 small files read.
#include <algorithm>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "io/codec/decompress.hpp"
#include "oci/tar/reader.hpp"
#include "oci/tar/writer.hpp"

namespace kiln::bench {
namespace {

constexpr unsigned files = 10'000;
constexpr std::size_t content = 700;

oci::TarEntry entry(unsigned number) {
  oci::TarEntry entry;
  entry.path = fmt::format("usr/lib/node_modules/package-{}/dist/module-{}.js", number % 100, number);
  entry.mtime.seconds = 1'700'000'000 + number;
  entry.size = content;
  return entry;
}

std::string archive() {
  std::string bytes;
  for (unsigned number = 0; number < files; ++number) {
    bytes += oci::tar_header(entry(number));
    bytes.append(content + oci::tar_padding(content), 'x');
  }
  return bytes + std::string(oci::tar_end_size, '\0');
}

class TextSource final : public io::ByteSource {
 public:
  explicit TextSource(std::string_view text) : rest_(text) {}
  std::size_t read(io::MutableBytes buffer) override {
    const std::size_t count = std::min(buffer.size(), rest_.size());
    std::ranges::copy(io::as_bytes(rest_.substr(0, count)), buffer.begin());
    rest_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view rest_;
};

void bench_tar_write(benchmark::State& state) {
  for (auto _ : state) {
    for (unsigned number = 0; number < files; ++number) benchmark::DoNotOptimize(oci::tar_header(entry(number)));
  }
  state.SetItemsProcessed(state.iterations() * files);
}

void bench_tar_read(benchmark::State& state) {
  const std::string bytes = archive();
  for (auto _ : state) {
    TextSource source(bytes);
    oci::TarReader reader(source);
    while (reader.next()) {
      while (reader.next_block()) {
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * files);
}

BENCHMARK(bench_tar_write)->Unit(benchmark::kMillisecond);
BENCHMARK(bench_tar_read)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kiln::bench
