// The one error type of the program.
//
// Every failure says what was being done, to what, and what can be done about it. A function that knows only the cause
// throws; callers that know more add it with `with_context` on the way up, so that the text reads from the outside in:
//   "building stage 'app': pulling docker.io/library/debian:12: connecting to 10.0.0.1:443: Connection refused"
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kiln::io {

enum class ErrorKind {
  usage,        // the command line or a configuration file is wrong
  dockerfile,   // the Dockerfile is wrong; the message carries file, line and words
  context,      // the build context lacks something or cannot be read
  not_found,    // the remote has no such thing
  denied,       // the remote wants other credentials or refuses
  network,      // a connection failed, timed out or broke; trying again may help
  protocol,     // the remote answered something that its protocol does not allow
  integrity,    // bytes do not have the digest or size that was promised
  filesystem,   // the local file system refused
  process,      // a program that was run failed
  unsupported,  // understood, but it cannot be honoured here
  cancelled,    // stopped from outside
  internal,     // kiln is wrong
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& message() const noexcept { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Exit code that the program should end with: that of a failed RUN command, else 1.
  int exit_code() const noexcept { return exit_code_; }
  Error& set_exit_code(int code) noexcept {
    exit_code_ = code;
    return *this;
  }

  // Puts "doing: " in front of the message.
  Error& add_context(std::string_view doing) {
    message_.insert(0, ": ");
    message_.insert(0, doing);
    return *this;
  }

 private:
  ErrorKind kind_;
  std::string message_;
  int exit_code_ = 1;
};

// Throws Error(filesystem) "doing: strerror(error_number)".
[[noreturn]] void throw_errno(int error_number, std::string_view doing);

// The exception as an Error; foreign exceptions become Error(internal), asio's operation_aborted becomes cancelled.
Error as_error(std::exception_ptr exception);

// Runs `body`; an exception leaves as Error with `doing` in front. For plain functions; coroutines catch and rethrow
// through `rethrow_with_context`.
[[noreturn]] void rethrow_with_context(std::exception_ptr exception, std::string_view doing);

template <class Body>
decltype(auto) with_context(std::string_view doing, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    rethrow_with_context(std::current_exception(), doing);
  }
}

}  // namespace kiln::io
