// A git repository as context, through the git program.
#pragma once

#include <string>

#include "engine/context/remote.hpp"

namespace kiln::engine {

// Kaniko's forms: git://HOST/PATH[#REF[#COMMIT]], fetched by https unless GIT_PULL_METHOD=http. ssh://HOST/PATH and
// USER@HOST:PATH are fetched by ssh. Elsewhere GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD, log in to that server, where submodules
// may be, too; they reach git through its environment only. The checkout has its .git, one commit deep unless
// --git=depth says otherwise (0: everything).
// Gives the commit's time in seconds.
io::Task<std::int64_t> fetch_git(io::Runtime& runtime, const RemoteContext& context, std::string directory);

struct GitPlace {
  std::string url;     // for git, without user info
  std::string login;   // "user:password"; empty: none
  std::string ref;     // empty: HEAD
  std::string commit;  // to check out after that; empty: what the ref is
};
// Errors: io::Error(usage).
GitPlace parse_git_context(const std::string& context);

}  // namespace kiln::engine
