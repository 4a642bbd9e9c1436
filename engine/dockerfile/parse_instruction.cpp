#include "engine/dockerfile/parse_instruction.hpp"

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>

#include <fmt/format.h>

#include "engine/dockerfile/durations.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/words.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

[[noreturn]] void fail(const std::string& what) { throw io::Error(io::ErrorKind::dockerfile, what); }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// What a parser of one instruction sees.
struct Rest {
  std::string keyword;
  std::string_view text;  // after the keyword, trimmed
  std::vector<Heredoc> heredocs;
  char escape;
};

void require_text(const Rest& rest) {
  if (rest.text.empty()) fail(fmt::format("{} requires at least one argument", rest.keyword));
}

std::string one_argument(const Rest& rest) {
  if (rest.text.empty()) fail(fmt::format("{} requires exactly one argument", rest.keyword));
  return std::string(rest.text);
}

CommandLine parse_command(const Rest& rest) {
  CommandLine command;
  if (const auto words = parse_json_words(rest.text)) {
    command.exec_form = true;
    command.words = *words;
  } else {
    command.words = {std::string(rest.text)};
    command.heredocs = rest.heredocs;
  }
  return command;
}

void check_stage_name(const std::string& name) {
  const bool good =
      !name.empty() && std::isalpha(static_cast<unsigned char>(name.front())) &&
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
  if (!good) fail(fmt::format("invalid name for build stage: \"{}\", name can't start with a number or contain symbols", name));
}

Body parse_from(Rest rest) {
  const Flags flags(rest.text, {{"platform", FlagKind::text}}, rest.escape);
  const auto words = split_words(rest.text);
  From from;
  from.platform = flags.text("platform");
  if (words.size() == 3 && lower(words[1]) == "as") {
    from.name = lower(words[2]);
    check_stage_name(from.name);
  } else if (words.size() != 1) {
    fail("FROM requires either one or three arguments");
  }
  from.image = words.front();
  return from;
}

// --mount=type=bind,source=a,"target=b,c": one CSV record.
MountFlag parse_mount(const std::string& text) {
  MountFlag mount;
  mount.text = text;
  std::string field;
  bool quoted = false;
  const auto add = [&] {
    if (field.empty()) return;
    const auto equals = field.find('=');
    mount.options.emplace_back(lower(field.substr(0, equals)), equals == std::string::npos ? "" : field.substr(equals + 1));
    field.clear();
  };
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      add();
    } else {
      field += c;
    }
  }
  add();
  return mount;
}

Body parse_run(Rest rest) {
  const Flags flags(
      rest.text, {{"mount", FlagKind::list}, {"network", FlagKind::text}, {"security", FlagKind::text}, {"device", FlagKind::list}},
      rest.escape);
  require_text(rest);
  Run run;
  for (const auto& mount : flags.list("mount")) run.mounts.push_back(parse_mount(mount));
  run.network = flags.text("network");
  run.security = flags.text("security");
  run.devices = flags.list("device");
  run.command = parse_command(rest);
  return run;
}

bool is_remote(const std::string& source) {
  return source.starts_with("http://") || source.starts_with("https://") || source.starts_with("git://") ||
         source.starts_with("git@") || source.starts_with("ssh://");
}

Body parse_copy(Rest rest) {
  const bool is_add = rest.keyword == "ADD";
  std::map<std::string, FlagKind> known = {
      {"chown", FlagKind::text}, {"chmod", FlagKind::text}, {"link", FlagKind::boolean}, {"exclude", FlagKind::list}};
  if (is_add) {
    known.insert({{"keep-git-dir", FlagKind::boolean}, {"checksum", FlagKind::text}, {"unpack", FlagKind::boolean}});
  } else {
    known.insert({{"from", FlagKind::text}, {"parents", FlagKind::boolean}});
  }
  const Flags flags(rest.text, known, rest.escape);
  Copy copy;
  copy.is_add = is_add;
  copy.from = flags.text("from");
  copy.chown = flags.text("chown");
  copy.chmod = flags.text("chmod");
  copy.link = flags.boolean("link");
  copy.parents = flags.boolean("parents");
  copy.excludes = flags.list("exclude");
  copy.keep_git_dir = flags.boolean("keep-git-dir");
  copy.checksum = flags.text("checksum");
  copy.unpack = flags.optional_boolean("unpack");
  std::vector<std::string> words;
  if (auto json = parse_json_words(rest.text)) {
    words = std::move(*json);
  } else {
    words = split_words(rest.text);
    copy.heredocs = rest.heredocs;
  }
  if (words.size() < 2) {
    fail(words.empty()
             ? fmt::format("{} requires at least two arguments", rest.keyword)
             : fmt::format("{} requires at least two arguments, but only one was provided. Destination could not be determined",
                           rest.keyword));
  }
  copy.destination = words.back();
  words.pop_back();
  if (!copy.heredocs.empty()) {
    const auto is_marker = [](const std::string& word) { return word.find("<<") != std::string::npos; };
    if (is_marker(copy.destination)) fail(fmt::format("{} cannot accept a heredoc as a destination", rest.keyword));
    std::erase_if(words, is_marker);
  }
  for (const auto& source : words) {
    if (!is_add && is_remote(source)) fail(fmt::format("source can't be a URL or a git reference for COPY: {}", source));
  }
  copy.sources = std::move(words);
  return copy;
}

std::vector<KeyValue> parse_pairs(const Rest& rest, bool value_required) {
  const auto words = split_quoted_words(rest.text, rest.escape);
  if (words.empty()) fail(fmt::format("{} requires at least one argument", rest.keyword));
  std::vector<KeyValue> pairs;
  if (value_required && words.front().find('=') == std::string::npos) {  // KEY rest of the line
    const auto blank = rest.text.find_first_of(" \t");
    if (blank == std::string_view::npos) fail(fmt::format("{} must have two arguments", rest.keyword));
    return {{words.front(), std::string(trim(rest.text.substr(blank)))}};
  }
  for (const auto& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      if (value_required) fail(fmt::format("Syntax error - can't find = in \"{}\". Must be of the form: name=value", word));
      pairs.push_back({word, std::nullopt});
      continue;
    }
    if (equals == 0) fail(fmt::format("{} names can not be blank", rest.keyword));
    pairs.push_back({word.substr(0, equals), word.substr(equals + 1)});
  }
  return pairs;
}

Body parse_env(Rest rest) { return Env{parse_pairs(rest, true)}; }
Body parse_label(Rest rest) { return Label{parse_pairs(rest, true)}; }
Body parse_arg(Rest rest) { return Arg{parse_pairs(rest, false)}; }
Body parse_workdir(Rest rest) { return Workdir{one_argument(rest)}; }
Body parse_user(Rest rest) { return User{one_argument(rest)}; }
Body parse_stopsignal(Rest rest) { return StopSignal{one_argument(rest)}; }
Body parse_maintainer(Rest rest) { return Maintainer{one_argument(rest)}; }

Body parse_expose(Rest rest) {
  require_text(rest);
  return Expose{split_words(rest.text)};
}

Body parse_volume(Rest rest) {
  require_text(rest);
  if (auto json = parse_json_words(rest.text)) return Volume{std::move(*json)};
  return Volume{split_words(rest.text)};
}

Body parse_cmd(Rest rest) { return Cmd{parse_command(rest)}; }

Body parse_entrypoint(Rest rest) {
  require_text(rest);
  return Entrypoint{parse_command(rest)};
}

Body parse_shell(Rest rest) {
  auto words = parse_json_words(rest.text);
  if (!words) fail("SHELL requires the arguments to be in JSON form");
  if (words->empty()) fail("SHELL requires at least one argument");
  return Shell{std::move(*words)};
}

std::chrono::nanoseconds checked_duration(const Flags& flags, const std::string& name) {
  const auto text = flags.text(name);
  if (!text || text->empty()) return std::chrono::nanoseconds(0);
  const auto duration = parse_duration(*text);
  if (duration.count() != 0 && duration < std::chrono::milliseconds(1)) {
    fail(fmt::format("interval \"{}\" cannot be less than 1ms", name));
  }
  return duration;
}

Body parse_healthcheck(Rest rest) {
  const Flags flags(rest.text,
                    {{"interval", FlagKind::text},
                     {"timeout", FlagKind::text},
                     {"start-period", FlagKind::text},
                     {"start-interval", FlagKind::text},
                     {"retries", FlagKind::text}},
                    rest.escape);
  require_text(rest);
  const auto blank = std::min(rest.text.find_first_of(" \t"), rest.text.size());
  const std::string type = lower(std::string(rest.text.substr(0, blank)));
  rest.text = trim(rest.text.substr(blank));
  HealthcheckInstruction check;
  if (type == "none") {
    if (!rest.text.empty()) fail("HEALTHCHECK NONE takes no arguments");
    check.none = true;
    return check;
  }
  if (type != "cmd") fail(fmt::format("Unknown type \"{}\" in HEALTHCHECK (try CMD)", type));
  check.command = parse_command(rest);
  if (check.command.words.empty() || (!check.command.exec_form && check.command.words.front().empty())) {
    fail("Missing command after HEALTHCHECK CMD");
  }
  check.interval = checked_duration(flags, "interval");
  check.timeout = checked_duration(flags, "timeout");
  check.start_period = checked_duration(flags, "start-period");
  check.start_interval = checked_duration(flags, "start-interval");
  if (const auto retries = flags.text("retries")) {
    const bool number = !retries->empty() && retries->size() < 10 &&
                        std::all_of(retries->begin(), retries->end(), [](unsigned char c) { return std::isdigit(c); });
    if (!number) fail(fmt::format("--retries must be a number of at least 0, not \"{}\"", *retries));
    check.retries = std::stoi(*retries);
  }
  return check;
}

Body parse_onbuild(Rest rest) {
  require_text(rest);
  std::string keyword(rest.text.substr(0, std::min(rest.text.find_first_of(" \t"), rest.text.size())));
  std::transform(keyword.begin(), keyword.end(), keyword.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (keyword == "ONBUILD") fail("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword == "FROM" || keyword == "MAINTAINER") fail(fmt::format("{} isn't allowed as an ONBUILD trigger", keyword));
  std::string text(rest.text);
  for (const auto& heredoc : rest.heredocs) text += "\n" + heredoc.body + heredoc.name;
  const Instruction checked = parse_trigger(text, rest.escape);
  return OnBuild{std::move(text)};
}

const std::map<std::string, std::function<Body(Rest)>>& parsers() {
  static const std::map<std::string, std::function<Body(Rest)>> table = {{"ADD", parse_copy},
                                                                         {"ARG", parse_arg},
                                                                         {"CMD", parse_cmd},
                                                                         {"COPY", parse_copy},
                                                                         {"ENTRYPOINT", parse_entrypoint},
                                                                         {"ENV", parse_env},
                                                                         {"EXPOSE", parse_expose},
                                                                         {"FROM", parse_from},
                                                                         {"HEALTHCHECK", parse_healthcheck},
                                                                         {"LABEL", parse_label},
                                                                         {"MAINTAINER", parse_maintainer},
                                                                         {"ONBUILD", parse_onbuild},
                                                                         {"RUN", parse_run},
                                                                         {"SHELL", parse_shell},
                                                                         {"STOPSIGNAL", parse_stopsignal},
                                                                         {"USER", parse_user},
                                                                         {"VOLUME", parse_volume},
                                                                         {"WORKDIR", parse_workdir}};
  return table;
}

}  // namespace

Instruction parse_instruction(LogicalLine line, char escape) {
  const std::string_view text = trim(line.text);
  const auto blank = std::min(text.find_first_of(" \t"), text.size());
  std::string keyword(text.substr(0, blank));
  std::transform(keyword.begin(), keyword.end(), keyword.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto parser = parsers().find(keyword);
  if (parser == parsers().end()) {
    std::vector<std::string> known;
    for (const auto& entry : parsers()) known.push_back(entry.first);
    fail(fmt::format("unknown instruction: {}{}", text.substr(0, blank), did_you_mean(keyword, known)));
  }
  Instruction instruction;
  instruction.keyword = keyword;
  instruction.location = line.location;
  instruction.original = std::string(text);
  for (const auto& heredoc : line.heredocs) instruction.original += "\n" + heredoc.body + heredoc.name;
  instruction.body = parser->second(Rest{keyword, trim(text.substr(blank)), std::move(line.heredocs), escape});
  return instruction;
}

}  // namespace kiln::engine::dockerfile
