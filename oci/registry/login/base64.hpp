// Base64 (RFC 4648).
#pragma once

#include <string>
#include <string_view>

namespace kiln::oci {

// Blanks are skipped. Throws io::Error(usage) "WHAT is not base64".
std::string base64_decode(std::string text, std::string_view what);

// Section 4.
std::string base64(std::string_view bytes);

// Section 5, without padding, as JWTs have it.
std::string base64_url(std::string_view bytes);

}  // namespace kiln::oci
