// One request and the head of its response over one connection, and the response's body after that.
#pragma once

#include <memory>
#include <string>

#include "io/http/connection.hpp"
#include "io/http/wire.hpp"

namespace kiln::io::http {

struct Counters {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t requests = 0;
};

// A connection's first answer never came: the server had closed it while it was idle.
struct StaleConnection {};

struct Exchange {
  ResponseHead head;
  bool body_sent = true;  // false: the answer came before the whole body was sent; the connection cannot be used again
};

// Sends `request` in origin form (or absolute form for a plain proxy) and reads the response head; interim 1xx answers are
// skipped. The body is sent beside reading, so an early answer ends it. Throws StaleConnection when `reused`, the server
// closed before answering anything, and the method may be sent twice: a PATCH whose fate is not known may have been applied.
Task<Exchange> exchange(Connection& connection, Request& request, const std::string& target, bool reused, Counters& counters,
                        const Executor& executor);

}  // namespace kiln::io::http
