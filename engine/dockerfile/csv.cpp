#include "engine/dockerfile/csv.hpp"

#include <fmt/format.h>

#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

[[noreturn]] void fail_csv(std::size_t at, std::string_view what) {
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("parse error on line 1, column {}: {}", at + 1, what));
}

// At an opening quote; leaves `at` behind the closing one.
std::string take_quoted(std::string_view text, std::size_t& at) {
  std::string field;
  for (++at; at < text.size(); ++at) {
    if (text[at] != '"') {
      field += text[at];
    } else if (at + 1 < text.size() && text[at + 1] == '"') {
      field += text[at++];
    } else {
      ++at;
      if (at < text.size() && text[at] != ',' && text[at] != '\n') fail_csv(at - 1, "extraneous or missing \" in quoted-field");
      return field;
    }
  }
  fail_csv(text.size(), "extraneous or missing \" in quoted-field");
}

}  // namespace

std::vector<std::string> parse_csv_record(std::string_view text) {
  std::vector<std::string> fields;
  if (text.empty()) return fields;
  for (std::size_t at = 0;;) {
    std::string field;
    if (at < text.size() && text[at] == '"') {
      field = take_quoted(text, at);
    } else {
      for (; at < text.size() && text[at] != ',' && text[at] != '\n'; ++at) {
        if (text[at] == '"') fail_csv(at, "bare \" in non-quoted field");
        field += text[at];
      }
    }
    fields.push_back(std::move(field));
    if (at >= text.size() || text[at] == '\n') return fields;
    ++at;
  }
}

std::vector<CsvField> parse_csv_fields(std::string_view text) {
  std::vector<CsvField> fields;
  for (auto& record : parse_csv_record(text)) {
    CsvField field;
    const auto equals = record.find('=');
    field.key = lower(std::string_view(record).substr(0, equals));
    if (equals != std::string::npos) field.value = record.substr(equals + 1);
    field.text = std::move(record);
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace kiln::engine::dockerfile
