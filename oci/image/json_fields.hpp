// Reading fields of foreign JSON documents: absent or null is a default, another type is an error that names the field.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci/image/manifest.hpp"

namespace kiln::oci {

// Parses; errors are io::Error(protocol) naming `what`.
Json parse_json_object(std::string_view text, std::string_view what);

const Json* member(const Json& object, const char* name);  // null when absent or JSON null
std::string text_field(const Json& object, const char* name);
std::uint64_t size_field(const Json& object, const char* name);
std::int64_t integer_field(const Json& object, const char* name);
std::vector<std::string> text_list_field(const Json& object, const char* name);
std::map<std::string, std::string> text_map_field(const Json& object, const char* name);

// As Go's encoding/json writes it: no spaces, and <, >, & and the two Unicode line ends as \uXXXX.
std::string dump_like_go(const Json& document);

}  // namespace kiln::oci
