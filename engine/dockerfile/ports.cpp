#include "engine/dockerfile/ports.hpp"

#include <charconv>

#include <fmt/format.h>

#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

[[noreturn]] void bad(const std::string& word, std::string_view what) {
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("invalid containerPort: {} ({})", word, what));
}

int parse_port(const std::string& word, std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65535)
    bad(word, "not a port from 0 to 65535");
  return port;
}

}  // namespace

std::set<std::string> parse_ports(const std::vector<std::string>& words) {
  std::set<std::string> ports;
  for (const auto& word : words) {
    const auto slash = word.find('/');
    const std::string protocol = slash == std::string::npos ? "tcp" : lower(word.substr(slash + 1));
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") bad(word, "the protocol is not tcp, udp or sctp");
    std::string range = word.substr(0, slash);
    if (const auto colon = range.rfind(':'); colon != std::string::npos) range.erase(0, colon + 1);
    const auto dash = range.find('-');
    const int first = parse_port(word, std::string_view(range).substr(0, dash));
    const int last = dash == std::string::npos ? first : parse_port(word, std::string_view(range).substr(dash + 1));
    if (last < first) bad(word, "the range ends before it begins");
    for (int port = first; port <= last; ++port) ports.insert(fmt::format("{}/{}", port, protocol));
  }
  return ports;
}

}  // namespace kiln::engine::dockerfile
