// Logins of sources that are fetched from servers: secrets of known names (BuildKit's source/git and source/http).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/context/git_program.hpp"

namespace kiln::engine {

// The value of the Authorization header for a git repository, from the secrets GIT_AUTH_HEADER.<host>, GIT_AUTH_TOKEN.<host>,
// GIT_AUTH_HEADER and GIT_AUTH_TOKEN, the first that is there; empty: none. Only for http:// and https://.
std::string git_authorization(const std::map<std::string, std::string>& secrets, std::string_view remote);

// Of a git repository: that, and for ssh the agent named "default".
GitLogin git_login(const std::map<std::string, std::string>& secrets, const std::map<std::string, std::string>& agents,
                   std::string_view remote);

// The header for a file, from HTTP_AUTH_HEADER_<host> and HTTP_AUTH_TOKEN_<host>.
std::string download_authorization(const std::map<std::string, std::string>& secrets, std::string_view url);

}  // namespace kiln::engine
