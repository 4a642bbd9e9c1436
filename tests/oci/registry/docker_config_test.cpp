#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "oci/registry/credentials.hpp"
#include "oci/registry/login/base64.hpp"
#include "oci/registry/session.hpp"

namespace kiln::oci {
namespace {

std::string error_of(std::string_view json) {
  try {
    parse_docker_config(json, "the file");
  } catch (const io::Error& error) {
    EXPECT_EQ(error.kind(), io::ErrorKind::usage);
    return error.message();
  }
  return "";
}

TEST(DockerConfig, Logins) {
  const DockerConfig config = parse_docker_config(
      R"({"auths":{"a":{"auth":"dXNlcjpwYTpzcw=="},"b":{"username":"u","password":"p"}},"credHelpers":{"c":"d"},"credsStore":"e"})",
      "it");
  EXPECT_EQ(config.auths.at("a").username, "user");
  EXPECT_EQ(config.auths.at("a").password, "pa:ss");
  EXPECT_EQ(config.auths.at("b").password, "p");
  EXPECT_EQ(config.credential_helpers.at("c"), "d");
  EXPECT_EQ(config.credentials_store, "e");
}

TEST(DockerConfig, WhatIsWrongIsNamed) {
  EXPECT_EQ(error_of(R"({"auths":{"a":{"auth":"===="}}})"),
            "reading registry logins from the file: the 'auth' of 'a' is not base64");
  EXPECT_EQ(error_of(R"({"auths":{"a":{"auth":"dXNlcg=="}}})"),
            "reading registry logins from the file: the 'auth' of 'a' is not user:password");
  for (const char* json : {"", "[]", "{", R"({"auths":{"a":{"auth":1}}})", R"({"credHelpers":[1]})"}) {
    EXPECT_NE(error_of(json), "") << json;
  }
}

TEST(Base64, OnlyWhatIsIt) {
  EXPECT_EQ(base64_decode("YQ==", "it"), "a");
  EXPECT_EQ(base64_decode("YW\nI=\n", "it"), "ab");
  EXPECT_EQ(base64_decode("", "it"), "");
  for (const char* text : {"=", "==", "====", "YQ=", "Y===", "YQ==YQ==", "Y=Q=", "Y", "$$$$"}) {
    EXPECT_THROW(base64_decode(text, "it"), io::Error) << text;
  }
}

TEST(Challenge, Parameters) {
  const Challenge challenge = parse_challenge(R"(Bearer realm="https://a/b?c=d,e",service="x\"y", scope=s:t:u)");
  EXPECT_EQ(challenge.scheme, "bearer");
  EXPECT_EQ(challenge.parameters.at("realm"), "https://a/b?c=d,e");
  EXPECT_EQ(challenge.parameters.at("service"), "x\"y");
  EXPECT_EQ(challenge.parameters.at("scope"), "s:t:u");
}

}  // namespace
}  // namespace kiln::oci
