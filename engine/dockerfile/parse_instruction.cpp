#include "engine/dockerfile/parse_instruction.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "engine/dockerfile/csv.hpp"
#include "engine/dockerfile/durations.hpp"
#include "engine/dockerfile/heredoc.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"
#include "engine/dockerfile/words.hpp"

namespace kiln::engine::dockerfile {

namespace {

[[noreturn]] void fail(const std::string& what, std::string_view word = {}) { throw WordError(what, word); }

// What a parser of one instruction sees.
struct Rest {
  std::string keyword;     // upper case
  std::string_view after;  // everything after the keyword, blanks at the end too
  std::string_view text;   // after the flags, trimmed
  std::vector<FlagWord> flags;
  std::vector<Heredoc> heredocs;
  char escape;
};

std::vector<std::string> strings(const std::vector<std::string_view>& words) { return {words.begin(), words.end()}; }

void refuse_flags(const Rest& rest) { const Flags none(rest.flags, {}); }

void require_text(const Rest& rest) {
  if (rest.text.empty()) fail(fmt::format("{} requires at least one argument", rest.keyword));
}

std::string one_argument(const Rest& rest) {
  refuse_flags(rest);
  if (rest.text.empty()) fail(fmt::format("{} requires exactly one argument", rest.keyword));
  return std::string(rest.text);
}

CommandLine parse_command(const Rest& rest, std::string_view text) {
  CommandLine command;
  if (auto words = parse_json_words(text)) {
    command.exec_form = true;
    command.words = std::move(*words);
  } else {
    command.words = {std::string(text)};
    command.heredocs = rest.heredocs;
    command.script = !command.heredocs.empty() && parse_heredoc_marker(text).has_value();
  }
  return command;
}

void check_stage_name(std::string_view written) {
  const std::string name = lower(written);
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; };
  if (name.front() >= 'a' && name.front() <= 'z' && std::all_of(name.begin(), name.end(), allowed)) return;
  fail(fmt::format("invalid name for build stage: {}, name can't start with a number or contain symbols", go_quoted(written)),
       written);
}

Body parse_from(const Rest& rest) {
  const auto words = split_words(rest.text);
  From from;
  if (words.size() == 3 && lower(words[1]) == "as") {
    check_stage_name(words[2]);
    from.name = lower(words[2]);
    from.name_as_written = words[2];
    from.as_keyword = words[1];
  } else if (words.size() != 1) {
    fail("FROM requires either one or three arguments", rest.text);
  }
  const Flags flags(rest.flags, {{"platform", FlagKind::text}});
  from.platform = flags.text("platform");
  from.image = words.front();
  return from;
}

// --mount=type=bind,source=a,"target=b,c": what it means is looked at when variables are known.
void check_mount(const std::string& text, std::string_view written) {
  std::vector<std::string> fields;
  try {
    fields = parse_csv_record(text);
  } catch (const io::Error& error) {
    fail("failed to parse csv mounts: " + error.message(), written);
  }
  const bool empty_field = std::any_of(fields.begin(), fields.end(), [](const std::string& field) { return field.empty(); });
  if (empty_field) fail("invalid field '' must be a key=value pair", written);
}

Body parse_run(const Rest& rest) {
  const Flags flags(
      rest.flags,
      {{"mount", FlagKind::list}, {"network", FlagKind::text}, {"security", FlagKind::text}, {"device", FlagKind::list}});
  Run run;
  run.mounts = flags.list("mount");
  for (const auto& mount : run.mounts) check_mount(mount, flags.written("mount"));
  run.network = flags.text("network");
  run.security = flags.text("security");
  run.devices = flags.list("device");
  run.command = parse_command(rest, rest.text);
  return run;
}

void refuse_remote(std::string_view source) {
  const bool http = source.starts_with("http://") || source.starts_with("https://");
  const bool git = source.starts_with("git://") || source.starts_with("git@") || source.starts_with("ssh://") ||
                   (http && source.substr(0, source.find_first_of("#?")).ends_with(".git"));
  if (git) fail("source can't be a git ref for COPY", source);
  if (http) fail("source can't be a URL for COPY", source);
}

Copy copy_flags(const Rest& rest) {
  std::map<std::string, FlagKind> known = {
      {"chown", FlagKind::text}, {"chmod", FlagKind::text}, {"link", FlagKind::boolean}, {"exclude", FlagKind::list}};
  if (rest.keyword == "ADD") {
    known.insert({{"keep-git-dir", FlagKind::boolean}, {"checksum", FlagKind::text}, {"unpack", FlagKind::boolean}});
  } else {
    known.insert({{"from", FlagKind::text}, {"parents", FlagKind::boolean}});
  }
  const Flags flags(rest.flags, known);
  Copy copy;
  copy.is_add = rest.keyword == "ADD";
  copy.from = flags.text("from");
  copy.chown = flags.text("chown");
  copy.chmod = flags.text("chmod");
  copy.link = flags.boolean("link");
  copy.parents = flags.boolean("parents");
  copy.excludes = flags.list("exclude");
  copy.keep_git_dir = flags.boolean("keep-git-dir");
  copy.checksum = flags.text("checksum");
  copy.unpack = flags.optional_boolean("unpack");
  return copy;
}

// A source that is a marker: the file with the body that was read for its name.
bool take_heredoc_source(const std::string& word, const Rest& rest, Copy& copy) {
  auto marker = parse_heredoc_marker(word);
  if (!marker) return false;
  for (const auto& heredoc : rest.heredocs) {
    if (heredoc.name != marker->name) continue;
    marker->body = marker->strip_tabs ? without_leading_tabs(heredoc.raw) : heredoc.raw;
    marker->raw = heredoc.raw;
  }
  copy.heredocs.push_back(std::move(*marker));
  return true;
}

Body parse_copy(const Rest& rest) {
  const auto json = parse_json_words(rest.text);
  std::vector<std::string> words = json ? *json : strings(split_words(rest.text));
  if (words.size() < 2) {
    fail(fmt::format("{} requires at least two arguments, but only one was provided. Destination could not be determined",
                     rest.keyword),
         rest.text);
  }
  Copy copy = copy_flags(rest);
  copy.destination = words.back();
  words.pop_back();
  if (parse_heredoc_marker(copy.destination)) {
    fail(fmt::format("{} cannot accept a heredoc as a destination", rest.keyword), rest.text);
  }
  for (auto& word : words) {
    if (take_heredoc_source(word, rest, copy)) continue;
    if (!copy.is_add) refuse_remote(word);
    copy.sources.push_back(std::move(word));
  }
  return copy;
}

std::vector<KeyValue> parse_pairs(const Rest& rest) {
  refuse_flags(rest);
  const auto words = split_quoted_words(rest.text, rest.escape);
  if (words.empty()) fail(fmt::format("{} requires at least one argument", rest.keyword));
  if (words.front().find('=') == std::string_view::npos) {  // KEY rest of the line
    std::string_view value = rest.text;
    const std::string_view key = take_word(value);
    if (value.empty()) fail(fmt::format("{} must have two arguments", rest.keyword), rest.text);
    return {{std::string(key), std::string(value), true}};
  }
  std::vector<KeyValue> pairs;
  for (const auto& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) {
      fail(fmt::format("Syntax error - can't find = in {}. Must be of the form: name=value", go_quoted(word)), word);
    }
    if (equals == 0) fail(fmt::format("{} names can not be blank", rest.keyword), word);
    pairs.push_back({std::string(word.substr(0, equals)), std::string(word.substr(equals + 1))});
  }
  return pairs;
}

Body parse_env(const Rest& rest) { return Env{parse_pairs(rest)}; }
Body parse_label(const Rest& rest) { return Label{parse_pairs(rest)}; }

Body parse_arg(const Rest& rest) {
  refuse_flags(rest);
  Arg arg;
  for (const auto& word : split_quoted_words(rest.text, rest.escape)) {
    const auto equals = word.find('=');
    if (equals == 0) fail("ARG names can not be blank", word);
    KeyValue pair{std::string(word.substr(0, equals)), std::nullopt};
    if (equals != std::string_view::npos) pair.value = word.substr(equals + 1);
    arg.pairs.push_back(std::move(pair));
  }
  if (arg.pairs.empty()) fail("ARG requires at least one argument");
  return arg;
}

Body parse_workdir(const Rest& rest) { return Workdir{one_argument(rest)}; }
Body parse_user(const Rest& rest) { return User{one_argument(rest)}; }
Body parse_stopsignal(const Rest& rest) { return StopSignal{one_argument(rest)}; }
Body parse_maintainer(const Rest& rest) { return Maintainer{one_argument(rest)}; }

Body parse_expose(const Rest& rest) {
  refuse_flags(rest);
  require_text(rest);
  Expose expose{strings(split_words(rest.text))};
  std::sort(expose.ports.begin(), expose.ports.end());
  return expose;
}

Body parse_volume(const Rest& rest) {
  refuse_flags(rest);
  const auto json = parse_json_words(rest.text);
  Volume volume{json ? *json : strings(split_words(rest.text))};
  if (volume.paths.empty()) fail("VOLUME requires at least one argument");
  for (auto& path : volume.paths) {
    path = std::string(trim(path));
    if (path.empty()) fail("VOLUME specified can not be an empty string", rest.text);
  }
  return volume;
}

Body parse_cmd(const Rest& rest) {
  refuse_flags(rest);
  return Cmd{parse_command(rest, rest.text)};
}

Body parse_entrypoint(const Rest& rest) {
  refuse_flags(rest);
  return Entrypoint{parse_command(rest, rest.text)};
}

Body parse_shell(const Rest& rest) {
  refuse_flags(rest);
  auto words = parse_json_words(rest.text);
  if (!words && !rest.text.empty()) fail("SHELL requires the arguments to be in JSON form", rest.text);
  if (!words || words->empty()) fail("SHELL requires at least one argument");
  return Shell{std::move(*words)};
}

std::chrono::nanoseconds checked_duration(const Flags& flags, const std::string& name) {
  const std::string text = flags.text(name).value_or("");
  if (text.empty()) return std::chrono::nanoseconds(0);
  std::chrono::nanoseconds duration{0};
  try {
    duration = parse_duration(text);
  } catch (const io::Error& error) {
    fail(error.message(), flags.written(name));
  }
  if (duration.count() != 0 && duration < std::chrono::milliseconds(1)) {
    fail(fmt::format("Interval \"{}\" cannot be less than 1ms", name), flags.written(name));
  }
  return duration;
}

int checked_retries(const Flags& flags) {
  const std::string text = flags.text("retries").value_or("");
  if (text.empty()) return 0;
  int retries = 0;
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), retries);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail(fmt::format("--retries must be a number of at least 0, not {}", go_quoted(text)), flags.written("retries"));
  }
  if (retries < 0) fail(fmt::format("--retries cannot be negative ({})", retries), flags.written("retries"));
  return retries;
}

Body parse_healthcheck(const Rest& rest) {
  std::string_view text = rest.text;
  const std::string_view type = take_word(text);
  if (type.empty()) fail("HEALTHCHECK requires at least one argument");
  const Flags flags(rest.flags, {{"interval", FlagKind::text},
                                 {"timeout", FlagKind::text},
                                 {"start-period", FlagKind::text},
                                 {"start-interval", FlagKind::text},
                                 {"retries", FlagKind::text}});
  HealthcheckInstruction check;
  if (upper(type) == "NONE") {
    if (!text.empty()) fail("HEALTHCHECK NONE takes no arguments", text);
    check.none = true;
    return check;
  }
  if (upper(type) != "CMD") fail(fmt::format("Unknown type {} in HEALTHCHECK (try CMD)", go_quoted(upper(type))), type);
  check.command = parse_command(rest, text);
  if (check.command.words.empty() || text.empty()) fail("Missing command after HEALTHCHECK CMD");
  check.interval = checked_duration(flags, "interval");
  check.timeout = checked_duration(flags, "timeout");
  check.start_period = checked_duration(flags, "start-period");
  check.start_interval = checked_duration(flags, "start-interval");
  check.retries = checked_retries(flags);
  return check;
}

Body parse_onbuild(const Rest& rest) {
  refuse_flags(rest);
  require_text(rest);
  std::string_view after = rest.text;
  const std::string_view written = take_word(after);
  const std::string keyword = upper(written);
  if (keyword == "ONBUILD") fail("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", rest.text);
  if (keyword == "FROM" || keyword == "MAINTAINER") fail(fmt::format("{} isn't allowed as an ONBUILD trigger", keyword), written);
  std::string text(rest.after);
  for (const auto& heredoc : rest.heredocs) text += "\n" + heredoc.raw + heredoc.name;
  LogicalLine trigger;
  trigger.text = rest.text;
  trigger.heredocs = rest.heredocs;
  try {
    parse_instruction(std::move(trigger), rest.escape);
  } catch (const SyntaxError& error) {
    fail(error.reason(), rest.text);
  }
  return OnBuild{std::move(text)};
}

using Parser = Body (*)(const Rest&);

const std::map<std::string, Parser>& parsers() {
  static const std::map<std::string, Parser> table = {{"ADD", parse_copy},
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

std::string unknown_instruction(std::string_view written) {
  std::vector<std::string> known;
  for (const auto& entry : parsers()) known.push_back(entry.first);
  return fmt::format("unknown instruction: {}{}", written, did_you_mean(upper(written), known));
}

}  // namespace

Instruction parse_instruction(LogicalLine line, char escape) {
  try {
    std::string_view after = trim_left(line.text);
    const std::string_view written = take_word(after);
    Rest rest{upper(written), after, trim(after), {}, std::move(line.heredocs), escape};
    rest.flags = take_flags(rest.text);
    const auto parser = parsers().find(rest.keyword);
    if (parser == parsers().end()) fail(unknown_instruction(written), written);
    Instruction instruction;
    instruction.keyword = rest.keyword;
    instruction.keyword_as_written = written;
    instruction.location = line.location;
    instruction.comments = std::move(line.comments);
    instruction.original = trim(line.text);
    for (const auto& heredoc : rest.heredocs) instruction.original += "\n" + heredoc.raw + heredoc.name;
    instruction.body = parser->second(rest);
    return instruction;
  } catch (const WordError& error) {
    throw SyntaxError(error.message(), error.message(), line.locate(error.word()));
  }
}

}  // namespace kiln::engine::dockerfile
