// What figures were measured on.
#pragma once

#include <string>

namespace kiln::bench {

struct Machine {
  std::string kernel;
  std::string file_system;
  unsigned cores = 0;
  bool root = false;
};

// `directory`: on the file system that is measured.
Machine describe_machine(const std::string& directory);

// "Linux 6.1, 2 cores, ext4, root"
std::string to_text(const Machine& machine);

}  // namespace kiln::bench
