#include "engine/dockerfile/expand.hpp"

#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "engine/dockerfile/pattern.hpp"
#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

constexpr int deepest = 100;
constexpr char no_stop = '\0';

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

struct Rules {
  char escape = '\\';
  bool quotes = true;         // quotes mean something
  bool keep_quotes = false;   // and stay
  bool keep_escapes = false;  // the escape character stays in front of what it escapes
  bool keep_unset = false;    // variables that are not set stay as they are written
  bool split = false;         // words are wanted
};

class Expander {
 public:
  Expander(std::string_view word, const Lookup& lookup, Rules rules) : word_(word), lookup_(lookup), rules_(rules) {}

  std::string expand() {
    return told([this] { return expand_until(no_stop, rules_.keep_escapes); });
  }

  std::vector<std::string> expand_and_split() {
    std::string last = expand();
    if (!last.empty()) words_.push_back(std::move(last));
    return std::move(words_);
  }

 private:
  template <class Body>
  std::string told(Body body) {
    try {
      return body();
    } catch (io::Error& error) {
      error.add_context(fmt::format("failed to process {}", go_quoted(word_)));
      throw;
    }
  }

  [[noreturn]] static void fail(const std::string& what) { throw io::Error(io::ErrorKind::dockerfile, what); }

  bool at_end() const { return at_ >= word_.size(); }
  char peek() const { return at_end() ? '\0' : word_[at_]; }
  bool splits(char stop) const { return rules_.split && stop == no_stop; }

  // Up to `stop`, which is not taken, or to the end.
  std::string expand_until(char stop, bool keep_escapes) {
    const bool outer = std::exchange(keep_escapes_, keep_escapes);
    std::string result;
    while (!at_end() && (stop == no_stop || peek() != stop)) {
      const char c = word_[at_];
      if (rules_.quotes && (c == '\'' || c == '"')) {
        result += c == '"' ? double_quoted() : single_quoted();
      } else if (c == '$') {
        append_value(variable(), result, stop);
      } else if (c == rules_.escape) {
        escaped(result);
      } else if (splits(stop) && word_.substr(at_).starts_with("<<")) {
        heredoc_marker(result);
      } else if (const std::size_t blank = splits(stop) ? blank_length(word_.substr(at_)) : 0) {
        end_word(result);
        at_ += blank;
      } else {
        result += c;
        ++at_;
      }
    }
    keep_escapes_ = outer;
    return result;
  }

  void end_word(std::string& word) {
    if (!word.empty()) words_.push_back(std::exchange(word, {}));
  }

  void append_value(std::string_view value, std::string& result, char stop) {
    while (splits(stop) && !value.empty()) {
      const std::size_t blank = blank_length(value);
      if (blank > 0) end_word(result);
      const std::size_t length = blank > 0 ? blank : rune_length(value);
      if (blank == 0) result += value.substr(0, length);
      value.remove_prefix(length);
    }
    result += value;
  }

  // Blanks between "<<" and the delimiter do not split.
  void heredoc_marker(std::string& result) {
    const std::size_t begin = at_;
    at_ += 2;
    while (!at_end() && is_separator(peek())) ++at_;
    result += word_.substr(begin, at_ - begin);
  }

  void escaped(std::string& result) {
    if (keep_escapes_) result += rules_.escape;
    ++at_;
    if (at_end()) return;
    const std::size_t length = rune_length(word_.substr(at_));
    result += word_.substr(at_, length);
    at_ += length;
  }

  std::string single_quoted() {
    const auto end = word_.find('\'', at_ + 1);
    if (end == std::string_view::npos) fail("unexpected end of statement while looking for matching single-quote");
    const std::size_t begin = std::exchange(at_, end + 1);
    return std::string(rules_.keep_quotes ? word_.substr(begin, at_ - begin) : word_.substr(begin + 1, end - begin - 1));
  }

  std::string double_quoted() {
    std::string text;
    if (rules_.keep_quotes) text += '"';
    ++at_;
    while (true) {
      if (at_end()) fail("unexpected end of statement while looking for matching double-quote");
      const char c = word_[at_];
      if (c == '"') {
        ++at_;
        if (rules_.keep_quotes) text += c;
        return text;
      }
      if (c == '$') {
        text += variable();
        continue;
      }
      ++at_;
      if (c != rules_.escape) {
        text += c;
        continue;
      }
      if (keep_escapes_) text += c;
      if (at_end()) continue;
      const char next = peek();
      if (next == '"' || next == '$' || next == rules_.escape) {
        text += next;
        ++at_;
      } else {
        text += c;  // with keep_escapes it is there twice, as in BuildKit
      }
    }
  }

  // At '$'.
  std::string variable() {
    if (++depth_ > deepest) fail("nested too deeply");
    ++at_;
    std::string value;
    if (peek() == '{') {
      ++at_;
      value = braced();
    } else {
      const std::string name = take_name();
      const std::optional<std::string> found = name.empty() ? std::optional<std::string>() : lookup_(name);
      value = name.empty() || (!found && rules_.keep_unset) ? "$" + name : found.value_or("");
    }
    --depth_;
    return value;
  }

  // Letters, digits and '_'; a run of digits alone when it starts with one; one special character.
  std::string take_name() {
    std::string name;
    if (is_digit(peek())) {
      while (is_digit(peek())) name += word_[at_++];
      return name;
    }
    while (is_name_char(peek())) name += word_[at_++];
    if (name.empty() && !at_end() && std::string_view("@*#?-$!").find(peek()) != std::string_view::npos) name += word_[at_++];
    return name;
  }

  [[noreturn]] static void fail_modifier(const std::string& modifier) {
    fail(fmt::format("unsupported modifier ({}) in substitution", modifier));
  }
  [[noreturn]] static void fail_open(std::string_view what) { fail(fmt::format("syntax error: missing {}", what)); }

  // After "${".
  std::string braced() {
    if (at_end()) fail_open("'}'");
    if (peek() == '}' || peek() == '{' || peek() == ':') fail("syntax error: bad substitution");
    const std::string name = take_name();
    if (at_end()) fail_open("'}'");
    std::string modifier(word_.substr(at_, rune_length(word_.substr(at_))));
    at_ += modifier.size();
    if (modifier == "/") return replaced(name);
    const std::optional<std::string> value = lookup_(name);
    if (modifier == "}") return value || !rules_.keep_unset ? value.value_or("") : "${" + name + "}";
    if (modifier == ":") {
      if (at_end()) fail_open("'}'");
      const std::size_t length = rune_length(word_.substr(at_));
      modifier += word_.substr(at_, length);
      at_ += length;
    }
    const char kind = modifier.back();
    const bool trims = modifier == "#" || modifier == "%";
    if (!trims && std::string_view("-+?").find(kind) == std::string_view::npos) fail_modifier(modifier);
    const std::string word = operand('}', trims, "'}'");
    if (!value && rules_.keep_unset) return "${" + name + modifier + word + "}";
    if (trims) return trimmed(value.value_or(""), kind, word);
    return with_default(name, value, modifier.size() > 1, kind, word);
  }

  std::string operand(char stop, bool keep_escapes, std::string_view what) {
    std::string text = expand_until(stop, keep_escapes);
    if (at_end()) fail_open(what);
    ++at_;
    return text;
  }

  static std::string with_default(const std::string& name, const std::optional<std::string>& value, bool empty_is_unset, char kind,
                                  const std::string& word) {
    const bool given = value && !(empty_is_unset && value->empty());
    if (kind == '+') return given ? word : "";
    if (given) return *value;
    if (kind == '-') return word;
    const std::string_view reason = value ? "is not allowed to be empty" : "is not allowed to be unset";
    fail(fmt::format("{}: {}", name, word.empty() ? reason : word));
  }

  static std::string trimmed(const std::string& value, char side, std::string_view word) {
    const bool longest = word.starts_with(side);
    const Pattern pattern(longest ? word.substr(1) : word);
    return side == '#' ? pattern.drop_prefix(value, longest) : pattern.drop_suffix(value, longest);
  }

  std::string replaced(const std::string& name) {
    const bool all = peek() == '/';
    if (all) ++at_;
    const std::string text = operand('/', true, "'/' in ${}");
    const std::string by = operand('}', true, "'}'");
    const std::optional<std::string> value = lookup_(name);
    if (!value && rules_.keep_unset) return fmt::format("${{{}/{}/{}}}", name, text, by);
    return Pattern(text).replace(value.value_or(""), by, all);
  }

  std::string_view word_;
  const Lookup& lookup_;
  Rules rules_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool keep_escapes_ = false;
  std::vector<std::string> words_;
};

}  // namespace

std::string expand_word(std::string_view word, const Lookup& lookup, char escape) {
  Rules rules;
  rules.escape = escape;
  return Expander(word, lookup, rules).expand();
}

std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, char escape) {
  Rules rules;
  rules.escape = escape;
  rules.split = true;
  return Expander(word, lookup, rules).expand_and_split();
}

std::string expand_heredoc(std::string_view body, const Lookup& lookup) {
  Rules rules;
  rules.quotes = false;
  return Expander(body, lookup, rules).expand();
}

std::vector<std::string> lex_words(std::string_view text, Lexing lexing) {
  const Lookup none = [](std::string_view) { return std::nullopt; };
  Rules rules;
  rules.keep_quotes = lexing.keep_quotes;
  rules.keep_escapes = lexing.keep_escapes;
  rules.keep_unset = true;
  rules.split = true;
  return Expander(text, none, rules).expand_and_split();
}

}  // namespace kiln::engine::dockerfile
