// What servers answer and how sources are named: heads of HTTP answers, challenges, URLs, git repositories, records of
// comma-separated values and mounts. Any text is taken or refused with io::Error.
#include "io/http/wire.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dockerfile/csv.hpp"
#include "engine/mounts/mount.hpp"
#include "engine/steps/git_reference.hpp"
#include "io/base/error.hpp"
#include "io/http/url.hpp"
#include "oci/registry/session.hpp"
#include "tests/fuzz/require.hpp"

namespace {

using kiln::fuzz::or_refused;
using kiln::fuzz::require;
using kiln::io::ErrorKind;

void read_answer(std::string_view text) {
  using namespace kiln::io::http;
  const auto end = find_head_end(text);
  if (end) {
    require(*end <= text.size(), "a head ends in the text");
    or_refused({ErrorKind::protocol}, [&] {
      const ResponseHead head = parse_response_head(text.substr(0, *end));
      framing_of("GET", head);
      keeps_alive(head);
    });
  }
  or_refused({ErrorKind::protocol}, [&] { parse_chunk_size(text); });
  kiln::oci::parse_challenge(text);
}

void read_url(std::string_view text) {
  using namespace kiln::io::http;
  or_refused({ErrorKind::usage}, [&] {
    const Url url = parse_url(text);
    require(url.port != 0, "a URL has a port");
    require(url.target.starts_with('/') || url.target.starts_with('?'), "a target begins with '/'");
    Url again = parse_url(url.text());
    again.user_info = url.user_info;
    require(again == url, "a URL is read back");
  });
  const Url base = parse_url("https://host:8443/a/b?c");
  or_refused({ErrorKind::usage}, [&] { resolve_url(base, text); });
  percent_decode(text);
  require(percent_decode(percent_encode(text)) == text, "what is encoded is decoded");
}

void read_mounts(const std::string& text) {
  using namespace kiln::engine;
  or_refused({ErrorKind::dockerfile}, [&] { dockerfile::parse_csv_fields(text); });
  or_refused({ErrorKind::dockerfile}, [&] { mount_from(text); });
  or_refused({ErrorKind::dockerfile}, [&] {
    const Mount mount = parse_mount(text, [](const std::string& word) { return word; });
    std::vector<Mount> mounts = {mount, mount};
    place_mounts(mounts, "/work");
    require(mounts.size() == 1 || mount.target.empty(), "one mount a target");
    for (const auto& placed : mounts) {
      require(placed.target.empty() || (placed.target.starts_with('/') && placed.target.size() > 1),
              "a target is an absolute path");
      require(placed.target.find("/../") == std::string::npos && !placed.target.ends_with("/.."), "a target is clean");
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_answer(text);
  read_url(text);
  or_refused({ErrorKind::dockerfile}, [&] { kiln::engine::parse_git_reference(text); });
  read_mounts(std::string(text));
  return 0;
}
