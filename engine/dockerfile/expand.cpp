#include "engine/dockerfile/expand.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "engine/dockerfile/pattern.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

constexpr int deepest = 100;  // nested expansions

[[noreturn]] void fail(std::string_view word, const std::string& what) {
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("failed to process \"{}\": {}", word, what));
}

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

enum class Quotes { removed, kept };  // words lose their quotes, heredoc bodies keep them

class Expander {
 public:
  Expander(std::string_view word, const Lookup& lookup, char escape, Quotes quotes)
      : word_(word), lookup_(lookup), escape_(escape), quotes_(quotes) {}

  std::string expand() { return expand_until('\0'); }

  // Words at unquoted blanks; a quoted blank stays.
  std::vector<std::string> expand_and_split() {
    splitting_ = true;
    std::string last = expand_until('\0');
    if (!last.empty() || quoted_) words_.push_back(std::move(last));
    return std::move(words_);
  }

 private:
  bool at_end() const { return at_ >= word_.size(); }
  char peek() const { return at_end() ? '\0' : word_[at_]; }

  std::string expand_until(char stop) {
    std::string result;
    while (!at_end() && (stop == '\0' || peek() != stop)) {
      const char c = word_[at_];
      if (quotes_ == Quotes::removed && c == '\'') {
        result += single_quoted();
      } else if (quotes_ == Quotes::removed && c == '"') {
        result += double_quoted();
      } else if (c == '$') {
        append_value(variable(), result, stop);
      } else if (c == escape_) {
        escaped(result);
      } else if (splitting_ && stop == '\0' && std::isspace(static_cast<unsigned char>(c))) {
        end_word(result);
        ++at_;
      } else {
        result += c;
        ++at_;
      }
    }
    return result;
  }

  void end_word(std::string& word) {
    if (!word.empty() || quoted_) words_.push_back(std::exchange(word, {}));
    quoted_ = false;
  }

  void append_value(const std::string& value, std::string& result, char stop) {
    if (!splitting_ || stop != '\0') {
      result += value;
      return;
    }
    for (const char c : value) {
      if (std::isspace(static_cast<unsigned char>(c))) {
        end_word(result);
      } else {
        result += c;
      }
    }
  }

  void escaped(std::string& result) {
    ++at_;
    if (at_end()) {
      if (quotes_ == Quotes::kept) result += escape_;
      return;
    }
    const char c = word_[at_++];
    if (quotes_ == Quotes::kept && c != '$') result += escape_;
    result += c;
  }

  std::string single_quoted() {
    quoted_ = true;
    const auto end = word_.find('\'', ++at_);
    if (end == std::string_view::npos) fail(word_, "unexpected end of statement while looking for matching single-quote");
    const std::string text(word_.substr(at_, end - at_));
    at_ = end + 1;
    return text;
  }

  std::string double_quoted() {
    quoted_ = true;
    ++at_;
    std::string text;
    while (true) {
      if (at_end()) fail(word_, "unexpected end of statement while looking for matching double-quote");
      const char c = word_[at_];
      if (c == '"') {
        ++at_;
        return text;
      }
      if (c == '$') {
        text += variable();
      } else if (c == escape_ && at_ + 1 < word_.size() &&
                 (word_[at_ + 1] == '"' || word_[at_ + 1] == '$' || word_[at_ + 1] == escape_)) {
        text += word_[at_ + 1];
        at_ += 2;
      } else {
        text += c;
        ++at_;
      }
    }
  }

  // At '$'.
  std::string variable() {
    if (++depth_ > deepest) fail(word_, "nested too deeply");
    ++at_;
    std::string value;
    if (peek() == '{') {
      ++at_;
      value = braced();
    } else {
      const std::string name = take_name();
      value = name.empty() ? "$" : lookup_(name).value_or("");
    }
    --depth_;
    return value;
  }

  // Letters, digits and '_'; a run of digits alone when it starts with one; one special character.
  std::string take_name() {
    std::string name;
    if (std::isdigit(static_cast<unsigned char>(peek()))) {
      while (!at_end() && std::isdigit(static_cast<unsigned char>(peek()))) name += word_[at_++];
      return name;
    }
    while (!at_end() && is_name_char(peek())) name += word_[at_++];
    if (name.empty() && std::string_view("@*#?-$!0").find(peek()) != std::string_view::npos && !at_end()) name += word_[at_++];
    return name;
  }

  // After "${".
  std::string braced() {
    if (peek() == '}' || peek() == '{' || peek() == ':') fail(word_, "bad substitution");
    const std::string name = take_name();
    if (name.empty()) fail(word_, "bad substitution");
    const std::optional<std::string> value = lookup_(name);
    if (at_end()) fail(word_, "syntax error: missing '}'");
    const char modifier = word_[at_++];
    switch (modifier) {
      case '}': return value.value_or("");
      case ':': {
        const char kind = peek();
        ++at_;
        if (kind != '-' && kind != '+' && kind != '?')
          fail(word_, fmt::format("unsupported modifier ({}) in substitution", std::string{':', kind}));
        return with_default(name, value && !value->empty() ? value : std::nullopt, kind);
      }
      case '-':
      case '+':
      case '?': return with_default(name, value, modifier);
      case '#':
      case '%': return trimmed(value.value_or(""), modifier);
      case '/': return replaced(value.value_or(""));
      default: fail(word_, fmt::format("unsupported modifier ({}) in substitution", modifier));
    }
  }

  std::string operand(char stop = '}') {
    const bool splitting = std::exchange(splitting_, false);
    std::string text = expand_until(stop);
    splitting_ = splitting;
    if (at_end()) fail(word_, fmt::format("syntax error: missing '{}'", stop));
    ++at_;
    return text;
  }

  std::string with_default(const std::string& name, const std::optional<std::string>& value, char kind) {
    const std::string word = operand();
    if (kind == '+') return value ? word : "";
    if (value) return *value;
    if (kind == '-') return word;
    fail(word_, fmt::format("{}: {}", name, word.empty() ? "is not allowed to be unset" : word));
  }

  std::string trimmed(const std::string& value, char side) {
    const bool longest = peek() == side;
    if (longest) ++at_;
    const Pattern pattern(raw_operand('}'));
    return side == '#' ? pattern.drop_prefix(value, longest) : pattern.drop_suffix(value, longest);
  }

  std::string replaced(const std::string& value) {
    const bool all = peek() == '/';
    if (all) ++at_;
    const Pattern pattern(raw_operand('/'));
    return pattern.replace(value, operand(), all);
  }

  // A pattern: variables are expanded, backslashes stay for the pattern to read.
  std::string raw_operand(char stop) {
    std::string text;
    while (!at_end() && peek() != stop) {
      if (peek() == '$') {
        text += variable();
      } else if (peek() == '\\' && at_ + 1 < word_.size()) {
        text += word_[at_];
        text += word_[at_ + 1];
        at_ += 2;
      } else {
        text += word_[at_++];
      }
    }
    if (at_end()) fail(word_, fmt::format("syntax error: missing '{}'", stop));
    ++at_;
    return text;
  }

  std::string_view word_;
  const Lookup& lookup_;
  char escape_;
  Quotes quotes_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool splitting_ = false;
  bool quoted_ = false;
  std::vector<std::string> words_;
};

}  // namespace

std::string expand_word(std::string_view word, const Lookup& lookup, char escape) {
  return Expander(word, lookup, escape, Quotes::removed).expand();
}

std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, char escape) {
  return Expander(word, lookup, escape, Quotes::removed).expand_and_split();
}

std::string expand_heredoc(std::string_view body, const Lookup& lookup, char escape) {
  return Expander(body, lookup, escape, Quotes::kept).expand();
}

}  // namespace kiln::engine::dockerfile
