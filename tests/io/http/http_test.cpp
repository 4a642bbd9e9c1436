#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/http/proxy.hpp"
#include "io/http/retry.hpp"
#include "io/http/url.hpp"
#include "io/http/wire.hpp"

namespace kiln::io::http {
namespace {

TEST(Url, ParsesAndPrints) {
  const Url url = parse_url("HTTPS://User@Example.COM:5000/a/b?q=1#f");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.user_info, "User");
  EXPECT_EQ(url.host, "example.com");
  EXPECT_EQ(url.port, 5000);
  EXPECT_EQ(url.target, "/a/b?q=1");
  EXPECT_EQ(parse_url("http://[::1]:80").text(), "http://[::1]/");
  for (const char* bad : {"ftp://x", "http://", "http://a:0/", "http://a:99999/", "http://a b/", "x"})
    EXPECT_THROW(parse_url(bad), Error) << bad;
}

TEST(Url, ResolvesLocations) {
  const Url base = parse_url("http://h:1/v2/a/b?x=y");
  EXPECT_EQ(resolve_url(base, "/c").text(), "http://h:1/c");
  EXPECT_EQ(resolve_url(base, "c/../d").text(), "http://h:1/v2/a/d");
  EXPECT_EQ(resolve_url(base, "?z").text(), "http://h:1/v2/a/b?z");
  EXPECT_EQ(resolve_url(base, "https://o/p?to=http://q").text(), "https://o/p?to=http://q");
  EXPECT_EQ(resolve_url(base, "//o/p").text(), "http://o/p");
}

TEST(Wire, ResponseHeads) {
  const ResponseHead head = parse_response_head("HTTP/1.1 206 Partial\r\nContent-Length: 5\r\nX:  a \r\n\r\n");
  EXPECT_EQ(head.status, 206);
  EXPECT_EQ(head.headers.get("x"), "a");
  EXPECT_EQ(framing_of("GET", head).length, 5U);
  EXPECT_EQ(framing_of("HEAD", head).kind, BodyFraming::Kind::none);
  for (const char* bad : {"HTTP/2 200\r\n\r\n", "junk\r\n\r\n", "HTTP/1.1 2x0 a\r\n\r\n", "HTTP/1.1 200 OK\r\nnocolon\r\n\r\n"}) {
    EXPECT_THROW(parse_response_head(bad), Error) << bad;
  }
  const ResponseHead twice = parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n");
  EXPECT_THROW(framing_of("GET", twice), Error);
}

TEST(Wire, ChunkSizesAndInjection) {
  EXPECT_EQ(parse_chunk_size("1aF;ext=1"), 0x1afU);
  EXPECT_THROW(parse_chunk_size("-1"), Error);
  EXPECT_THROW(parse_chunk_size("11111111111111111"), Error);
  Headers headers;
  headers.set("A", "b\r\nEvil: yes");
  EXPECT_THROW(format_request_head("GET", "/", headers), Error);
}

TEST(Wire, Logins) {
  EXPECT_EQ(basic_login("Aladdin:open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617 section 2
  EXPECT_EQ(percent_decode("a%40b%3a%"), "a@b:%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("%zz%+1"), "%zz%+1");
}

TEST(Proxy, ExceptionsAsGoReadsThem) {
  const ProxySettings settings([](std::string_view name) -> std::string {
    if (name == "http_proxy") return "http://proxy:3128";
    if (name == "no_proxy") return "example.com,.internal,10.0.0.0/8,host:81";
    return "";
  });
  const auto proxied = [&](const char* url) { return settings.proxy_for(parse_url(url)).has_value(); };
  EXPECT_TRUE(proxied("http://other.org"));
  EXPECT_FALSE(proxied("https://other.org"));
  EXPECT_FALSE(proxied("http://example.com"));
  EXPECT_FALSE(proxied("http://sub.example.com"));
  EXPECT_TRUE(proxied("http://notexample.com"));
  EXPECT_FALSE(proxied("http://a.internal"));
  EXPECT_FALSE(proxied("http://10.1.2.3"));
  EXPECT_TRUE(proxied("http://11.1.2.3"));
  EXPECT_FALSE(proxied("http://host:81"));
  EXPECT_TRUE(proxied("http://host:82"));
  EXPECT_FALSE(proxied("http://127.0.0.1:5000"));
}

TEST(Retry, AfterAndBackOff) {
  EXPECT_EQ(parse_retry_after("3"), std::chrono::seconds(3));
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), std::chrono::seconds(0));
  EXPECT_FALSE(parse_retry_after("soon"));
  EXPECT_GE(backoff_delay({}, 3), std::chrono::milliseconds(800));
  EXPECT_LE(backoff_delay({}, 30), std::chrono::milliseconds(12'500));
}

}  // namespace
}  // namespace kiln::io::http
