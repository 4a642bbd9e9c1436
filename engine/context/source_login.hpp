// Logins of sources that are fetched from servers: secrets of known names (BuildKit's source/git and source/http).
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace kiln::engine {

// The value of the Authorization header for a git repository, from the secrets GIT_AUTH_HEADER.<host>, GIT_AUTH_TOKEN.<host>,
// GIT_AUTH_HEADER and GIT_AUTH_TOKEN, the first that is there; empty: none. Only for http:// and https://.
std::string git_authorization(const std::map<std::string, std::string>& secrets, std::string_view remote);

// The same for a file, from HTTP_AUTH_HEADER_<host> and HTTP_AUTH_TOKEN_<host>.
std::string download_authorization(const std::map<std::string, std::string>& secrets, std::string_view url);

}  // namespace kiln::engine
