// URLs as registries, proxies and ADD use them (RFC 3986, http and https only).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln::io::http {

struct Url {
  std::string scheme;      // "http" or "https", lower case
  std::string user_info;   // as written, before '@'; usually empty
  std::string host;        // lower case; an IPv6 address without brackets
  std::uint16_t port = 0;  // never 0 after parse()
  std::string target;      // path and query, at least "/"; no fragment

  std::string authority() const;  // host[:port], brackets for IPv6, the scheme's default port left out
  std::string text() const;       // without user_info
  bool same_origin(const Url& other) const;

  friend bool operator==(const Url&, const Url&) = default;
};

// Throws Error(usage) naming the text.
Url parse_url(std::string_view text);

// A Location header's value against the URL that it was answered to (RFC 3986 section 5).
Url resolve_url(const Url& base, std::string_view reference);

// Percent-encodes all but unreserved characters (RFC 3986 section 2.3).
std::string percent_encode(std::string_view text);
// The reverse; what is no encoded byte stays as it is.
std::string percent_decode(std::string_view text);

}  // namespace kiln::io::http
