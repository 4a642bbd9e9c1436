#include "engine/cache/retention.hpp"

#include <gtest/gtest.h>

namespace kiln::engine {
namespace {

StoredEntry entry(const std::string& name, const std::string& before, std::int64_t created, std::uint64_t size = 10) {
  StoredEntry made;
  made.name = name;
  made.before = before;
  made.created = created;
  made.size = size;
  return made;
}

std::string names(std::vector<StoredEntry> entries) {
  std::string text;
  std::ranges::sort(entries, {}, &StoredEntry::name);
  for (const auto& each : entries) text += each.name;
  return text;
}

TEST(Retention, WhatStandsOnNothingIsUnreachable) {
  std::vector<StoredEntry> entries = {entry("c", "b", 3), entry("b", "a", 2), entry("x", "", 1), entry("y", "x", 1)};
  mark_unreachable(entries);
  EXPECT_FALSE(entries[0].problem.empty());
  EXPECT_FALSE(entries[1].problem.empty());
  EXPECT_TRUE(entries[2].problem.empty());
  EXPECT_TRUE(entries[3].problem.empty());
}

TEST(Retention, AnEntryStaysAsLongAsItIsNeeded) {
  std::vector<StoredEntry> entries = {entry("a", "", 1), entry("b", "a", 2), entry("c", "b", 9), entry("d", "b", 3)};
  PruneLimits limits;
  limits.created_after = 5;
  EXPECT_EQ(names(choose_to_go(entries, limits)), "d");
  EXPECT_EQ(names(entries), "abc");
}

TEST(Retention, WithinASizeTheFirstOfAChainStay) {
  std::vector<StoredEntry> entries = {entry("c", "b", 9), entry("b", "a", 2), entry("a", "", 1), entry("z", "", 5)};
  PruneLimits limits;
  limits.size = 20;
  EXPECT_EQ(names(choose_to_go(entries, limits)), "cz");
}

TEST(Retention, WhatIsDamagedTakesWhatStandsOnIt) {
  std::vector<StoredEntry> entries = {entry("a", "", 1), entry("b", "a", 2)};
  entries[0].problem = "its layer is gone";
  const auto gone = choose_to_go(entries, {});
  EXPECT_EQ(names(gone), "ab");
  EXPECT_TRUE(entries.empty());
}

}  // namespace
}  // namespace kiln::engine
