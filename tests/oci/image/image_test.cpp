#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "oci/image/config.hpp"
#include "oci/image/manifest.hpp"
#include "oci/image/reference.hpp"

namespace kiln::oci {
namespace {

TEST(Reference, NormalForm) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"debian", "docker.io/library/debian:latest"}, {"debian:12", "docker.io/library/debian:12"},
      {"user/app", "docker.io/user/app:latest"},     {"index.docker.io/library/x:y", "docker.io/library/x:y"},
      {"localhost/x", "localhost/x:latest"},         {"localhost:5000/a/b:c", "localhost:5000/a/b:c"},
      {"[::1]:5000/a", "[::1]:5000/a:latest"},       {"h.io/a@" + digest, "h.io/a@" + digest},
      {"h.io/a:t@" + digest, "h.io/a:t@" + digest},  {"a__b/c-d.e", "docker.io/a__b/c-d.e:latest"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_reference(text).text(), expected) << text;
  EXPECT_EQ(parse_reference("debian:12").familiar(), "debian:12");
  for (const char* bad : {"", "upper/Case", "a//b", "a:", "a:-x", "a@sha256:short", "a/", "-a", "a..b/c", "h.io/"}) {
    EXPECT_THROW(parse_reference(bad), io::Error) << bad;
  }
}

TEST(Platform, Normalised) {
  EXPECT_EQ(parse_platform("linux/x86_64").text(), "linux/amd64");
  EXPECT_EQ(parse_platform("linux/arm64/v8").text(), "linux/arm64");
  EXPECT_EQ(parse_platform("linux/arm").text(), "linux/arm/v7");
  EXPECT_THROW(parse_platform("a/b/c/d"), io::Error);
}

TEST(Manifest, ParsesAndRefuses) {
  const std::string digest = "sha256:" + std::string(64, '1');
  const std::string text =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"c","digest":")" +
      digest + R"(","size":3},"layers":[{"mediaType":"l","digest":")" + digest + R"(","size":4}]})";
  const Manifest manifest = parse_manifest(text, "");
  EXPECT_EQ(manifest.format, ImageFormat::oci);
  EXPECT_EQ(manifest.layers.at(0).size, 4U);
  EXPECT_EQ(serialize(manifest), text);
  for (const char* bad :
       {"", "[]", "{}", R"({"config":{},"layers":[]})", R"({"config":{"digest":"sha256:x","size":-1},"layers":[]})"}) {
    EXPECT_THROW(parse_manifest(bad, ""), io::Error) << bad;
  }
  EXPECT_THROW(parse_manifest(std::string(100'000, '['), ""), io::Error);
}

TEST(Index, ChoosesThePlatform) {
  Index index;
  for (const char* platform : {"linux/amd64", "linux/arm/v6", "linux/arm64"}) {
    Descriptor entry;
    entry.media_type = platform;
    entry.platform = parse_platform(platform);
    index.manifests.push_back(entry);
  }
  EXPECT_EQ(choose(index, parse_platform("linux/arm/v7")).media_type, "linux/arm/v6");
  EXPECT_EQ(choose(index, parse_platform("linux/amd64")).media_type, "linux/amd64");
  EXPECT_THROW(choose(index, parse_platform("linux/s390x")), io::Error);
}

TEST(Config, RoundTripKeepsWhatItDoesNotKnow) {
  const std::string text =
      R"({"architecture":"amd64","config":{"Env":["A=1"],"Cmd":["x"],"WorkingDir":"/","Labels":{"a":"\u003cb\u003e"},"Odd":1},"created":"2024-01-01T00:00:00Z","history":[{"created":"2024-01-01T00:00:00Z","created_by":"x \u0026\u0026 y","empty_layer":true}],"more":[1],"os":"linux","rootfs":{"type":"layers","diff_ids":[]}})";
  EXPECT_EQ(serialize(parse_config(text)), text);
  ImageConfig config = parse_config(text);
  config.set_env("A", "2");
  config.set_env("B", "3");
  EXPECT_EQ(config.env, (std::vector<std::string>{"A=2", "B=3"}));
  EXPECT_FALSE(config.env_value("C"));
}

TEST(Time, AsGoPrintsIt) {
  const auto time = parse_rfc3339("2024-05-06T07:08:09.120Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_rfc3339(*time), "2024-05-06T07:08:09.12Z");
  EXPECT_EQ(format_rfc3339(*parse_rfc3339("2024-05-06T09:08:09+02:00")), "2024-05-06T07:08:09Z");
  EXPECT_FALSE(parse_rfc3339("yesterday"));
}

}  // namespace
}  // namespace kiln::oci
