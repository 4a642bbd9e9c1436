// Contexts that are not a directory here: archives from a file, standard input or a server, and git repositories.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "io/http/client.hpp"
#include "io/loop/runtime.hpp"
#include "io/loop/task.hpp"

namespace kiln::engine {

struct RemoteContext {
  // tar://PATH, tar://stdin, https://HOST/ARCHIVE, git://HOST/PATH[#REF[#COMMIT]], https://HOST/PATH.git[#REF[#COMMIT]], the same
  // by ssh (ssh://[USER@]HOST/PATH, USER@HOST:PATH), buckets (bucket.hpp)
  std::string url;
  std::string sub_path;  // the directory within it; empty: all
  std::map<std::string, std::string>
      git_options;  // Kaniko's --git: branch, single-branch, depth, recurse-submodules, insecure-skip-tls
  // The value of the header; empty: for a git repository, what the environment says.
  std::string authorization = {};
  std::string ssh_agent = {};  // a socket, for a repository by ssh; empty: SSH_AUTH_SOCK
};

// True for what fetch_context takes; false for a path and dir://. Errors: io::Error(unsupported) naming the scheme of others.
bool is_remote_context(const std::string& context);

// The login of a context that is a repository or an archive on a server, from secrets (source_login.hpp); empty: none.
std::string context_authorization(const std::map<std::string, std::string>& secrets, const std::string& context);

struct FetchedContext {
  std::string directory;
  // Seconds. Of a repository the commit's (the committer's), of what a server gave Last-Modified, else that of the newest regular
  // file in the archive.
  std::optional<std::int64_t> time;
};

// Fetches it into `directory`, which is made, and gives the directory that is the context. Archives are tar, plain or compressed
// by gzip, bzip2, xz or zstd; owners are not kept, because COPY does not keep them. git is the program: it must be there.
// Errors: context, network, not_found, denied; each names the context.
io::Task<FetchedContext> fetch_context(io::Runtime& runtime, io::http::Client& http, RemoteContext context, std::string directory);

// A Dockerfile from an http:// or https:// URL, saved as `path`.
io::Task<void> fetch_file(io::Runtime& runtime, io::http::Client& http, std::string url, std::string path);

// Reads what --git=KEY=VALUE may say. Errors: io::Error(usage) naming the flag.
void check_git_option(const std::string& key, const std::string& value);

}  // namespace kiln::engine
