#include "engine/dockerfile/heredoc.hpp"

#include <algorithm>
#include <cctype>

#include "engine/dockerfile/expand.hpp"
#include "engine/dockerfile/text.hpp"

namespace kiln::engine::dockerfile {

namespace {

std::vector<std::string> words_of(std::string_view text, Lexing lexing) {
  try {
    return lex_words(text, lexing);
  } catch (const io::Error&) {
    return {};
  }
}

std::ptrdiff_t quotes_in(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return c == '\'' || c == '"'; });
}

}  // namespace

std::optional<Heredoc> parse_heredoc_marker(std::string_view word) {
  Heredoc heredoc;
  while (!word.empty() && std::isdigit(static_cast<unsigned char>(word.front()))) {
    if (heredoc.file_descriptor < 1'000'000) heredoc.file_descriptor = heredoc.file_descriptor * 10 + (word.front() - '0');
    word.remove_prefix(1);
  }
  if (!word.starts_with("<<")) return std::nullopt;
  word.remove_prefix(2);
  heredoc.strip_tabs = word.starts_with('-');
  if (heredoc.strip_tabs) word.remove_prefix(1);
  word = trim_left(word);
  if (word.empty() || word.find('<') != std::string_view::npos) return std::nullopt;
  const auto plain = words_of(word, {});
  if (plain.size() != 1) return std::nullopt;
  heredoc.name = plain.front();
  const auto as_quoted = words_of(word, {.keep_quotes = true});
  heredoc.expand = as_quoted.size() == 1 && quotes_in(as_quoted.front()) == quotes_in(heredoc.name);
  return heredoc;
}

std::vector<Heredoc> find_heredocs(std::string_view line) {
  std::vector<Heredoc> heredocs;
  if (line.find("<<") == std::string_view::npos) return heredocs;
  for (const auto& word : words_of(line, {.keep_quotes = true, .keep_escapes = true})) {
    if (auto heredoc = parse_heredoc_marker(word)) heredocs.push_back(std::move(*heredoc));
  }
  return heredocs;
}

std::string without_leading_tabs(std::string_view body) {
  std::string text;
  bool at_start = true;
  for (const char c : body) {
    if (at_start && c == '\t') continue;
    text += c;
    at_start = c == '\n';
  }
  return text;
}

}  // namespace kiln::engine::dockerfile
