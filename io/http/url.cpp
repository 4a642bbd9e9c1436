#include "io/http/url.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::io::http {

namespace {

[[noreturn]] void bad_url(std::string_view text, std::string_view what) {
  throw Error(ErrorKind::usage, fmt::format("bad URL '{}': {}", text, what));
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// "a/./b/../c" -> "a/c" (RFC 3986 section 5.2.4); the query is left alone.
std::string remove_dot_segments(std::string_view target) {
  const auto query_at = target.find('?');
  const std::string_view path = target.substr(0, query_at);
  std::vector<std::string_view> parts;
  bool directory = false;
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    directory = part == "." || part == "..";
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != ".") {
      parts.push_back(part);
    }
    at = slash + 1;
  }
  std::string result;
  for (const auto part : parts) result += fmt::format("/{}", part);
  if (result.empty() || (directory && !result.ends_with('/'))) result += '/';
  if (query_at != std::string_view::npos) result += target.substr(query_at);
  return result;
}

void parse_host_and_port(std::string_view whole, std::string_view text, Url& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) bad_url(whole, "a '[' without ']'");
    url.host = lower(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    if (!text.empty() && !text.starts_with(':')) bad_url(whole, "text after ']'");
    if (!text.empty()) port = text.substr(1);
  } else {
    const auto colon = text.find(':');
    url.host = lower(text.substr(0, colon));
    if (colon != std::string_view::npos) port = text.substr(colon + 1);
  }
  if (url.host.empty()) bad_url(whole, "no host");
  url.port = default_port(url.scheme);
  if (port.empty()) return;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (error != std::errc() || end != port.data() + port.size() || url.port == 0) bad_url(whole, "bad port");
}

}  // namespace

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != default_port(scheme)) text += fmt::format(":{}", port);
  return text;
}

std::string Url::text() const { return scheme + "://" + authority() + target; }

bool Url::same_origin(const Url& other) const { return scheme == other.scheme && host == other.host && port == other.port; }

Url parse_url(std::string_view text) {
  for (const unsigned char c : text) {
    if (c <= ' ' || c == 0x7f) bad_url(text, "blanks or control characters");
  }
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) bad_url(text, "no scheme");
  Url url;
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") bad_url(text, "only http and https are known");
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  const auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    url.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  parse_host_and_port(text, authority, url);
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Url resolve_url(const Url& base, std::string_view reference) {
  if (reference.find("://") != std::string_view::npos && reference.find("://") < reference.find_first_of("/?#")) {
    return parse_url(reference);
  }
  if (reference.starts_with("//")) return parse_url(fmt::format("{}:{}", base.scheme, reference));
  Url url = base;
  url.user_info.clear();
  reference = reference.substr(0, reference.find('#'));
  const std::string_view base_path = std::string_view(base.target).substr(0, base.target.find('?'));
  if (reference.empty()) return url;
  if (reference.starts_with('/')) {
    url.target = remove_dot_segments(reference);
  } else if (reference.starts_with('?')) {
    url.target = fmt::format("{}{}", base_path, reference);
  } else {
    url.target = remove_dot_segments(fmt::format("{}{}", base_path.substr(0, base_path.rfind('/') + 1), reference));
  }
  return parse_url(url.text());
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += static_cast<char>(c);
    } else {
      encoded += fmt::format("%{:02X}", c);
    }
  }
  return encoded;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned byte = 0;
    const std::string_view digits = text.substr(at + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    const bool encoded = text[at] == '%' && digits.size() == 2 && error == std::errc() && end == digits.data() + 2;
    decoded += encoded ? static_cast<char>(byte) : text[at];
    if (encoded) at += 2;
  }
  return decoded;
}

}  // namespace kiln::io::http
