#include <gtest/gtest.h>

#include "bench/report/html.hpp"
#include "bench/report/statistics.hpp"
#include "bench/report/table.hpp"

namespace kiln::bench {
namespace {

TEST(Statistics, Median) {
  EXPECT_EQ(summarize({3, 1, 2}).median, 2);
  EXPECT_EQ(summarize({4, 1, 2, 3}).median, 2.5);
  EXPECT_EQ(summarize({5}).highest, 5);
  EXPECT_EQ(summarize({3, 1, 2}).lowest, 1);
  EXPECT_EQ(summarize({}).median, 0);
}

TEST(Table, ColumnsAreAligned) {
  const Table table{"Title", {"name", "ms"}, {{"a", "10.5"}, {"longer", "1"}, {"ü", "2"}}};
  EXPECT_EQ(to_text(table),
            "Title\n\n"
            "name      ms\n"
            "a       10.5\n"
            "longer     1\n"
            "ü          2\n");
}

TEST(Table, HtmlIsEscaped) {
  const Table table{"a < b", {"x"}, {{"\"<script>\" & more"}}};
  const std::string html = to_html(table);
  EXPECT_NE(html.find("a &lt; b"), std::string::npos);
  EXPECT_NE(html.find("&quot;&lt;script&gt;&quot; &amp; more"), std::string::npos);
  EXPECT_EQ(html.find("<script>"), std::string::npos);
}

TEST(BarChart, LengthsAreInProportion) {
  const std::string svg =
      to_svg({"times", "ms", {{"one", 50, "50 ms", false}, {"two", 100, "100 ms", true}, {"none", -1, "", false}}});
  EXPECT_NE(svg.find("width=\"300.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("width=\"600.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("width=\"0.0\""), std::string::npos) << svg;
}

TEST(BarChart, NothingToShow) { EXPECT_NE(to_svg({"empty", "", {}}).find("<svg"), std::string::npos); }

TEST(Page, StandsAlone) {
  const std::string page = html_page("T", to_html_paragraph("p"));
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_EQ(page.find("http"), std::string::npos);
}

}  // namespace
}  // namespace kiln::bench
