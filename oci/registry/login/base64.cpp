#include "oci/registry/login/base64.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "io/base/error.hpp"

namespace kiln::oci {

std::string base64_decode(std::string text, std::string_view what) {
  std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0; });
  const std::size_t padding = text.size() - std::min(text.find('='), text.size());
  std::string bytes(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0 || padding > 2 || !text.ends_with(std::string(padding, '='))) {
    throw io::Error(io::ErrorKind::usage, fmt::format("{} is not base64", what));
  }
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string base64_url(std::string_view bytes) {
  std::string text = base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace kiln::oci
