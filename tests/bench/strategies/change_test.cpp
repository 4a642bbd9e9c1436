#include "bench/strategies/change.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::bench {
namespace {

using engine::Change;

engine::Tree tree_of_files(unsigned files) {
  engine::Tree tree;
  for (unsigned number = 0; number < files; ++number) {
    engine::Node node;
    node.type = engine::FileType::regular;
    node.mode = 0644;
    node.size = 10;
    tree.put(fmt::format("d{}/f{}", number / 10, number), node);
  }
  return tree;
}

// What a perfect strategy would tell, with the mtimes of directories.
engine::Changes with_parents(const PlannedChange& planned) {
  engine::Changes changes = planned.expected;
  for (const auto& operation : planned.operations) {
    changes.push_back({Change::Kind::put, operation.path.substr(0, operation.path.find('/'))});
  }
  std::ranges::sort(changes, engine::path_less, &Change::path);
  return changes;
}

TEST(PlanChange, EveryKindIsJudgedRight) {
  const engine::Tree tree = tree_of_files(1000);
  for (const ChangeKind kind : all_changes) {
    const PlannedChange planned = plan_change(tree, kind, 7);
    const Verdict right = judge(planned, with_parents(planned), 0);
    EXPECT_EQ(right.missed, 0U) << name_of(kind);
    EXPECT_EQ(right.false_reports, 0U) << name_of(kind);
    EXPECT_EQ(judge(planned, {}, 0).missed, planned.expected.size()) << name_of(kind);
    EXPECT_EQ(judge(planned, {{Change::Kind::put, "elsewhere"}}, 0).false_reports, 1U) << name_of(kind);
  }
}

TEST(PlanChange, SameSeedSameChange) {
  const engine::Tree tree = tree_of_files(1000);
  EXPECT_EQ(plan_change(tree, ChangeKind::one_file, 3).operations.front().path,
            plan_change(tree, ChangeKind::one_file, 3).operations.front().path);
}

TEST(PlanChange, OnePercent) { EXPECT_EQ(plan_change(tree_of_files(1000), ChangeKind::one_percent, 1).operations.size(), 10U); }

TEST(PlanChange, AReplacedDirectoryLosesItsFiles) {
  const PlannedChange planned = plan_change(tree_of_files(1000), ChangeKind::replaced_directory, 1);
  EXPECT_EQ(planned.expected.size(), 11U);
}

TEST(PlanChange, ATreeWithoutFiles) { EXPECT_THROW(plan_change(engine::Tree(), ChangeKind::one_file, 1), io::Error); }

TEST(Judge, AnotherKindOfChangeIsAMiss) {
  const PlannedChange planned{{{Operation::Kind::remove_file, "a", ""}}, {{Change::Kind::remove, "a"}}};
  const Verdict verdict = judge(planned, {{Change::Kind::put, "a"}}, 0);
  EXPECT_EQ(verdict.missed, 1U);
  EXPECT_EQ(verdict.false_reports, 1U);
}

TEST(Judge, WhatWasSuspectedInVain) {
  const PlannedChange planned{{{Operation::Kind::append, "a/b", ""}}, {{Change::Kind::put, "a/b"}}};
  EXPECT_EQ(judge(planned, {{Change::Kind::put, "a/b"}}, 4).false_candidates, 3U);
  EXPECT_EQ(judge(planned, {{Change::Kind::put, "a"}, {Change::Kind::put, "a/b"}}, 2).false_candidates, 0U);
  EXPECT_EQ(judge(planned, {{Change::Kind::remove, "c"}}, 0).false_candidates, 0U);
}

}  // namespace
}  // namespace kiln::bench
