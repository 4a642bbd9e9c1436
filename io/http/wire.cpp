#include "io/http/wire.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "io/base/error.hpp"

namespace kiln::io::http {

namespace {

bool equal_fold(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

[[noreturn]] void not_http(std::string_view what) {
  throw Error(ErrorKind::protocol, fmt::format("the server's answer is not HTTP: {}", what));
}

void parse_status_line(std::string_view line, ResponseHead& head) {
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ') not_http("bad status line");
  head.minor_version = line[7] - '0';
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, head.status);
  if (error != std::errc() || end != line.data() + 12 || head.status < 100) not_http("bad status");
}

bool has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (std::string_view value : headers.get_all(name)) {
    while (!value.empty()) {
      const auto comma = std::min(value.find(','), value.size());
      if (equal_fold(trim(value.substr(0, comma)), token)) return true;
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
  }
  return false;
}

void check_field(std::string_view text) {
  for (const unsigned char c : text) {
    if ((c < ' ' && c != '\t') || c == 0x7f) {
      throw Error(ErrorKind::usage, "a request field holds control characters");
    }
  }
}

}  // namespace

void Headers::set(std::string_view name, std::string value) {
  remove(name);
  add(name, std::move(value));
}
void Headers::add(std::string_view name, std::string value) { fields_.emplace_back(name, std::move(value)); }
void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return equal_fold(field.first, name); });
}
std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const auto& field : fields_) {
    if (equal_fold(field.first, name)) return field.second;
  }
  return std::nullopt;
}
std::vector<std::string_view> Headers::get_all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& field : fields_) {
    if (equal_fold(field.first, name)) values.emplace_back(field.second);
  }
  return values;
}

std::optional<std::size_t> find_head_end(std::string_view text) {
  const auto crlf = text.find("\r\n\r\n");
  const auto lf = text.find("\n\n");
  if (crlf == std::string_view::npos && lf == std::string_view::npos) return std::nullopt;
  return std::min(crlf == std::string_view::npos ? text.size() : crlf + 4, lf == std::string_view::npos ? text.size() : lf + 2);
}

ResponseHead parse_response_head(std::string_view text) {
  ResponseHead head;
  bool first = true;
  while (!text.empty()) {
    const auto newline = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (first) {
      parse_status_line(line, head);
      first = false;
      continue;
    }
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line.front() == ' ' || line.front() == '\t') not_http("bad header field");
    head.headers.add(line.substr(0, colon), std::string(trim(line.substr(colon + 1))));
  }
  if (first) not_http("empty");
  return head;
}

std::uint64_t parse_chunk_size(std::string_view line) {
  line = trim(line.substr(0, line.find(';')));
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  if (line.empty() || error != std::errc() || end != line.data() + line.size()) not_http("bad chunk size");
  return size;
}

std::string format_request_head(std::string_view method, std::string_view target, const Headers& headers) {
  check_field(method);
  check_field(target);
  if (target.find(' ') != std::string_view::npos) throw Error(ErrorKind::usage, "a request target holds a blank");
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  for (const auto& [name, value] : headers.fields()) {
    check_field(name);
    check_field(value);
    head += fmt::format("{}: {}\r\n", name, value);
  }
  head += "\r\n";
  return head;
}

std::string basic_login(std::string_view text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return "Basic " + encoded;
}

BodyFraming framing_of(std::string_view request_method, const ResponseHead& head) {
  using Kind = BodyFraming::Kind;
  if (request_method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304) return {Kind::none, 0};
  if (has_token(head.headers, "Transfer-Encoding", "chunked")) return {Kind::chunked, 0};
  if (head.headers.get("Transfer-Encoding")) return {Kind::until_close, 0};
  const auto lengths = head.headers.get_all("Content-Length");
  if (lengths.empty()) return {Kind::until_close, 0};
  BodyFraming framing{Kind::length, 0};
  for (const auto length : lengths) {
    if (length != lengths.front()) not_http("two lengths");
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), framing.length);
    if (length.empty() || error != std::errc() || end != length.data() + length.size()) not_http("bad Content-Length");
  }
  return framing;
}

bool keeps_alive(const ResponseHead& head) {
  if (has_token(head.headers, "Connection", "close")) return false;
  return head.minor_version >= 1 || has_token(head.headers, "Connection", "keep-alive");
}

}  // namespace kiln::io::http
