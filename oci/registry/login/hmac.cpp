#include "oci/registry/login/hmac.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace kiln::oci {

std::string hmac_sha256(const std::string& key, const std::string& text) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       bytes, &size);
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace kiln::oci
