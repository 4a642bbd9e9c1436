// Logins in variables: the fork's KANIKO_<HOST>_USER and _PASSWORD, and GitLab's CI_REGISTRY_*.
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "oci/registry/login/provider.hpp"

namespace kiln::oci {

namespace {

using io::Task;

TimedLogin login_of(std::string user, std::string password) {
  TimedLogin login;
  login.credentials.username = std::move(user);
  login.credentials.password = std::move(password);
  login.good_for = std::chrono::hours(24);
  return login;
}

// reg-1.example.com -> REG_1_EXAMPLE_COM
std::string variable_part(std::string host) {
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return std::isalnum(c) ? static_cast<char>(std::toupper(c)) : '_'; });
  return host;
}

// The whole name first, then without its first labels: KANIKO_REG_EXAMPLE_COM_USER, KANIKO_EXAMPLE_COM_USER, KANIKO_COM_USER.
class EnvironmentLogin final : public LoginProvider {
 public:
  std::string_view name() const override { return "env"; }
  bool serves(const std::string& host) const override { return !find(host).first.empty(); }
  Task<TimedLogin> log_in(std::string host, std::string) override {
    auto [user, password] = find(host);
    co_return login_of(std::move(user), std::move(password));
  }

 private:
  static std::pair<std::string, std::string> find(const std::string& host) {
    std::string rest = without_port(host == "docker.io" ? "index.docker.io" : host);
    while (true) {
      const std::string prefix = fmt::format("KANIKO_{}_", variable_part(rest));
      std::string user = variable_or((prefix + "USER").c_str());
      if (!user.empty()) return {std::move(user), variable_or((prefix + "PASSWORD").c_str())};
      const auto dot = rest.find('.');
      if (dot == std::string::npos) return {};
      rest.erase(0, dot + 1);
    }
  }
};

class GitlabLogin final : public LoginProvider {
 public:
  std::string_view name() const override { return "gitlab"; }
  bool serves(const std::string& host) const override {
    const std::string registry = variable_or("CI_REGISTRY");
    return !registry.empty() && registry.substr(0, registry.find('/')) == host;
  }
  Task<TimedLogin> log_in(std::string, std::string) override {
    TimedLogin login = login_of(variable_or("CI_REGISTRY_USER"), variable_or("CI_REGISTRY_PASSWORD"));
    if (login.credentials.anonymous()) login.why_none = "CI_REGISTRY_USER is not set";
    co_return login;
  }
};

}  // namespace

std::unique_ptr<LoginProvider> make_environment_login() { return std::make_unique<EnvironmentLogin>(); }
std::unique_ptr<LoginProvider> make_gitlab_login() { return std::make_unique<GitlabLogin>(); }

}  // namespace kiln::oci
