#include "engine/plan/print.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kiln::engine {
namespace {

constexpr std::string_view source = R"(ARG VERSION=1
FROM base:${VERSION} AS build
ARG VERSION
RUN --mount=type=cache,target=/c --mount=type=bind,from=tools,target=/t,ro make \
    all
ADD https://files.example/a-${VERSION}.tgz https://git.example/b.git#main /src/
FROM unused AS docs
FROM scratch
COPY <<A /x
one
A
COPY --from=build --link --exclude=*.o /src /src
COPY --from=base:1 /etc /etc
)";

class PrintPlan : public ::testing::Test {
 protected:
  PrintPlan() {
    PlanOptions options;
    options.platform = options.build_platform = oci::parse_platform("linux/amd64");
    options.named_contexts["tools"] = "https://git.example/tools.git";
    plan_ = make_plan(dockerfile::parse_dockerfile(source, "Dockerfile"), "Dockerfile", options);
    fetches_ = find_fetches(plan_, "Dockerfile");
  }
  Plan plan_;
  Fetches fetches_;
};

TEST_F(PrintPlan, AsText) {
  EXPECT_EQ(print_plan(plan_, fetches_), R"(stage build from docker.io/library/base:1 for linux/amd64
     3  ARG VERSION
     4  RUN --mount=type=cache,target=/c --mount=type=bind,from=tools,target=/t,ro make     all
     6  ADD https://files.example/a-${VERSION}.tgz https://git.example/b.git#main /src/
target stage stage-2 from scratch
        copies from stage build
     9  COPY <<A /x
        one
        A
    12  COPY --from=build --link --exclude=*.o /src /src
    13  COPY --from=base:1 /etc /etc
not built: docs
fetched:
  image docker.io/library/base:1 for linux/amd64 (lines 2, 13)
  git https://git.example/tools.git (line 4)
  url https://files.example/a-1.tgz (line 6)
  git https://git.example/b.git#main (line 6)
)");
}

TEST_F(PrintPlan, AsJson) {
  const auto document = nlohmann::json::parse(print_plan_json(plan_, fetches_, "Dockerfile"));
  EXPECT_EQ(document["target"], "stage-2");
  EXPECT_EQ(document["stages"][1]["built"], false);
  EXPECT_EQ(document["stages"][2]["copiesFrom"][0], "build");
  EXPECT_EQ(document["stages"][0]["instructions"][1]["lastLine"], 5);
  EXPECT_EQ(document["stages"][0]["instructions"][1]["parsed"], nlohmann::json::parse(R"({"shell": "make     all",
    "mounts": [{"type": "cache", "target": "/c"}, {"type": "bind", "from": "tools", "target": "/t", "ro": true}]})"));
  EXPECT_EQ(document["stages"][2]["instructions"][1]["parsed"], nlohmann::json::parse(R"({"sources": ["/src"],
    "destination": "/src", "from": "build", "excludes": ["*.o"], "link": true})"));
  EXPECT_EQ(document["fetches"][0]["lines"], nlohmann::json({2, 13}));
  EXPECT_TRUE(document["notes"].empty());
}

// What only the base can tell is no error; what is wrong whatever the base says is one.
TEST(FindFetches, UnknownBases) {
  const auto fetches_of = [](std::string_view text) {
    const Plan plan = make_plan(dockerfile::parse_dockerfile(text, "D"), "D", {});
    return find_fetches(plan, "D");
  };
  EXPECT_EQ(fetches_of("FROM a\nENV B=${JAVA_HOME:?unset}\n").notes.size(), 1U);
  EXPECT_THROW(fetches_of("FROM scratch\nENV B=${JAVA_HOME:?unset}\n"), io::Error);
}

}  // namespace
}  // namespace kiln::engine
