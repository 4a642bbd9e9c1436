// One record of comma-separated values, as Go's encoding/csv reads it: the form of --mount, and of flags like --output.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine::dockerfile {

// The fields of the first record in `text`; quotes only at a field's beginning, "" inside them for one quote.
// Errors: io::Error(dockerfile) for a quote in the middle of a field and for text after a closing quote, with the column.
std::vector<std::string> parse_csv_record(std::string_view text);

// A field that is read as KEY=VALUE.
struct CsvField {
  std::string key;                   // lower case
  std::optional<std::string> value;  // nothing: there is no '='
  std::string text;                  // the whole field
};
// Errors: as above.
std::vector<CsvField> parse_csv_fields(std::string_view text);

}  // namespace kiln::engine::dockerfile
