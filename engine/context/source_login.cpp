#include "engine/context/source_login.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/http/url.hpp"
#include "io/http/wire.hpp"

namespace kiln::engine {

namespace {

// A line end behind it is the file's.
std::optional<std::string> secret_named(const std::map<std::string, std::string>& secrets, const std::string& id) {
  const auto found = secrets.find(id);
  if (found == secrets.end()) return std::nullopt;
  std::string text = found->second;
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  const bool plain = std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!plain) throw io::Error(io::ErrorKind::usage, fmt::format("the secret {} is no login: it has a control character", id));
  return text;
}

bool is_web(std::string_view url) { return url.starts_with("http://") || url.starts_with("https://"); }

}  // namespace

std::string git_authorization(const std::map<std::string, std::string>& secrets, std::string_view remote) {
  if (secrets.empty() || !is_web(remote)) return "";
  const std::string host = io::http::parse_url(remote).authority();
  for (const std::string& suffix : {"." + host, std::string()}) {
    if (auto header = secret_named(secrets, "GIT_AUTH_HEADER" + suffix)) return std::move(*header);
    if (const auto token = secret_named(secrets, "GIT_AUTH_TOKEN" + suffix))
      return io::http::basic_login("x-access-token:" + *token);
  }
  return "";
}

GitLogin git_login(const std::map<std::string, std::string>& secrets, const std::map<std::string, std::string>& agents,
                   std::string_view remote) {
  GitLogin login;
  login.authorization = git_authorization(secrets, remote);
  if (const auto agent = agents.find("default"); agent != agents.end()) login.agent = agent->second;
  return login;
}

std::string download_authorization(const std::map<std::string, std::string>& secrets, std::string_view url) {
  if (secrets.empty() || !is_web(url)) return "";
  const std::string host = io::http::parse_url(url).authority();
  if (auto header = secret_named(secrets, "HTTP_AUTH_HEADER_" + host)) return std::move(*header);
  if (const auto token = secret_named(secrets, "HTTP_AUTH_TOKEN_" + host)) return "Bearer " + *token;
  return "";
}

}  // namespace kiln::engine
