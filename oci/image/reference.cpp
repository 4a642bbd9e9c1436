#include "oci/image/reference.hpp"

#include <algorithm>
#include <cctype>
#include <regex>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

namespace {

[[noreturn]] void bad(std::string_view text, std::string_view what) {
  throw io::Error(io::ErrorKind::usage, fmt::format("bad image reference '{}': {}", text, what));
}

// distribution/reference regexp.go
const std::regex& component_pattern() {
  static const std::regex pattern("[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*");
  return pattern;
}
const std::regex& tag_pattern() {
  static const std::regex pattern("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}");
  return pattern;
}
const std::regex& host_pattern() {
  static const std::regex pattern(
      "(?:(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])(?:\\.(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*|"
      "\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?");
  return pattern;
}

bool looks_like_host(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos ||
         std::any_of(first.begin(), first.end(), [](unsigned char c) { return std::isupper(c) != 0; });
}

void check_repository(std::string_view text, const std::string& repository) {
  if (repository.empty()) bad(text, "no repository");
  if (repository.size() > 255) bad(text, "the repository is longer than 255 characters");
  for (std::size_t at = 0; at <= repository.size();) {
    const std::size_t slash = std::min(repository.find('/', at), repository.size());
    const std::string part = repository.substr(at, slash - at);
    if (std::any_of(part.begin(), part.end(), [](unsigned char c) { return std::isupper(c) != 0; })) {
      bad(text, "the repository must be lower case");
    }
    if (!std::regex_match(part, component_pattern())) bad(text, fmt::format("'{}' is not a repository name", part));
    at = slash + 1;
  }
}

}  // namespace

std::string Reference::repository_name() const { return registry + "/" + repository; }

std::string Reference::text() const {
  std::string text = repository_name();
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest.text();
  return text;
}

std::string Reference::familiar() const {
  std::string name = repository_name();
  if (registry == "docker.io") name = repository.starts_with("library/") ? repository.substr(8) : repository;
  if (!tag.empty()) name += ":" + tag;
  if (!digest.empty()) name += "@" + digest.text();
  return name;
}

std::string Reference::manifest_reference() const { return digest.empty() ? tag : digest.text(); }

Reference parse_reference(std::string_view text) {
  Reference reference;
  std::string_view rest = text;
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    try {
      reference.digest = Digest::parse(rest.substr(at + 1));
    } catch (const io::Error& error) {
      bad(text, error.message());
    }
    rest = rest.substr(0, at);
  }
  const auto slash = rest.find('/');
  const std::string_view first = rest.substr(0, slash);
  if (slash != std::string_view::npos && looks_like_host(first)) {
    reference.registry = first;
    rest.remove_prefix(slash + 1);
    if (!std::regex_match(reference.registry, host_pattern())) bad(text, fmt::format("'{}' is not a registry", first));
  } else {
    reference.registry = "docker.io";
  }
  if (reference.registry == "index.docker.io" || reference.registry == "registry-1.docker.io") reference.registry = "docker.io";
  if (const auto colon = rest.rfind(':'); colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    reference.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!std::regex_match(reference.tag, tag_pattern())) bad(text, fmt::format("'{}' is not a tag", reference.tag));
  }
  reference.repository = rest;
  check_repository(text, reference.repository);
  if (reference.registry == "docker.io" && reference.repository.find('/') == std::string::npos) {
    reference.repository.insert(0, "library/");
  }
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  return reference;
}

}  // namespace kiln::oci
