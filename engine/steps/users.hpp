// Users and groups of an image, read from its own passwd and group files. No NSS: the files are the image's, not ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

struct Account {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

class UserDatabase {
 public:
  // Texts of /etc/passwd and /etc/group; lines that are not well-formed are skipped.
  UserDatabase(std::string_view passwd, std::string_view group);

  const Account* find_user(std::string_view name) const;
  const Account* find_uid(std::uint32_t uid) const;
  std::optional<std::uint32_t> find_group(std::string_view name) const;
  std::vector<std::uint32_t> groups_of(std::string_view user) const;

 private:
  struct Group {
    std::string name;
    std::uint32_t gid;
    std::vector<std::string> members;
  };
  std::vector<Account> users_;
  std::vector<Group> groups_;
};

struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::string home = "/root";
};

// USER's text for a RUN (BuildKit): name or number, optional group. A name's own groups are taken unless a group is named;
// a number without an entry has group 0 and home "/". Errors: io::Error(process) for a name that is not there.
Identity resolve_user(const UserDatabase& database, std::string_view user);

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
// --chown: user[:group]; a user name alone brings its primary group, a number alone is the group's number too. BuildKit's
// code, not its documentation: a user that is not there is root, a group that is not there changes nothing. Their names
// are added to `missing`, for a warning.
Owner resolve_chown(const UserDatabase& database, std::string_view text, std::vector<std::string>& missing);

}  // namespace kiln::engine
