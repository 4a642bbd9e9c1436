// A parsed Dockerfile: what is written, before any variable is expanded.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

// Lines count from 1, columns (bytes) from 1; the ends are inclusive. 0: not known.
struct Location {
  int first_line = 0;
  int last_line = 0;
  int first_column = 0;  // in the first line
  int last_column = 0;   // in the last line
};

struct Heredoc {
  std::string name;
  std::string body;    // with its newlines; tabs already removed for <<-
  std::string raw;     // as written: what a shell that reads the marker itself must see
  bool expand = true;  // the delimiter was not quoted
  bool strip_tabs = false;
  int file_descriptor = 0;
};

// A command in shell form (one text) or exec form (words), with heredocs in the order of their markers.
struct CommandLine {
  bool exec_form = false;
  std::vector<std::string> words;  // shell form: exactly one, the text after the flags with its heredoc markers
  std::vector<Heredoc> heredocs;
  bool script = false;  // the text is one heredoc marker and nothing else: its body is the script
};

struct From {
  std::string image;                    // may hold variables
  std::optional<std::string> platform;  // --platform
  std::string name;                     // AS, lower-cased; empty: none
  std::string name_as_written;
  std::string as_keyword;  // "AS", "as", ...
};

struct Run {
  CommandLine command;
  std::vector<std::string> mounts;  // --mount: a CSV record each, as written; parse_csv_fields reads it
  std::optional<std::string> network;
  std::optional<std::string> security;
  std::vector<std::string> devices;
};

struct Copy {  // ADD too
  bool is_add = false;
  std::vector<std::string> sources;  // without heredocs
  std::string destination;
  std::vector<Heredoc> heredocs;
  std::optional<std::string> from;
  std::optional<std::string> chown;
  std::optional<std::string> chmod;
  bool link = false;
  bool parents = false;
  std::vector<std::string> excludes;
  bool keep_git_dir = false;
  std::optional<std::string> checksum;
  std::optional<bool> unpack;
};

struct KeyValue {
  std::string key;
  std::optional<std::string> value;  // ARG NAME has none
  bool legacy = false;               // ENV key value
};
struct Env {
  std::vector<KeyValue> pairs;
};
struct Label {
  std::vector<KeyValue> pairs;
};
struct Arg {
  std::vector<KeyValue> pairs;
};
struct Workdir {
  std::string path;
};
struct User {
  std::string user;
};
struct Expose {
  std::vector<std::string> ports;
};
struct Volume {
  std::vector<std::string> paths;
};
struct Cmd {
  CommandLine command;
};
struct Entrypoint {
  CommandLine command;
};
struct Shell {
  std::vector<std::string> words;
};
struct StopSignal {
  std::string signal;
};
struct Maintainer {
  std::string name;
};
struct HealthcheckInstruction {
  bool none = false;
  CommandLine command;
  std::chrono::nanoseconds interval{0}, timeout{0}, start_period{0}, start_interval{0};
  int retries = 0;
};
struct OnBuild {
  std::string instruction;
};  // text to be parsed when it fires, heredoc bodies included

using Body = std::variant<From, Run, Copy, Env, Label, Arg, Workdir, User, Expose, Volume, Cmd, Entrypoint, Shell, StopSignal,
                          Maintainer, HealthcheckInstruction, OnBuild>;

struct Instruction {
  std::string keyword;  // upper case
  std::string keyword_as_written;
  std::string original;  // the logical line as written, continuation joined, comments removed
  Location location;
  std::vector<std::string> comments;  // directly above, without '#'
  Body body;
};

struct Warning {
  std::string rule;  // BuildKit's name: "NoEmptyContinuation"
  std::string message;
  Location location;
};

struct StageText {
  Instruction from;
  std::vector<Instruction> instructions;  // after FROM
};

struct Dockerfile {
  std::string source;                    // the text
  std::vector<Instruction> global_args;  // ARG before the first FROM
  std::vector<StageText> stages;
  char escape = '\\';
  std::string check;              // "# check="
  std::vector<Warning> warnings;  // of the parser itself: NoEmptyContinuation
};

// Something is wrong with the text. The message is whole ("NAME:LINE:COLUMN-COLUMN: reason" and the lines around it).
class SyntaxError : public io::Error {
 public:
  SyntaxError(std::string message, std::string reason, Location location)
      : io::Error(io::ErrorKind::dockerfile, std::move(message)), reason_(std::move(reason)), location_(location) {}
  const std::string& reason() const noexcept { return reason_; }
  Location location() const noexcept { return location_; }

 private:
  std::string reason_;
  Location location_;
};

// Parses a whole file, by the rules of BuildKit's parser and in its words. Errors: SyntaxError. Stricter than BuildKit: NUL
// bytes and invalid UTF-8 are errors, and an ONBUILD trigger must be an instruction.
Dockerfile parse_dockerfile(std::string_view text, std::string_view file_name);

// Parses one ONBUILD trigger's text as an instruction. Errors: io::Error(dockerfile).
Instruction parse_trigger(std::string_view text, char escape);

}  // namespace kiln::engine::dockerfile
