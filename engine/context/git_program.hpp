// Running the git program in one checkout: the one beside kiln in its image, else the one in PATH.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/base/error.hpp"
#include "io/loop/runtime.hpp"
#include "io/loop/task.hpp"

namespace kiln::engine {

// user@host:path, as ssh and scp read it.
bool is_scp_form(std::string_view text);
bool is_ssh(std::string_view remote);  // that, or an ssh:// URL

// A full commit name, SHA-1 or SHA-256.
bool is_git_commit(const std::string& text);

// How git gets at private repositories.
struct GitLogin {
  std::string authorization;  // the header's value, for http; empty: none
  std::string agent;          // an ssh agent's socket (--ssh default); empty: SSH_AUTH_SOCK, where there is one
  std::string home;           // whose .ssh has keys, known_hosts and config; empty: HOME
};

// Set for the image's ssh where no known_hosts says which keys its hosts have.
inline constexpr const char* ssh_trust_variable = "KILN_SSH_TRUST_ANY_HOST";

class GitProgram {
 public:
  // `environment`: all that git gets, besides what it needs to find its parts and the certificates that kiln trusts, and the order
  // to ask nobody anything. `what` is named in errors.
  // `remote` is where the login counts. Where git is ours, so is the ssh client.
  GitProgram(io::Runtime& runtime, std::string directory, std::vector<std::string> environment, const std::string& remote,
             const GitLogin& login, std::string what);

  struct Outcome {
    bool failed = false;
    std::string text;  // what it printed; what it complained about if it failed
  };
  // Errors: io::Error(process) when there is no git.
  io::Task<Outcome> attempt(std::vector<std::string> arguments) const;
  // Gives what it printed. Errors: io::Error(context) with git's words, too.
  io::Task<std::string> run(std::vector<std::string> arguments) const;
  io::Error failure(const std::string& doing, const std::string& said) const;

  // The submodules of what is checked out, and theirs; `depth`: arguments of fetch.
  io::Task<void> update_submodules(std::vector<std::string> depth) const;
  // Seconds: when HEAD was committed.
  io::Task<std::int64_t> commit_time() const;

 private:
  void set_up_ssh(const GitLogin& login, bool warn);

  io::Runtime& runtime_;
  std::string directory_;
  std::vector<std::string> environment_;
  std::string what_;
  std::string bundled_;  // the directory of the git beside kiln; empty: there is none
};

}  // namespace kiln::engine
