// When and how long to wait before a request is tried again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "io/base/error.hpp"
#include "io/http/client.hpp"

namespace kiln::io::http {

struct RetryPolicy {
  int attempts = 5;                            // in all, the first included
  std::chrono::milliseconds first_delay{200};  // doubled each time, with up to 25 % jitter
  std::chrono::milliseconds longest_delay{10'000};
  std::chrono::milliseconds longest_retry_after{60'000};  // a server that asks for more is not waited for
};

// 408, 425, 429, 499, 500, 502, 503, 504, 522 (what go-containerregistry tries again, and 425).
bool is_retryable_status(int status);
bool is_retryable_error(const Error& error);  // network

// Retry-After as seconds or as an HTTP date (RFC 9110 section 10.2.3).
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value);

// Sends what `make_request` gives until there is a response that is not worth another try or the attempts are used up;
// then the last response is given, or the last error thrown. `doing` names the work in log lines.
Task<Response> send_with_retry(Client& client, std::function<Request()> make_request, RetryPolicy policy, std::string doing);

// The delay before attempt `attempt` (1 = first retry).
std::chrono::milliseconds backoff_delay(const RetryPolicy& policy, int attempt);

}  // namespace kiln::io::http
