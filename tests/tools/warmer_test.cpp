#include "tools/command/warmer.hpp"

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::tools {
namespace {

std::string error_of(const std::vector<std::string>& arguments) {
  try {
    parse_warmer(arguments);
  } catch (const io::Error& error) {
    return error.message();
  }
  return "";
}

TEST(Warmer, KanikosSyntax) {
  const auto command = parse_warmer({"-i",
                                     "busybox",
                                     "--image=host:5000/a/b:1",
                                     "-c",
                                     "/somewhere/",
                                     "-f",
                                     "--cache-ttl",
                                     "6h",
                                     "--customPlatform=linux/arm64",
                                     "--insecure-pull",
                                     "--skip-tls-verify-pull",
                                     "--registry-mirror",
                                     "mirror",
                                     "--registry-map",
                                     "quay.io=m/p",
                                     "--registry-certificate",
                                     "h=/ca.pem",
                                     "--insecure-registry",
                                     "i",
                                     "--log-timestamp",
                                     "-v",
                                     "debug"});
  const engine::WarmRequest& request = command.request;
  ASSERT_EQ(request.images.size(), 2u);
  EXPECT_EQ(request.images[0].reference.text(), "docker.io/library/busybox:latest");
  EXPECT_EQ(request.images[1].platform.text(), "linux/arm64");
  EXPECT_EQ(request.directory, "/somewhere/");
  EXPECT_TRUE(request.force);
  EXPECT_EQ(request.ttl, std::chrono::hours(6));
  EXPECT_TRUE(request.registries.insecure_pull);
  EXPECT_TRUE(request.registries.skip_tls_verify_pull);
  EXPECT_EQ(request.registries.mirrors.at("quay.io"), std::vector<std::string>{"m/p"});
  EXPECT_EQ(request.registries.mirrors.at("index.docker.io"), std::vector<std::string>{"mirror"});
  EXPECT_EQ(command.log.level, "debug");
  EXPECT_TRUE(command.log.timestamps);
}

TEST(Warmer, Errors) {
  EXPECT_EQ(error_of({}), "the warmer wants at least one --image, or a --dockerfile");
  EXPECT_NE(error_of({"--imagee", "x"}).find("--image"), std::string::npos);
  EXPECT_NE(error_of({"-i", "UPPER"}).find("UPPER"), std::string::npos);
  EXPECT_NE(error_of({"-i", "a", "--cache-ttl", "long"}).find("--cache-ttl=long"), std::string::npos);
  EXPECT_NE(error_of({"-i", "a", "b"}).find("unexpected argument 'b'"), std::string::npos);
}

TEST(Warmer, ImagesOfADockerfile) {
  auto command = parse_warmer({"-d", "Dockerfile", "--build-arg", "VERSION=2", "--custom-platform", "linux/arm64"});
  const auto images = images_of(R"(ARG VERSION=1
FROM first:$VERSION AS a
FROM --platform=linux/amd64 second
FROM a
COPY --from=third /x /y
RUN --mount=from=a,target=/a true
FROM scratch
)",
                                command);
  ASSERT_EQ(images.size(), 3u);
  EXPECT_EQ(images[0].reference.familiar(), "first:2");
  EXPECT_EQ(images[0].platform.text(), "linux/arm64");
  EXPECT_EQ(images[1].reference.familiar(), "second:latest");
  EXPECT_EQ(images[1].platform.text(), "linux/amd64");
  EXPECT_EQ(images[2].reference.familiar(), "third:latest");
}

}  // namespace
}  // namespace kiln::tools
