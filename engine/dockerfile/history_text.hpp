// The `created_by` texts of history entries, as BuildKit's frontend writes them.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

std::string history_of_run(const std::vector<std::string>& args, const std::vector<std::string>& words);
std::string history_of_pairs(const std::string& keyword, const std::vector<KeyValue>& pairs);
std::string history_of_command(const std::string& keyword, const std::vector<std::string>& words);  // CMD, ENTRYPOINT
std::string history_of_expose(const std::set<std::string>& ports);
std::string history_of_volume(const std::vector<std::string>& paths);
std::string history_of_shell(const std::vector<std::string>& words);
std::string history_of_healthcheck(const std::vector<std::string>& test, const HealthcheckInstruction& check);

struct CopyHistory {
  bool is_add = false;
  bool parents = false;
  std::optional<std::string> chown;
  std::optional<std::string> chmod;
  std::vector<std::string> sources;
  std::string destination;
};
std::string history_of_copy(const CopyHistory& copy);

}  // namespace kiln::engine::dockerfile
