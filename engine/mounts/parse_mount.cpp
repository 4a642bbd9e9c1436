#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "engine/dockerfile/csv.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"
#include "engine/mounts/mount.hpp"
#include "engine/plan/path.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw io::Error(io::ErrorKind::dockerfile, fmt::format(format, std::forward<Arguments>(arguments)...));
}

std::vector<dockerfile::CsvField> fields_of(const std::string& text) {
  return io::with_context("failed to parse csv mounts", [&] { return dockerfile::parse_csv_fields(text); });
}

bool parse_bool(const std::string& key, const std::string& value) {
  const auto parsed = dockerfile::parse_boolean(value);
  if (!parsed) fail("invalid value for {}: {}", key, value);
  return *parsed;
}

std::uint32_t parse_number(const std::string& key, const std::string& value, int base) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number, base);
  if (error != std::errc() || end != value.data() + value.size()) fail("invalid value {} for {}", value, key);
  return number;
}

// "64m", "1.5GiB", "100 kb": powers of 1024, as Docker's units.
std::uint64_t parse_size(const std::string& value) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number, std::chars_format::fixed);
  std::string unit = dockerfile::lower(std::string(end, value.data() + value.size()));
  if (unit.starts_with(' ')) unit.erase(0, 1);
  static const std::string letters = "kmgtp";
  unsigned shift = 0;
  if (!unit.empty() && letters.find(unit.front()) != std::string::npos) {
    shift = 10 * (static_cast<unsigned>(letters.find(unit.front())) + 1);
    unit.erase(0, 1);
    if (unit.starts_with('i')) unit = unit == "ib" ? "b" : "?";
  }
  if (error != std::errc() || number < 0 || (!unit.empty() && unit != "b")) fail("invalid value for size: {}", value);
  const double bytes = number * static_cast<double>(1ULL << shift);
  if (bytes > 1e18) fail("invalid value for size: {}", value);
  return static_cast<std::uint64_t>(bytes);
}

Mount::Type parse_type(const std::string& value) {
  static const std::map<std::string, Mount::Type> types = {{"bind", Mount::Type::bind},
                                                           {"cache", Mount::Type::cache},
                                                           {"tmpfs", Mount::Type::tmpfs},
                                                           {"secret", Mount::Type::secret},
                                                           {"ssh", Mount::Type::ssh}};
  const auto found = types.find(dockerfile::lower(value));
  if (found == types.end()) {
    fail("unsupported mount type \"{}\"{}", value,
         dockerfile::did_you_mean(dockerfile::lower(value), {"bind", "cache", "tmpfs", "secret", "ssh"}));
  }
  return found->second;
}

Mount::Sharing parse_sharing(const std::string& value) {
  const std::string name = dockerfile::lower(value);
  if (name == "shared") return Mount::Sharing::shared;
  if (name == "private") return Mount::Sharing::private_;
  if (name == "locked") return Mount::Sharing::locked;
  fail("unsupported sharing value \"{}\"{}", value, dockerfile::did_you_mean(name, {"shared", "private", "locked"}));
}

class MountParser {
 public:
  explicit MountParser(const std::string& text) { mount_.text = text; }

  Mount parse(const ExpandWord& expand) {
    for (const auto& field : fields_of(mount_.text)) {
      if (!field.value) {
        add_flag(field.key, field.text);
      } else {
        add(field.key, field.key == "from" ? *field.value : expand(*field.value), field.text);
      }
    }
    check();
    return std::move(mount_);
  }

 private:
  bool can_be_required() const { return mount_.type == Mount::Type::secret || mount_.type == Mount::Type::ssh; }

  void refuse_key(const std::string& key) const { fail("unexpected key '{}' for mount type '{}'", key, name_of(mount_.type)); }

  void set_read_only(bool value) {
    mount_.read_only = value;
    read_only_said_ = true;
  }

  void add_flag(const std::string& key, const std::string& field) {
    if (key == "readonly" || key == "ro") {
      set_read_only(true);
    } else if (key == "readwrite" || key == "rw") {
      set_read_only(false);
    } else if (key == "required") {
      if (!can_be_required()) refuse_key(key);
      mount_.required = true;
    } else {
      fail("invalid field '{}' must be a key=value pair", field);
    }
  }

  void add(const std::string& key, const std::string& value, const std::string& field) {
    if (key == "type") {
      mount_.type = parse_type(value);
    } else if (key == "from") {
      mount_.from = value;
    } else if (key == "source" || key == "src") {
      mount_.source = value;
    } else if (key == "target" || key == "dst" || key == "destination") {
      mount_.target = value;
    } else if (key == "readonly" || key == "ro") {
      set_read_only(parse_bool(key, value));
    } else if (key == "readwrite" || key == "rw") {
      set_read_only(!parse_bool(key, value));
    } else if (key == "required") {
      if (!can_be_required()) refuse_key(key);
      mount_.required = parse_bool(key, value);
    } else if (key == "size") {
      if (mount_.type != Mount::Type::tmpfs) refuse_key(key);
      mount_.size = parse_size(value);
    } else {
      add_detail(key, value, field);
    }
  }

  void add_detail(const std::string& key, const std::string& value, const std::string& field) {
    if (key == "id") {
      mount_.id = value;
    } else if (key == "sharing") {
      mount_.sharing = parse_sharing(value);
    } else if (key == "mode") {
      mount_.mode = parse_number(key, value, 8);
    } else if (key == "uid") {
      mount_.uid = parse_number(key, value, 10);
    } else if (key == "gid") {
      mount_.gid = parse_number(key, value, 10);
    } else if (key == "env") {
      mount_.env = value;
    } else {
      const std::vector<std::string> keys = {"type", "from",     "source", "target",    "readonly",   "id",  "sharing",
                                             "size", "required", "mode",   "uid",       "gid",        "src", "dst",
                                             "ro",   "rw",       "env",    "readwrite", "destination"};
      fail("unexpected key '{}' in '{}'{}", key, field, dockerfile::did_you_mean(key, keys));
    }
  }

  void check() {
    const std::string_view name = name_of(mount_.type);
    if (mount_.type == Mount::Type::bind || mount_.type == Mount::Type::tmpfs) {
      if (mount_.mode) fail("mode not allowed for \"{}\" type mounts", name);
      if (mount_.uid) fail("uid not allowed for \"{}\" type mounts", name);
      if (mount_.gid) fail("gid not allowed for \"{}\" type mounts", name);
    }
    if (!read_only_said_) mount_.read_only = mount_.type != Mount::Type::cache && mount_.type != Mount::Type::tmpfs;
    if (mount_.type == Mount::Type::secret) {
      if (!mount_.from.empty()) fail("secret mount should not have a from");
      if (mount_.sharing) fail("secret mount should not define sharing");
      if (mount_.source.empty() && mount_.target.empty() && mount_.id.empty()) {
        fail("invalid secret mount. one of source, target required");
      }
      if (!mount_.source.empty() && !mount_.id.empty()) fail("both source and id can't be set");
    }
    if (mount_.sharing && mount_.type != Mount::Type::cache) fail("invalid cache sharing set for {} mount", name);
    if (mount_.env && mount_.type != Mount::Type::secret) refuse_key("env");
    if (mount_.type == Mount::Type::ssh && !mount_.source.empty()) fail("ssh does not support source");
    if (mount_.type == Mount::Type::ssh && !mount_.from.empty()) refuse_key("from");
  }

  Mount mount_;
  bool read_only_said_ = false;
};

void place_secret(Mount& mount) {
  if (!mount.source.empty()) mount.id = mount.source;
  if (mount.id.empty()) mount.id = std::string(name_of_path(clean_path(mount.target)));
  if (mount.target.empty() && !mount.env) mount.target = "/run/secrets/" + std::string(name_of_path(clean_path(mount.id)));
}

}  // namespace

std::string_view name_of(Mount::Type type) {
  switch (type) {
    case Mount::Type::bind: return "bind";
    case Mount::Type::cache: return "cache";
    case Mount::Type::tmpfs: return "tmpfs";
    case Mount::Type::secret: return "secret";
    case Mount::Type::ssh: return "ssh";
  }
  return "";
}

Mount parse_mount(const std::string& text, const ExpandWord& expand) { return MountParser(text).parse(expand); }

std::string mount_from(const std::string& text) {
  std::string from, type;
  for (const auto& field : fields_of(text)) {
    const std::string value = field.value.value_or("");
    if (field.key == "type") type = dockerfile::lower(value);
    if (field.key != "from") continue;
    const auto dollar = value.find('$');
    if (dollar != std::string::npos && dollar + 1 < value.size()) {
      fail("'from' doesn't support variable expansion, define alias stage instead");
    }
    from = value;
  }
  return type == "tmpfs" || type == "secret" || type == "ssh" ? std::string() : from;
}

void place_mounts(std::vector<Mount>& mounts, const std::string& working_directory) {
  int agents = 0;
  for (auto& mount : mounts) {
    if (mount.type == Mount::Type::secret) {
      place_secret(mount);
      if (mount.target.empty()) continue;
    } else if (mount.type == Mount::Type::ssh) {
      if (mount.id.empty()) mount.id = "default";
      if (mount.target.empty()) mount.target = fmt::format("/run/buildkit/ssh_agent.{}", agents);
      ++agents;
    } else if (mount.type == Mount::Type::cache && mount.id.empty()) {
      const bool absolute = mount.target.starts_with('/');
      mount.id = (absolute ? "/" : "") + clean_path(mount.target);
    }
    const bool given = !mount.target.empty();
    mount.target = absolute_path(working_directory, mount.target, false);
    const std::string missing = given ? "" : fmt::format(": --mount={} has no target=PATH", mount.text);
    if (mount.target == "/") fail("invalid mount target \"/\"{}", missing);
  }
  std::set<std::string> seen;
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    if (!mount->target.empty() && !seen.insert(mount->target).second) mount->text.clear();
  }
  std::erase_if(mounts, [](const Mount& mount) { return mount.text.empty(); });
  std::sort(mounts.begin(), mounts.end(),
            [](const Mount& a, const Mount& b) { return std::tie(a.target, a.text) < std::tie(b.target, b.text); });
}

}  // namespace kiln::engine
