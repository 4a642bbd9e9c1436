#include "engine/dockerfile/lines.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

constexpr std::size_t longest_line = 65535;

[[noreturn]] void fail(int line, const std::string& what) {
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("line {}: {}", line, what));
}

std::string_view trim_left(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}
std::string_view trim(std::string_view text) {
  text = trim_left(text);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80              ? 1
                               : (lead & 0xe0U) == 0xc0 ? 2
                               : (lead & 0xf0U) == 0xe0 ? 3
                               : (lead & 0xf8U) == 0xf0 ? 4
                                                        : 0;
    if (length == 0 || lead == 0xc0 || lead == 0xc1 || lead > 0xf4 || i + length > text.size()) return false;
    for (std::size_t j = 1; j < length; ++j) {
      if ((static_cast<unsigned char>(text[i + j]) & 0xc0U) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

// Physical lines, without their ends.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t newline = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, newline - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const int number = static_cast<int>(lines.size()) + 1;
    if (line.size() > longest_line)
      fail(number, fmt::format("dockerfile line greater than maximum allowed size of {}", longest_line));
    if (line.find('\0') != std::string_view::npos) fail(number, "a NUL byte: is this a text file?");
    if (!is_utf8(line)) fail(number, "invalid UTF-8: is this a text file?");
    lines.push_back(line);
    at = newline + 1;
  }
  return lines;
}

class Reader {
 public:
  Reader(std::string_view text, Directives& directives, std::vector<Warning>& warnings)
      : lines_(split(text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text)), directives_(directives), warnings_(warnings) {}

  std::vector<LogicalLine> read() {
    read_directives();
    std::vector<LogicalLine> result;
    while (at_ < lines_.size()) {
      const std::string_view line = trim_left(lines_[at_]);
      if (line.empty() || line.front() == '#' || trim(line).empty()) {
        ++at_;
        continue;
      }
      result.push_back(read_logical_line());
    }
    return result;
  }

 private:
  // "# key=value" in the unbroken run of directives at the top.
  void read_directives() {
    std::set<std::string> seen;
    for (; at_ < lines_.size(); ++at_) {
      std::string_view line = trim(lines_[at_]);
      if (!line.starts_with('#')) return;
      line.remove_prefix(1);
      const auto equals = line.find('=');
      if (equals == std::string_view::npos) return;
      const std::string key = lower(trim(line.substr(0, equals)));
      const std::string value(trim(line.substr(equals + 1)));
      if (key != "syntax" && key != "escape" && key != "check") return;
      if (!seen.insert(key).second) fail(static_cast<int>(at_) + 1, fmt::format("only one {} parser directive can be used", key));
      if (key == "syntax") directives_.syntax = value.substr(0, value.find_first_of(" \t"));
      if (key == "check") directives_.check = value;
      if (key == "escape") {
        if (value != "\\" && value != "`")
          fail(static_cast<int>(at_) + 1, fmt::format("invalid ESCAPE '{}'. Must be ` or \\", value));
        directives_.escape = value.front();
      }
    }
  }

  // Strips the escape character that continues the line; false when the line ends here.
  bool take_continuation(std::string_view& line) const {
    std::string_view stripped = line;
    while (!stripped.empty() && (stripped.back() == ' ' || stripped.back() == '\t')) stripped.remove_suffix(1);
    if (stripped.empty() || stripped.back() != directives_.escape) return false;
    if (stripped.size() > 1 && stripped[stripped.size() - 2] == directives_.escape) return false;
    line = stripped.substr(0, stripped.size() - 1);
    return true;
  }

  LogicalLine read_logical_line() {
    LogicalLine logical;
    logical.location.first_line = static_cast<int>(at_) + 1;
    std::string_view line = trim_left(lines_[at_++]);
    bool more = take_continuation(line);
    logical.text = line;
    bool warned = false;
    while (more && at_ < lines_.size()) {
      line = lines_[at_++];
      const std::string_view blank_free = trim(line);
      if (blank_free.starts_with('#')) continue;
      if (blank_free.empty()) {
        if (!warned)
          warnings_.push_back({"NoEmptyContinuation", "Empty continuation line", {static_cast<int>(at_), static_cast<int>(at_)}});
        warned = true;
        continue;
      }
      more = take_continuation(line);
      logical.text += line;
    }
    logical.heredocs = find_heredocs(logical.text);
    for (auto& heredoc : logical.heredocs) read_body(heredoc);
    logical.location.last_line = static_cast<int>(at_);
    return logical;
  }

  void read_body(Heredoc& heredoc) {
    const int first = static_cast<int>(at_);
    while (at_ < lines_.size()) {
      std::string_view line = lines_[at_++];
      while (heredoc.strip_tabs && line.starts_with('\t')) line.remove_prefix(1);
      if (line == heredoc.name) return;
      heredoc.body += line;
      heredoc.body += '\n';
    }
    fail(first, fmt::format("unterminated heredoc {}", heredoc.name));
  }

  std::vector<std::string_view> lines_;
  Directives& directives_;
  std::vector<Warning>& warnings_;
  std::size_t at_ = 0;
};

// Shell words of a line with quotes kept, so that a quoted "<<EOF" is told apart.
std::vector<std::string> raw_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      // "<< EOF": blanks between the marker and its delimiter belong to the marker.
      const bool open_marker = word.ends_with("<<") || word.ends_with("<<-");
      if (!word.empty() && !open_marker) {
        words.push_back(std::move(word));
        word.clear();
      }
      continue;
    }
    if (c == '\\' && i + 1 < text.size() && quote != '\'') {
      word += c;
      word += text[++i];
      continue;
    }
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
    word += c;
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

// "3<<-'EOF'" as a heredoc; nothing for any other word.
bool parse_marker(std::string_view word, Heredoc& heredoc) {
  std::size_t at = 0;
  while (at < word.size() && std::isdigit(static_cast<unsigned char>(word[at]))) ++at;
  if (at > 3) return false;
  if (at > 0) heredoc.file_descriptor = std::stoi(std::string(word.substr(0, at)));
  word.remove_prefix(at);
  if (!word.starts_with("<<") || word.starts_with("<<<")) return false;
  word.remove_prefix(2);
  heredoc.strip_tabs = word.starts_with('-');
  if (heredoc.strip_tabs) word.remove_prefix(1);
  if (word.empty()) return false;
  char quote = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (c == '\\' && quote != '\'' && i + 1 < word.size()) {
      heredoc.expand = false;
      heredoc.name += word[++i];
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      heredoc.expand = false;
    } else if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '<' || c == '>' || c == '|' || c == '&' || c == ';' || c == '(' || c == ')')) {
      break;
    } else {
      heredoc.name += c;
    }
  }
  return quote == 0 && !heredoc.name.empty();
}

}  // namespace

std::vector<Heredoc> find_heredocs(std::string_view line) {
  std::string_view rest = trim_left(line);
  auto keyword_end = std::min(rest.find_first_of(" \t"), rest.size());
  std::string keyword = lower(rest.substr(0, keyword_end));
  rest = trim_left(rest.substr(keyword_end));
  if (keyword == "onbuild") {
    keyword_end = std::min(rest.find_first_of(" \t"), rest.size());
    keyword = lower(rest.substr(0, keyword_end));
    rest = trim_left(rest.substr(keyword_end));
  }
  std::vector<Heredoc> heredocs;
  if (keyword != "run" && keyword != "copy" && keyword != "add") return heredocs;
  if (rest.starts_with('[')) return heredocs;
  for (const auto& word : raw_words(rest)) {
    Heredoc heredoc;
    if (parse_marker(word, heredoc)) heredocs.push_back(std::move(heredoc));
  }
  return heredocs;
}

std::vector<LogicalLine> read_lines(std::string_view text, Directives& directives, std::vector<Warning>& warnings) {
  return Reader(text, directives, warnings).read();
}

}  // namespace kiln::engine::dockerfile
