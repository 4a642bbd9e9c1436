#include "io/http/retry.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace kiln::io::http {

bool is_retryable_status(int status) {
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 499:
    case 500:
    case 502:
    case 503:
    case 504:
    case 522: return true;
    default: return false;
  }
}

bool is_retryable_error(const Error& error) { return error.kind() == ErrorKind::network; }

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value) {
  long seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size() && seconds >= 0 && seconds < 1'000'000) {
    return std::chrono::seconds(seconds);
  }
  std::tm time{};
  const std::string text(value);
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
  if (!rest || *rest != '\0') return std::nullopt;
  return std::chrono::seconds(std::max<std::time_t>(timegm(&time) - std::time(nullptr), 0));
}

std::chrono::milliseconds backoff_delay(const RetryPolicy& policy, int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto doubled = policy.first_delay * (1LL << std::min(attempt - 1, 20));
  const auto delay = std::min(std::chrono::duration_cast<std::chrono::milliseconds>(doubled), policy.longest_delay);
  return delay + std::chrono::milliseconds(std::uniform_int_distribution<long>(0, delay.count() / 4)(random));
}

Task<Response> send_with_retry(Client& client, std::function<Request()> make_request, RetryPolicy policy, std::string doing) {
  for (int attempt = 1;; ++attempt) {
    const bool last = attempt >= policy.attempts;
    std::optional<Response> response;
    std::optional<Error> failure;
    try {
      response = co_await client.send(make_request());
    } catch (const Error& error) {
      failure = error;
    }
    if (failure) {
      if (last || !is_retryable_error(*failure)) throw failure->add_context(doing);
    } else if (last || !is_retryable_status(response->status())) {
      co_return std::move(*response);
    }
    auto delay = backoff_delay(policy, attempt);
    if (response) {
      const auto wanted = response->headers().get("Retry-After");
      const auto asked = wanted ? parse_retry_after(*wanted) : std::nullopt;
      if (asked && *asked > policy.longest_retry_after) co_return std::move(*response);
      if (asked) delay = std::max(delay, *asked);
    }
    spdlog::debug("{}: {}; trying again in {} ms", doing,
                  failure ? failure->message() : fmt::format("status {}", response->status()), delay.count());
    response.reset();
    co_await sleep_for(delay);
  }
}

}  // namespace kiln::io::http
