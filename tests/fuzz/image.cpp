// What registries and users write about images: manifests, indexes, configs, logins, references, platforms. Any text is taken
// or refused with io::Error, and what was taken comes back the same when it is written and read again.
#include <cstdint>
#include <string>
#include <string_view>

#include "io/base/error.hpp"
#include "oci/image/config.hpp"
#include "oci/image/manifest.hpp"
#include "oci/image/platform.hpp"
#include "oci/image/reference.hpp"
#include "oci/registry/credentials.hpp"
#include "tests/fuzz/require.hpp"

namespace {

using kiln::fuzz::or_refused;
using kiln::fuzz::require;
using kiln::io::ErrorKind;

template <class Parse>
void require_stable(Parse parse, std::string_view text) {
  const std::string once = serialize(parse(text));
  std::string twice;
  try {
    twice = serialize(parse(once));
  } catch (const kiln::io::Error& error) {
    require(false, error.what());
  }
  require(once == twice, "what is written is read back");
}

void read_documents(std::string_view text) {
  using namespace kiln::oci;
  or_refused({ErrorKind::protocol, ErrorKind::unsupported},
             [&] { require_stable([](std::string_view json) { return parse_config(json); }, text); });
  for (const std::string_view type : {media_type::oci_manifest, media_type::docker_manifest, std::string_view()}) {
    or_refused({ErrorKind::protocol, ErrorKind::unsupported},
               [&] { require_stable([&](std::string_view json) { return parse_manifest(json, type); }, text); });
  }
  or_refused({ErrorKind::protocol, ErrorKind::unsupported}, [&] {
    const Index index = parse_index(text, media_type::oci_index);
    serialize(index);
    or_refused({ErrorKind::not_found, ErrorKind::unsupported}, [&] { choose(index, parse_platform("linux/arm/v7")); });
  });
  or_refused({ErrorKind::usage, ErrorKind::unsupported}, [&] { parse_docker_config(text, "it"); });
}

void read_names(std::string_view text) {
  using namespace kiln::oci;
  or_refused({ErrorKind::usage, ErrorKind::unsupported}, [&] {
    const Reference reference = parse_reference(text);
    require(parse_reference(reference.text()) == reference, "the normal form of a reference is one");
    require(parse_reference(reference.familiar()) == reference, "the short form of a reference is one");
  });
  or_refused({ErrorKind::usage, ErrorKind::unsupported}, [&] { parse_platform(text); });
  if (const auto time = parse_rfc3339(text)) format_rfc3339(*time);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_documents(text);
  read_names(text);
  return 0;
}
