#include "oci/image/json_fields.hpp"

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

namespace {

[[noreturn]] void wrong_type(const char* name, std::string_view wanted) {
  throw io::Error(io::ErrorKind::protocol, fmt::format("field '{}' is not {}", name, wanted));
}

}  // namespace

Json parse_json_object(std::string_view text, std::string_view what) {
  // A document nested this deep is an attack on the parser's stack.
  constexpr int deepest = 100;
  const auto limit_depth = [](int depth, Json::parse_event_t, Json&) {
    if (depth > deepest) throw io::Error(io::ErrorKind::protocol, "nested too deeply");
    return true;
  };
  Json document;
  try {
    document = Json::parse(text, limit_depth);
  } catch (const Json::exception& error) {
    throw io::Error(io::ErrorKind::protocol, fmt::format("{} is not JSON: {}", what, error.what()));
  } catch (io::Error& error) {
    throw error.add_context(what);
  }
  if (!document.is_object()) throw io::Error(io::ErrorKind::protocol, fmt::format("{} is not a JSON object", what));
  return document;
}

const Json* member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_field(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (!value) return {};
  if (!value->is_string()) wrong_type(name, "a string");
  return value->get<std::string>();
}

std::uint64_t size_field(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (!value) return 0;
  if (!value->is_number_unsigned()) wrong_type(name, "a size");
  return value->get<std::uint64_t>();
}

std::int64_t integer_field(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (!value) return 0;
  if (!value->is_number_integer()) wrong_type(name, "an integer");
  return value->get<std::int64_t>();
}

std::vector<std::string> text_list_field(const Json& object, const char* name) {
  std::vector<std::string> list;
  const Json* value = member(object, name);
  if (!value) return list;
  if (!value->is_array()) wrong_type(name, "a list");
  for (const auto& item : *value) {
    if (!item.is_string()) wrong_type(name, "a list of strings");
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::map<std::string, std::string> text_map_field(const Json& object, const char* name) {
  std::map<std::string, std::string> map;
  const Json* value = member(object, name);
  if (!value) return map;
  if (!value->is_object()) wrong_type(name, "an object");
  for (const auto& [key, item] : value->items()) {
    if (!item.is_string()) wrong_type(name, "an object of strings");
    map[key] = item.get<std::string>();
  }
  return map;
}

std::string dump_like_go(const Json& document) {
  const std::string plain = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string escaped;
  escaped.reserve(plain.size());
  for (std::size_t at = 0; at < plain.size(); ++at) {
    const char c = plain[at];
    // U+2028 and U+2029.
    if (c == '\xe2' && plain[at + 1] == '\x80' && (plain[at + 2] == '\xa8' || plain[at + 2] == '\xa9')) {
      escaped += plain[at + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      at += 2;
      continue;
    }
    switch (c) {
      case '<': escaped += "\\u003c"; break;
      case '>': escaped += "\\u003e"; break;
      case '&': escaped += "\\u0026"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

}  // namespace kiln::oci
