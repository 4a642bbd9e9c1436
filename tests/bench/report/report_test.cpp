#include <gtest/gtest.h>

#include "bench/measure/statistics.hpp"
#include "bench/report/axis.hpp"
#include "bench/report/html.hpp"
#include "bench/report/line_chart.hpp"
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
      to_svg(BarChart{"times", "ms", {{"one", 50, "50 ms", false}, {"two", 100, "100 ms", true}, {"none", -1, "", false}}});
  EXPECT_NE(svg.find("width=\"300.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("width=\"600.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("width=\"0.0\""), std::string::npos) << svg;
}

TEST(BarChart, NothingToShow) { EXPECT_NE(to_svg(BarChart{"empty", "", {}}).find("<svg"), std::string::npos); }

TEST(BarChart, DecadesAreOfOneWidth) {
  const std::string svg =
      to_svg(BarChart{"times", "ms", {{"one", 1, "", false}, {"two", 10, "", true}, {"three", 100, "", false}}, true});
  EXPECT_NE(svg.find("width=\"0.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("width=\"300.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("width=\"600.0\""), std::string::npos) << svg;
}

TEST(LogAxis, WholeDecades) {
  const LogAxis axis({0.5, 2000, 0}, 0, 50);
  EXPECT_EQ(axis.ticks().size(), 6U);
  EXPECT_DOUBLE_EQ(axis.position(0.1), 0);
  EXPECT_DOUBLE_EQ(axis.position(1), 10);
  EXPECT_DOUBLE_EQ(axis.position(-1), 0);
  EXPECT_EQ(LogAxis({}, 0, 1).ticks().size(), 2U);
  EXPECT_EQ(tick_label(100'000), "100 k");
  EXPECT_EQ(tick_label(0.1), "0.1");
}

TEST(LineChart, LabelsStandApart) {
  const std::string svg = to_svg(LineChart{"growth", "entries", "ms", {{"a", {{10, 1}, {100, 5}}}, {"b", {{10, 1}, {100, 5}}}}});
  const auto y_of = [&svg](const char* label) {
    const auto at = svg.rfind("y=\"", svg.find(std::string(">") + label + "</text>"));
    return std::stod(svg.substr(at + 3));
  };
  EXPECT_GE(y_of("b") - y_of("a"), 16);
}

TEST(Page, StandsAlone) {
  const std::string page = html_page("T", to_html_paragraph("p"));
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_EQ(page.find("http"), std::string::npos);
}

}  // namespace
}  // namespace kiln::bench
