#include "engine/build/demand.hpp"

#include <gtest/gtest.h>

namespace kiln::engine {
namespace {

// Stage 0 has two steps; stage 1 copies from it in its second step, of three.
std::map<int, StageNeeds> two_stages(std::size_t cached0, std::size_t cached1) {
  return {{0, {std::nullopt, cached0, {{}, {}}}}, {1, {std::nullopt, cached1, {{}, {0}, {}}}}};
}

TEST(Demand, WithoutACacheEverythingRuns) { EXPECT_EQ(decide_demand(two_stages(0, 0), {1}), (Demand{{0, 0}, {1, 0}})); }

TEST(Demand, OfACachedTargetIsTheTarget) {
  EXPECT_EQ(decide_demand(two_stages(2, 3), {1}), (Demand{{1, 3}}));
  EXPECT_EQ(decide_demand(two_stages(0, 3), {1}), (Demand{{1, 3}}));
}

TEST(Demand, AStageThatOnlyCachedStepsReadIsNotWanted) { EXPECT_EQ(decide_demand(two_stages(2, 2), {1}), (Demand{{1, 2}})); }

TEST(Demand, AMissWantsItsSourceWhichMayBeCached) { EXPECT_EQ(decide_demand(two_stages(2, 1), {1}), (Demand{{0, 2}, {1, 1}})); }

TEST(Demand, ABaseIsAlwaysWanted) {
  const std::map<int, StageNeeds> stages = {{0, {std::nullopt, 1, {{}}}}, {1, {0, 1, {{}}}}};
  EXPECT_EQ(decide_demand(stages, {1}), (Demand{{0, 1}, {1, 1}}));
}

TEST(Demand, NothingIsTakenFromAnotherRunOfABase) {
  const std::map<int, StageNeeds> stages = {{0, {std::nullopt, 0, {{}}}}, {1, {0, 2, {{}, {}}}}};
  EXPECT_EQ(decide_demand(stages, {1}), (Demand{{0, 0}, {1, 0}}));
}

// The second of two copies misses and the source has to run again: the first takes what that run makes.
TEST(Demand, NothingIsTakenFromAnotherRunOfASource) {
  const std::map<int, StageNeeds> stages = {{0, {std::nullopt, 1, {{}, {}}}}, {1, {std::nullopt, 2, {{}, {0}, {0}}}}};
  EXPECT_EQ(decide_demand(stages, {1}), (Demand{{0, 1}, {1, 1}}));
}

// Stage 0 runs for the last step of stage 3; what stages 1 and 2 were made of it is another run's, too.
TEST(Demand, NothingIsTakenFromAnotherRunThroughOtherStages) {
  const std::map<int, StageNeeds> stages = {{0, {std::nullopt, 0, {{}}}},
                                            {1, {std::nullopt, 1, {{0}}}},
                                            {2, {std::nullopt, 1, {{1}}}},
                                            {3, {std::nullopt, 1, {{2}, {0}}}}};
  EXPECT_EQ(decide_demand(stages, {3}), (Demand{{0, 0}, {1, 0}, {2, 0}, {3, 0}}));
}

TEST(Demand, StagesThatNobodyKnewOfAreLeftOut) { EXPECT_EQ(decide_demand({{1, {7, 0, {{9}}}}}, {1}), (Demand{{1, 0}})); }

}  // namespace
}  // namespace kiln::engine
