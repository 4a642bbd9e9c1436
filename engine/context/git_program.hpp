// Running the git program in one checkout: the one beside kiln in its image, else the one in PATH.
#pragma once

#include <string>
#include <vector>

#include "io/base/error.hpp"
#include "io/loop/runtime.hpp"
#include "io/loop/task.hpp"

namespace kiln::engine {

// A full commit name, SHA-1 or SHA-256.
bool is_git_commit(const std::string& text);

// Has git send this Authorization header to the server of `url` (http or https), where submodules may be, too. As configuration in
// the environment: no process list shows it.
void add_git_login(std::vector<std::string>& environment, const std::string& url, const std::string& authorization);

class GitProgram {
 public:
  // `environment`: all that git gets, besides what it needs to find its parts and the certificates that kiln trusts, and the order
  // to ask nobody anything. `what` is named in errors.
  GitProgram(io::Runtime& runtime, std::string directory, std::vector<std::string> environment, std::string what);

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

 private:
  io::Runtime& runtime_;
  std::string directory_;
  std::vector<std::string> environment_;
  std::string what_;
  std::string bundled_;  // the directory of the git beside kiln; empty: there is none
};

}  // namespace kiln::engine
