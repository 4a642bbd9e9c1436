// The README's tables are what the program prints.
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "tools/command/executor_flags.hpp"
#include "tools/command/warmer.hpp"

namespace kiln::tools {
namespace {

void expect_table(const std::string& program, const std::string& printed) {
  const std::string path = KILN_SOURCE_DIRECTORY "/README.md";
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto mark = text.find("<!-- " + program + " --help-table");
  ASSERT_NE(mark, std::string::npos);
  const auto begin = text.find('\n', mark) + 1;
  const auto end = text.find("<!-- end -->", begin);
  ASSERT_NE(end, std::string::npos);
  EXPECT_EQ(text.substr(begin, end - begin), printed) << "run tools/update-readme";
}

TEST(Readme, TablesOfFlags) {
  expect_table("executor", executor_markdown());
  expect_table("warmer", warmer_markdown());
}

}  // namespace
}  // namespace kiln::tools
