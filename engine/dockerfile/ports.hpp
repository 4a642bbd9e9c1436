// EXPOSE: port[-port][/protocol].
#pragma once

#include <set>
#include <string>
#include <vector>

namespace kiln::engine::dockerfile {

// "80", "90/udp", "8000-8002", "127.0.0.1:80:8080" -> {"80/tcp", ...}; ranges are expanded, the container's port counts.
// Errors: io::Error(dockerfile) naming the word.
std::set<std::string> parse_ports(const std::vector<std::string>& words);

}  // namespace kiln::engine::dockerfile
