// Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY as Go and curl read them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "io/http/url.hpp"

namespace kiln::io::http {

class ProxySettings {
 public:
  // `get` gives a variable's value or an empty string; both spellings are asked, lower case first.
  explicit ProxySettings(const std::function<std::string(std::string_view)>& get);
  static ProxySettings from_environment();

  // Nothing for a direct connection. Loopback hosts are never proxied; NO_PROXY knows "*", names (with everything below
  // them), ".suffix", "host:port", IP addresses and CIDR ranges.
  std::optional<Url> proxy_for(const Url& url) const;

 private:
  bool excluded(const Url& url) const;
  std::string http_;
  std::string https_;
  std::string excluded_;
};

}  // namespace kiln::io::http
