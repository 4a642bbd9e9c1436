#include "engine/cache/explain.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/cache/input_record.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

StepInputs run_inputs(const std::string& key, const std::string& text, const std::vector<std::string>& environment) {
  RunStep run;
  run.arguments = {"/bin/sh", "-c", text};
  run.environment = environment;
  Step step;
  step.action = std::move(run);
  step.text = "RUN " + text;
  StepInputs inputs;
  inputs.key = key;
  add_parts(inputs, step);
  return inputs;
}

StepInputs copy_inputs(const std::string& key, const FileHashes& files) {
  CopyStep copy;
  copy.sources = {"."};
  copy.destination = "/";
  Step step;
  step.action = std::move(copy);
  step.text = "COPY . /";
  StepInputs inputs;
  inputs.key = key;
  add_parts(inputs, step);
  inputs.hashes = files;
  spell_files(inputs);
  return inputs;
}

MissedStep explained(const StepInputs& now, const std::vector<StepInputs>& known) {
  MissedStep missed;
  missed.step = now.step;
  explain(missed, now, known);
  return missed;
}

TEST(Explain, NamesTheVariable) {
  const MissedStep missed = explained(run_inputs("b", "make", {"A=1", "B=2"}), {run_inputs("a", "make", {"A=1", "B=1", "C=3"})});
  EXPECT_EQ(missed.reason, MissReason::changed);
  EXPECT_EQ(missed.nearest, "a");
  EXPECT_EQ(describe(missed), "RUN make: variable B changed, variable C is gone");
}

TEST(Explain, TellsNothingOfProxiesAndNoValues) {
  const StepInputs inputs = run_inputs("a", "make", {"https_proxy=http://user:password@proxy", "TOKEN=hunter2"});
  for (const auto& [part, value] : inputs.parts) {
    EXPECT_EQ(part.name.find("proxy"), std::string::npos);
    EXPECT_EQ(value.find("hunter2"), std::string::npos);
  }
}

TEST(Explain, NamesFiles) {
  const StepInputs then = copy_inputs("a", {{"dir/one", 'f', 0644, 1}, {"dir/two", 'f', 0644, 2}, {"gone", 'f', 0644, 3}});
  const StepInputs now = copy_inputs("b", {{"dir/one", 'f', 0755, 1}, {"dir/two", 'f', 0644, 5}, {"new", 'f', 0644, 3}});
  const MissedStep missed = explained(now, {then});
  EXPECT_EQ(describe(missed, 4), "COPY . /: the mode of dir/one changed, dir/two changed, gone is gone, new is new");
  EXPECT_EQ(describe(missed, 1), "COPY . /: the mode of dir/one changed, and 3 more");
}

TEST(Explain, TakesTheNearestOfSeveral) {
  const MissedStep missed = explained(run_inputs("c", "make", {"A=1", "B=2"}),
                                      {run_inputs("a", "make", {"A=5", "B=6"}), run_inputs("b", "make", {"A=1", "B=3"})});
  EXPECT_EQ(missed.nearest, "b");
}

TEST(Explain, WhatFollowsFromAnEarlierStep) {
  StepInputs then = run_inputs("a", "make", {});
  StepInputs now = run_inputs("b", "make", {});
  then.parts[{"before", ""}] = "1";
  now.parts[{"before", ""}] = "2";
  EXPECT_EQ(explained(now, {then}).reason, MissReason::earlier);
  then.parts[{"stage", "build"}] = "3";
  now.parts[{"stage", "build"}] = "4";
  EXPECT_EQ(explained(now, {then}).reason, MissReason::source);
}

TEST(Explain, AnEntryThatIsGone) {
  const StepInputs inputs = run_inputs("a", "make", {});
  EXPECT_EQ(explained(inputs, {inputs}).reason, MissReason::gone);
}

TEST(Explain, AnotherStepIsNoNearEntry) {
  const MissedStep missed = explained(run_inputs("b", "make", {"A=1"}), {run_inputs("a", "apt-get update", {"B=1", "C=2", "D=1"})});
  EXPECT_EQ(missed.reason, MissReason::unknown);
  EXPECT_EQ(explained(run_inputs("b", "make", {}), {copy_inputs("a", {})}).reason, MissReason::unknown);
}

TEST(InputRecord, ComesBack) {
  StepInputs inputs = copy_inputs("key", {{"dir/one", 'f', 0644, 0xabcdef}, {"l", 'l', 0777, 2}});
  inputs.parts[{"base", ""}] = "busybox@123";
  const std::vector<StepInputs> back = unpack_record(pack_record({inputs}, 1));
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].key, "key");
  EXPECT_EQ(back[0].step, inputs.step);
  EXPECT_EQ(back[0].parts, inputs.parts);
  EXPECT_EQ(back[0].files, inputs.files);
  EXPECT_FALSE(back[0].grouped);
}

FileHashes many_files(std::uint32_t changed) {
  FileHashes files;
  for (std::uint32_t i = 0; i < 40'000; ++i) {
    const std::uint32_t hash = i * 2'654'435'761U;
    files.push_back({fmt::format("src/module{}/part{}/file{}.c", i / 1000, i / 100, i), 'f', 0644, i == changed ? ~hash : hash});
  }
  return files;
}

TEST(InputRecord, OfManyFilesTellsDirectories) {
  const std::string bytes = pack_record({copy_inputs("a", many_files(40'000)), copy_inputs("old", many_files(5))}, 1);
  EXPECT_LE(bytes.size(), largest_record);
  const std::vector<StepInputs> known = unpack_record(bytes);
  ASSERT_EQ(known.size(), 1U);
  const MissedStep missed = explained(copy_inputs("b", many_files(12'345)), known);
  EXPECT_EQ(missed.differences.size(), 1U);
  EXPECT_EQ(describe(missed), "COPY . /: src/module12/part123/ changed");
}

TEST(InputRecord, GroupingTwiceIsGroupingOnce) {
  StepInputs once = copy_inputs("a", many_files(0));
  StepInputs twice = once;
  group_files(once, 1);
  group_files(twice, 3);
  group_files(twice, 1);
  EXPECT_EQ(once.files, twice.files);
  group_files(once, 0);
  EXPECT_EQ(once.files.size(), 1U);
}

TEST(InputRecord, KeepsToAnyLimit) {
  EXPECT_LE(pack_record({copy_inputs("a", many_files(0))}, 1, 2000).size(), 2000U);
  EXPECT_LE(pack_record({copy_inputs("a", many_files(0))}, 1, 100).size(), 100U);
}

TEST(InputRecord, RefusesWhatIsNone) { EXPECT_THROW(unpack_record("not a record"), io::Error); }

TEST(InputRecord, NewStepsGoFirstAndEachKeyIsOnce) {
  const auto merged = merge_records({run_inputs("b", "x", {})}, {run_inputs("b", "x", {}), run_inputs("a", "x", {})});
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_EQ(merged[0].key, "b");
  EXPECT_EQ(merged[1].key, "a");
}

}  // namespace
}  // namespace kiln::engine
