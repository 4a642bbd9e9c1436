#include "engine/steps/users.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

UserDatabase::UserDatabase(std::string_view passwd, std::string_view group) {
  for (const auto& line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 6 || line.starts_with('#')) continue;
    const auto uid = number(fields[2]);
    const auto gid = number(fields[3]);
    if (uid && gid) users_.push_back({fields[0], *uid, *gid, fields[5]});
  }
  for (const auto& line : split(group, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 3 || line.starts_with('#')) continue;
    const auto gid = number(fields[2]);
    if (gid) groups_.push_back({fields[0], *gid, fields.size() > 3 ? split(fields[3], ',') : std::vector<std::string>()});
  }
}

const Account* UserDatabase::find_user(std::string_view name) const {
  const auto found = std::find_if(users_.begin(), users_.end(), [&](const Account& user) { return user.name == name; });
  return found == users_.end() ? nullptr : &*found;
}

const Account* UserDatabase::find_uid(std::uint32_t uid) const {
  const auto found = std::find_if(users_.begin(), users_.end(), [&](const Account& user) { return user.uid == uid; });
  return found == users_.end() ? nullptr : &*found;
}

std::optional<std::uint32_t> UserDatabase::find_group(std::string_view name) const {
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) { return group.name == name; });
  if (found == groups_.end()) return std::nullopt;
  return found->gid;
}

std::vector<std::uint32_t> UserDatabase::groups_of(std::string_view user) const {
  std::vector<std::uint32_t> gids;
  for (const auto& group : groups_) {
    if (std::find(group.members.begin(), group.members.end(), user) != group.members.end()) gids.push_back(group.gid);
  }
  return gids;
}

Identity resolve_user(const UserDatabase& database, std::string_view text) {
  Identity identity;
  const auto colon = text.find(':');
  const std::string_view user = text.substr(0, colon);
  const std::string_view group = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto uid = number(user);
  const Account* account = user.empty() ? database.find_uid(0) : database.find_user(user);
  if (!account && uid) account = database.find_uid(*uid);
  if (account) {
    identity.uid = account->uid;
    identity.gid = account->gid;
    identity.home = account->home.empty() ? "/" : account->home;
    if (group.empty()) identity.groups = database.groups_of(account->name);
  } else if (uid) {
    identity.uid = *uid;
    identity.home = *uid == 0 ? "/root" : "/";
  } else if (!user.empty() && user != "root") {
    throw io::Error(io::ErrorKind::process, fmt::format("unable to find user {}: no matching entries in passwd file", user));
  }
  if (!group.empty()) {
    const auto named = database.find_group(group);
    const auto gid = named ? named : number(group);
    if (!gid)
      throw io::Error(io::ErrorKind::process, fmt::format("unable to find group {}: no matching entries in group file", group));
    identity.gid = *gid;
  }
  return identity;
}

Owner resolve_chown(const UserDatabase& database, std::string_view text, std::vector<std::string>& missing) {
  const auto colon = text.find(':');
  const std::string_view user = text.substr(0, colon);
  const std::string_view group = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  Owner owner;
  if (const auto uid = number(user)) {
    owner.uid = *uid;
    owner.gid = *uid;
  } else if (const Account* account = database.find_user(user)) {
    owner.uid = account->uid;
    owner.gid = account->gid;
  } else if (user != "root" && !user.empty()) {
    missing.push_back(fmt::format("user '{}'", user));
  }
  if (group.empty()) return owner;
  const auto numeric = number(group);
  const auto named = numeric ? numeric : database.find_group(group);
  if (named) {
    owner.gid = *named;
  } else if (group != "root") {
    missing.push_back(fmt::format("group '{}'", group));
  }
  return owner;
}

}  // namespace kiln::engine
