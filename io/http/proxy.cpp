#include "io/http/proxy.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include <asio/ip/address.hpp>
#include <asio/ip/network_v4.hpp>
#include <asio/ip/network_v6.hpp>

#include "io/base/error.hpp"

namespace kiln::io::http {

namespace {

std::string in_either_case(const std::function<std::string(std::string_view)>& get, std::string name) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string value = get(lower);
  return value.empty() ? get(name) : value;
}

bool in_network(std::string_view entry, const std::string& host) {
  asio::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return false;
  const std::string text(entry);
  if (address.is_v4()) {
    const auto network = asio::ip::make_network_v4(text, error);
    if (error) return false;
    const auto mask = network.netmask().to_uint();
    return (address.to_v4().to_uint() & mask) == (network.address().to_uint() & mask);
  }
  const auto network = asio::ip::make_network_v6(text, error);
  if (error) return false;
  const auto range = network.hosts();
  return network.prefix_length() == 0 || range.find(address.to_v6()) != range.end();
}

bool matches(std::string_view entry, const Url& url) {
  if (entry == "*") return true;
  if (entry.find('/') != std::string_view::npos) return in_network(entry, url.host);
  const auto colon = entry.rfind(':');
  if (colon != std::string_view::npos && entry.find(':') == colon) {
    if (entry.substr(colon + 1) != std::to_string(url.port)) return false;
    entry = entry.substr(0, colon);
  }
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) return url.host.ends_with(entry);
  return url.host == entry ||
         (url.host.size() > entry.size() && url.host.ends_with(entry) && url.host[url.host.size() - entry.size() - 1] == '.');
}

}  // namespace

ProxySettings::ProxySettings(const std::function<std::string(std::string_view)>& get)
    : http_(in_either_case(get, "HTTP_PROXY")),
      https_(in_either_case(get, "HTTPS_PROXY")),
      excluded_(in_either_case(get, "NO_PROXY")) {}

ProxySettings ProxySettings::from_environment() {
  return ProxySettings([](std::string_view name) {
    const char* value = std::getenv(std::string(name).c_str());
    return std::string(value ? value : "");
  });
}

bool ProxySettings::excluded(const Url& url) const {
  asio::error_code error;
  const auto address = asio::ip::make_address(url.host, error);
  if (url.host == "localhost" || (!error && address.is_loopback())) return true;
  std::string_view rest = excluded_;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    std::string entry(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    std::erase_if(entry, [](unsigned char c) { return std::isspace(c) != 0; });
    std::transform(entry.begin(), entry.end(), entry.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!entry.empty() && matches(entry, url)) return true;
  }
  return false;
}

std::optional<Url> ProxySettings::proxy_for(const Url& url) const {
  const std::string& text = url.scheme == "https" ? https_ : http_;
  if (text.empty() || excluded(url)) return std::nullopt;
  return with_context("reading the proxy variable",
                      [&] { return parse_url(text.find("://") == std::string::npos ? "http://" + text : text); });
}

}  // namespace kiln::io::http
