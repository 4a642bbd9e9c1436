// AWS Signature Version 4 (AWS General Reference, Signing AWS API requests).
#pragma once

#include <ctime>
#include <string>

#include "io/http/client.hpp"

namespace kiln::oci {

struct AwsKeys {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: none
};

// Adds X-Amz-Date, X-Amz-Security-Token and Authorization. `body`: the request's bytes. Signed are Host and all headers that
// the request has so far.
void sign_aws(io::http::Request& request, const std::string& body, const std::string& region, const std::string& service,
              const AwsKeys& keys, std::time_t now);

}  // namespace kiln::oci
