#include "oci/registry/login/aws_signature.hpp"

#include <gtest/gtest.h>

namespace kiln::oci {
namespace {

// Case "get-vanilla" of AWS's test suite for Signature Version 4.
TEST(AwsSignature, GetVanilla) {
  io::http::Request request;
  request.url = io::http::parse_url("https://example.amazonaws.com/");
  const AwsKeys keys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
  sign_aws(request, "", "us-east-1", "service", keys, 1440938160);
  EXPECT_EQ(request.headers.get("X-Amz-Date"), "20150830T123600Z");
  EXPECT_EQ(request.headers.get("Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_FALSE(request.headers.get("X-Amz-Security-Token"));
}

}  // namespace
}  // namespace kiln::oci
