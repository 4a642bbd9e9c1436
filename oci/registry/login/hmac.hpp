// HMAC-SHA-256 (RFC 2104), with which clouds have requests signed.
#pragma once

#include <string>

namespace kiln::oci {

// Key and result are bytes.
std::string hmac_sha256(const std::string& key, const std::string& text);

}  // namespace kiln::oci
