#include <algorithm>
#include <cctype>

#include "oci/registry/session.hpp"

namespace kiln::oci {

Challenge parse_challenge(std::string_view header) {
  Challenge challenge;
  const auto blank = std::min(header.find(' '), header.size());
  challenge.scheme = header.substr(0, blank);
  std::transform(challenge.scheme.begin(), challenge.scheme.end(), challenge.scheme.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view rest = header.substr(blank);
  while (true) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == ',')) rest.remove_prefix(1);
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos) break;
    const std::string key(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    std::string value;
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      while (!rest.empty() && rest.front() != '"') {
        if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
        value += rest.front();
        rest.remove_prefix(1);
      }
      if (!rest.empty()) rest.remove_prefix(1);
    } else {
      const auto end = std::min(rest.find(','), rest.size());
      value = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    challenge.parameters[key] = value;
  }
  return challenge;
}

}  // namespace kiln::oci
