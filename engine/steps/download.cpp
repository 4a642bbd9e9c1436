#include <fcntl.h>

#include <atomic>
#include <cerrno>

#include <fmt/format.h>

#include "engine/context/get.hpp"
#include "engine/plan/path.hpp"
#include "engine/rootfs/content_copy.hpp"
#include "engine/steps/remote_sources.hpp"
#include "io/base/error.hpp"
#include "io/codec/digest.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// Empty without an ETag.
std::string version_of(const io::http::Response& response) {
  const auto tag = response.headers().get("ETag");
  if (!tag || tag->empty()) return {};
  return fmt::format("{}\n{}", *tag, response.headers().get("Last-Modified").value_or(""));
}

std::string hexadecimal_of(const std::string& checksum) {
  constexpr std::string_view algorithm = "sha256:";
  const std::string digits = checksum.starts_with(algorithm) ? checksum.substr(algorithm.size()) : "";
  if (digits.size() != 64 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw io::Error(io::ErrorKind::dockerfile, fmt::format("--checksum={}: it is sha256: and 64 hexadecimal digits", checksum));
  }
  return digits;
}

}  // namespace

std::string download_name(const std::string& url) {
  const std::string target = io::http::parse_url(url).target;
  const std::string name(name_of_path(clean_path(io::http::percent_decode(target.substr(0, target.find_first_of("?#"))))));
  return name.empty() ? "__unnamed__" : name;
}

Task<std::optional<std::string>> download_version(io::http::Client& http, std::string url, std::string authorization) {
  std::string version;
  try {
    io::http::Request request = get_request(url, authorization);
    request.method = "HEAD";
    io::http::Response response = co_await http.send(std::move(request));
    if (response.status() == 200) version = version_of(response);
    co_await response.discard();
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
  }
  co_return version.empty() ? std::nullopt : std::optional(version);
}

Task<Node> download_source(io::Runtime& runtime, io::http::Client& http, std::string url, std::optional<std::string> checksum,
                           std::string authorization, std::shared_ptr<const ContentDirectory> scratch, std::string* version) {
  static std::atomic<std::uint64_t> last_number = 0;
  const std::string expected = checksum ? hexadecimal_of(*checksum) : "";
  io::http::Response response = co_await get(http, get_request(url, authorization), url);
  if (version) *version = version_of(response);
  const std::string name = fmt::format("d{}", ++last_number);
  const io::UniqueFd file(openat(scratch->directory.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) io::throw_errno(errno, "making a scratch file");
  Node node;
  node.type = FileType::regular;
  node.mode = 0600;
  node.mtime = {last_modified(response).value_or(0), 0};
  node.content.directory = scratch;
  node.content.path = name;
  io::Sha256 hash;
  node.size = co_await receive_body(runtime, response, [&](std::uint64_t offset, io::Bytes piece) {
    write_at(file.get(), offset, piece, url);
    if (checksum) hash.update(piece);
  });
  if (checksum) {
    const std::string got = io::to_hex(hash.finish());
    if (got != expected) {
      throw io::Error(io::ErrorKind::integrity, fmt::format("{}: digest mismatch sha256:{}: sha256:{}", url, got, expected));
    }
  }
  co_return node;
}

}  // namespace kiln::engine
