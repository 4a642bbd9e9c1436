#include "engine/plan/epoch.hpp"

#include <gtest/gtest.h>

#include "engine/plan/plan.hpp"

namespace kiln::engine {
namespace {

Plan plan_of(const std::string& text, PlanOptions options = {}) {
  options.platform = options.build_platform = oci::parse_platform("linux/amd64");
  return make_plan(dockerfile::parse_dockerfile(text, "D"), "D", std::move(options));
}

std::string error_of(const std::string& text) {
  try {
    plan_of(text);
  } catch (const io::Error& error) {
    return error.message().substr(0, error.message().find('\n'));
  }
  return "";
}

PlanOptions with_argument(const std::string& value) {
  PlanOptions options;
  options.build_args["SOURCE_DATE_EPOCH"] = value;
  return options;
}

constexpr const char* global = "ARG SOURCE_DATE_EPOCH=";

TEST(Epoch, Seconds) {
  EXPECT_EQ(plan_of("FROM scratch").source_date_epoch, std::nullopt);
  EXPECT_EQ(plan_of("FROM scratch", with_argument("7")).source_date_epoch, 7);
  EXPECT_EQ(plan_of("FROM scratch", with_argument("-7")).source_date_epoch, -7);
  EXPECT_EQ(plan_of(std::string(global) + "8\nFROM scratch").source_date_epoch, 8);
  EXPECT_EQ(plan_of(std::string(global) + "8\nFROM scratch", with_argument("9")).source_date_epoch, 9);
  EXPECT_EQ(plan_of(std::string(global) + "8\nFROM scratch", with_argument("")).source_date_epoch, std::nullopt);
  EXPECT_EQ(plan_of("FROM scratch\nARG SOURCE_DATE_EPOCH=8").source_date_epoch, std::nullopt);
}

TEST(Epoch, WhatHasATime) {
  const Plan context = plan_of(std::string(global) + "context\nFROM scratch");
  EXPECT_TRUE(context.epoch.named());
  EXPECT_TRUE(context.epoch.build_context);
  EXPECT_EQ(context.source_date_epoch, std::nullopt);

  PlanOptions named = with_argument("Src");
  named.named_contexts["src"] = "https://example.com/a.git#main";
  EXPECT_EQ(plan_of("FROM scratch", named).epoch.place, "https://example.com/a.git#main");
  named.named_contexts["src"] = "/a/directory";
  EXPECT_TRUE(plan_of("FROM scratch", named).epoch.named());
  EXPECT_EQ(plan_of("FROM scratch", named).epoch.place, "");

  const Plan stage = plan_of(
      "ARG V=1\nARG SOURCE_DATE_EPOCH=SRC\nFROM scratch AS src\nARG W=${V}x X\nADD --checksum=sha256:$W https://a/b-$W.tgz "
      "/\nFROM scratch");
  EXPECT_EQ(stage.epoch.place, "https://a/b-1x.tgz");
  EXPECT_EQ(stage.epoch.checksum, "sha256:1x");
  EXPECT_EQ(stage.epoch.line, 5);
}

TEST(Epoch, WhatIsLookedUpTakesThePlaceOfTheName) {
  PlanOptions options;
  options.looked_up_epoch = LookedUpEpoch{5};
  const Plan plan = plan_of(std::string(global) + "context\nFROM scratch", options);
  EXPECT_EQ(plan.source_date_epoch, 5);
  EXPECT_EQ(plan.global_args.at("SOURCE_DATE_EPOCH"), "5");
  options = with_argument("context");
  options.looked_up_epoch = LookedUpEpoch{};
  const Plan without = plan_of(std::string(global) + "6\nFROM scratch", options);
  EXPECT_EQ(without.source_date_epoch, std::nullopt);
  EXPECT_EQ(without.options.build_args.at("SOURCE_DATE_EPOCH"), "");
  options = with_argument("5");
  options.looked_up_epoch = LookedUpEpoch{6};
  EXPECT_EQ(plan_of("FROM scratch", options).source_date_epoch, 5);
}

TEST(Epoch, Refusals) {
  const std::string named = std::string(global) + "s\n";
  const std::string only = "SOURCE_DATE_EPOCH stage must contain exactly one remote ADD";
  EXPECT_EQ(
      error_of(std::string(global) + "x\nFROM scratch"),
      "invalid SOURCE_DATE_EPOCH: x: it is seconds, \"context\", a named context, or a stage that only adds one repository or URL");
  EXPECT_NE(error_of(named + "FROM a AS s\nADD https://a/b /").find("SOURCE_DATE_EPOCH stage must use FROM scratch"),
            std::string::npos);
  EXPECT_NE(error_of(named + "FROM scratch AS s").find(only), std::string::npos);
  EXPECT_NE(error_of(named + "FROM scratch AS s\nADD https://a/b /\nADD https://a/c /").find(only), std::string::npos);
  EXPECT_NE(error_of(named + "FROM scratch AS s\nADD https://a/b https://a/c /").find(only + " source"), std::string::npos);
  EXPECT_NE(error_of(named + "FROM scratch AS s\nADD b /").find("source must be a single HTTP(S) or Git ADD"), std::string::npos);
  EXPECT_NE(error_of(named + "FROM scratch AS s\nCOPY b /").find("unsupported COPY instruction"), std::string::npos);
}

}  // namespace
}  // namespace kiln::engine
