#include "engine/dockerfile/lines.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "engine/dockerfile/directives.hpp"
#include "engine/dockerfile/heredoc.hpp"
#include "engine/dockerfile/text.hpp"
#include "engine/dockerfile/words.hpp"

namespace kiln::engine::dockerfile {

namespace {

constexpr std::size_t longest_line = 65535;

Location line_place(int line) { return {line, line}; }

struct PhysicalLine {
  std::string_view text;  // without its end
  std::string_view raw;
};

void check_line(std::string_view line, int number) {
  if (line.size() > longest_line) {
    fail_at(fmt::format("dockerfile line greater than max allowed size of {}", longest_line), line_place(number));
  }
  const auto nul = line.find('\0');
  if (nul != std::string_view::npos) {
    const int column = static_cast<int>(nul) + 1;
    fail_at("a NUL byte: this is not a text file", {number, number, column, column});
  }
  if (!is_utf8(line)) fail_at("invalid UTF-8: this is not a text file", line_place(number));
}

std::vector<PhysicalLine> split_lines(std::string_view text) {
  std::vector<PhysicalLine> lines;
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, newline);
    check_line(line, static_cast<int>(lines.size()) + 1);
    while (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back({line, text.substr(0, newline + 1)});
    text.remove_prefix(std::min(newline + 1, text.size()));
  }
  return lines;
}

class Reader {
 public:
  explicit Reader(std::string_view text)
      : marked_(text.starts_with("\xef\xbb\xbf")), lines_(split_lines(marked_ ? text.substr(3) : text)) {}

  Lines read() {
    read_directives();
    std::vector<std::string> comments;
    while (at_ < lines_.size()) {
      const std::string_view line = trim(lines_[at_].text);
      if (line.empty() || line == "#") {
        comments.clear();
        ++at_;
      } else if (line.front() == '#') {
        comments.emplace_back(trim(line.substr(1)));
        ++at_;
      } else {
        read_logical_line();
        result_.lines.back().comments = std::exchange(comments, {});
      }
    }
    return std::move(result_);
  }

 private:
  void read_directives() {
    std::set<std::string> seen;
    for (; at_ < lines_.size(); ++at_) {
      const auto directive = parse_directive(trim(lines_[at_].text));
      const Location where = line_place(static_cast<int>(at_) + 1);
      if (!directive) return;
      const auto& [key, value] = *directive;
      if (key != "syntax" && key != "escape" && key != "check") return;
      if (!seen.insert(key).second) fail_at(fmt::format("only one {} parser directive can be used", key), where);
      if (key != "escape") continue;
      if (value != "\\" && value != "`") fail_at(fmt::format("invalid escape token '{}' does not match ` or \\", value), where);
      result_.escape = value.front();
    }
  }

  // Takes off the escape character that continues the line; false when the line ends here.
  bool take_continuation(std::string_view& line) const {
    std::string_view stripped = line;
    while (stripped.ends_with(' ') || stripped.ends_with('\t')) stripped.remove_suffix(1);
    if (!stripped.ends_with(result_.escape)) return false;
    stripped.remove_suffix(1);
    if (stripped.ends_with(result_.escape)) return false;
    line = stripped;
    return true;
  }

  void append(LogicalLine& logical, std::string_view line, int number) const {
    const std::string_view physical = lines_[static_cast<std::size_t>(number) - 1].text;
    const int mark = marked_ && number == 1 ? 3 : 0;
    logical.pieces.push_back({logical.text.size(), number, static_cast<int>(line.data() - physical.data()) + 1 + mark});
    logical.text += line;
  }

  void read_logical_line() {
    LogicalLine logical;
    logical.location.first_line = static_cast<int>(at_) + 1;
    std::string_view line = trim_left(lines_[at_].text);
    bool more = take_continuation(line);
    append(logical, line, static_cast<int>(++at_));
    bool warned = false;
    while (more && at_ < lines_.size()) {
      line = lines_[at_++].text;
      const std::string_view solid = trim_left(line);
      if (solid.starts_with('#')) continue;
      if (solid.empty()) {
        warned = true;
        continue;
      }
      more = take_continuation(line);
      append(logical, line, static_cast<int>(at_));
    }
    const int last = static_cast<int>(at_);
    if (warned) result_.warnings.push_back({"NoEmptyContinuation", "Empty continuation line", line_place(last)});
    logical.location.last_line = last;
    logical.location.first_column = logical.pieces.front().column;
    logical.location.last_column = std::max<int>(1, static_cast<int>(lines_[at_ - 1].text.size()));
    if (takes_heredocs(logical.text)) logical.heredocs = find_heredocs(logical.text);
    for (auto& heredoc : logical.heredocs) read_body(heredoc, logical.location);
    if (static_cast<int>(at_) > last)
      logical.location.last_column = std::max<int>(1, static_cast<int>(lines_[at_ - 1].text.size()));
    logical.location.last_line = static_cast<int>(at_);
    result_.lines.push_back(std::move(logical));
  }

  // RUN, COPY or ADD, also behind ONBUILD, and not in JSON form.
  static bool takes_heredocs(std::string_view line) {
    std::string_view rest = trim(line);
    std::string keyword = lower(take_word(rest));
    if (keyword == "onbuild") keyword = lower(take_word(rest));
    if (keyword != "run" && keyword != "copy" && keyword != "add") return false;
    take_flags(rest);
    try {
      return !parse_json_words(rest);
    } catch (const io::Error&) {
      return false;  // said with the instruction
    }
  }

  void read_body(Heredoc& heredoc, Location where) {
    while (at_ < lines_.size()) {
      const PhysicalLine& line = lines_[at_++];
      std::string_view end = line.text;
      while (heredoc.strip_tabs && end.starts_with('\t')) end.remove_prefix(1);
      if (end == heredoc.name) {
        heredoc.body = heredoc.strip_tabs ? without_leading_tabs(heredoc.raw) : heredoc.raw;
        return;
      }
      heredoc.raw += line.raw;
    }
    where.last_line = static_cast<int>(lines_.size());
    fail_at(fmt::format("unterminated heredoc: no line \"{}\" ends it", heredoc.name), where);
  }

  bool marked_;
  std::vector<PhysicalLine> lines_;
  Lines result_;
  std::size_t at_ = 0;
};

}  // namespace

Location LogicalLine::locate(std::string_view part) const {
  const auto begin = text.data();
  if (pieces.empty() || part.empty() || part.data() < begin || part.data() + part.size() > begin + text.size()) return location;
  const auto place = [this](std::size_t offset) {
    auto piece = pieces.begin();
    while (std::next(piece) != pieces.end() && std::next(piece)->offset <= offset) ++piece;
    return std::pair(piece->line, piece->column + static_cast<int>(offset - piece->offset));
  };
  const auto offset = static_cast<std::size_t>(part.data() - begin);
  const auto [first_line, first_column] = place(offset);
  const auto [last_line, last_column] = place(offset + part.size() - 1);
  return {first_line, last_line, first_column, last_column};
}

void fail_at(const std::string& reason, Location where) { throw SyntaxError(reason, reason, where); }

Lines read_lines(std::string_view text) { return Reader(text).read(); }

}  // namespace kiln::engine::dockerfile
