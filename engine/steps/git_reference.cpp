#include "engine/steps/git_reference.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <map>

#include <fmt/format.h>

#include "engine/context/git_program.hpp"
#include "engine/plan/path.hpp"
#include "io/base/error.hpp"
#include "io/http/url.hpp"

namespace kiln::engine {

namespace {

[[noreturn]] void bad(std::string_view text, const std::string& what) {
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("git reference {}: {}", text, what));
}

bool is_web(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

bool boolean(std::string_view text, const std::string& key, const std::string& value) {
  if (value.empty() || value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  bad(text, fmt::format("invalid {} value: \"{}\"", key, value));
}

void set_once(std::string_view text, std::string& field, const std::string& key, const std::string& value) {
  if (!field.empty() && field != value) bad(text, fmt::format("{} conflicts: \"{}\" vs \"{}\"", key, field, value));
  field = value;
}

void read_query(std::string_view text, std::string_view query, GitReference& reference) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view field = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (field.empty()) continue;
    const auto equals = std::min(field.find('='), field.size());
    const std::string key = io::http::percent_decode(field.substr(0, equals));
    const std::string value = io::http::percent_decode(field.substr(std::min(equals + 1, field.size())));
    if (key == "ref") {
      set_once(text, reference.ref, "ref", value);
    } else if (key == "tag") {
      set_once(text, reference.ref, "ref", "refs/tags/" + value);
    } else if (key == "branch") {
      set_once(text, reference.ref, "ref", "refs/heads/" + value);
    } else if (key == "subdir") {
      set_once(text, reference.subdir, "subdir", value);
    } else if (key == "checksum" || key == "commit") {
      set_once(text, reference.checksum, "checksum", value);
    } else if (key == "keep-git-dir") {
      reference.keep_git_dir = boolean(text, key, value);
    } else if (key == "submodules") {
      reference.submodules = boolean(text, key, value);
    } else if (key == "mtime" && (value == "checkout" || value == "commit")) {
      reference.commit_time = value == "commit";
    } else {
      bad(text, fmt::format("unexpected query \"{}\"", key));
    }
  }
}

}  // namespace

std::optional<GitReference> parse_git_reference(std::string_view text) {
  const bool scp = is_scp_form(text);
  if (!scp && !is_web(text) && !text.starts_with("git://") && !text.starts_with("ssh://")) return std::nullopt;
  GitReference reference;
  const auto hash = std::min(text.find('#'), text.size());
  const std::string_view fragment = text.substr(std::min(hash + 1, text.size()));
  std::string_view place = text.substr(0, hash);
  std::string_view query;
  if (const auto question = place.find('?'); !scp && question != std::string_view::npos) {
    query = place.substr(question + 1);
    place = place.substr(0, question);
  }
  if (is_web(text) && !place.ends_with(".git")) return std::nullopt;
  reference.remote = place;
  const auto colon = std::min(fragment.find(':'), fragment.size());
  reference.ref = fragment.substr(0, colon);
  reference.subdir = fragment.substr(std::min(colon + 1, fragment.size()));
  read_query(text, query, reference);
  reference.subdir = clean_path(reference.subdir);
  if (reference.ref.starts_with('-') || reference.remote.starts_with('-')) bad(text, "a name cannot begin with '-'");
  const bool hexadecimal =
      std::all_of(reference.checksum.begin(), reference.checksum.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (!hexadecimal) bad(text, fmt::format("invalid checksum \"{}\": it is a commit or the beginning of one", reference.checksum));
  return reference;
}

void add_git_flags(GitReference& reference, const std::optional<std::string>& checksum, bool keep_git_dir) {
  if (checksum && !reference.checksum.empty() && *checksum != reference.checksum) {
    throw io::Error(io::ErrorKind::dockerfile, fmt::format("checksum mismatch \"{}\" != \"{}\"", *checksum, reference.checksum));
  }
  if (checksum) reference.checksum = *checksum;
  if (keep_git_dir && reference.keep_git_dir == false) {
    throw io::Error(io::ErrorKind::dockerfile, "inconsistent keep-git-dir configuration");
  }
  reference.keep_git_dir = reference.keep_git_dir.value_or(keep_git_dir);
}

bool GitCommit::matches(std::string_view checksum) const {
  return commit.starts_with(checksum) || (!tag.empty() && tag.starts_with(checksum));
}

// The rules of gitrevisions(7), "<refname>"; a line with "^{}" behind the name tells what a tag points to.
std::optional<GitCommit> find_git_commit(std::string_view listing, const std::string& ref) {
  std::map<std::string, std::string, std::less<>> objects;
  while (!listing.empty()) {
    const auto end = std::min(listing.find('\n'), listing.size());
    const std::string_view line = listing.substr(0, end);
    listing.remove_prefix(std::min(end + 1, listing.size()));
    const auto tab = line.find('\t');
    if (tab == std::string_view::npos || !is_git_commit(std::string(line.substr(0, tab)))) continue;
    objects.emplace(line.substr(tab + 1), line.substr(0, tab));
  }
  constexpr auto before = std::to_array<std::string_view>({"", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"});
  for (const auto prefix : before) {
    const std::string name = fmt::format("{}{}", prefix, ref);
    const auto found = objects.find(name);
    if (found == objects.end()) continue;
    const auto peeled = objects.find(name + "^{}");
    if (peeled == objects.end()) return GitCommit{found->second, ""};
    return GitCommit{peeled->second, found->second};
  }
  return std::nullopt;
}

bool is_download(std::string_view text) { return is_web(text) && !parse_git_reference(text); }

}  // namespace kiln::engine
