// --chmod: octal, or symbolic as chmod(1) with umask 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

class ModeChange {
 public:
  // Errors: io::Error(dockerfile) naming the text and the range 0 to 07777.
  explicit ModeChange(std::string_view text);
  std::uint32_t apply(std::uint32_t mode, bool directory) const;
  bool octal() const noexcept { return octal_.has_value(); }

 private:
  struct Clause {
    std::uint32_t who;  // mask of the classes, 0700 | 0070 | 0007
    char operation;     // + - =
    std::string what;   // rwxXst, or one of u g o
  };
  std::uint32_t apply_clause(const Clause& clause, std::uint32_t mode, bool directory) const;
  std::optional<std::uint32_t> octal_;
  std::vector<Clause> clauses_;
};

}  // namespace kiln::engine
