#include "io/base/error.hpp"

#include <cstring>
#include <new>
#include <system_error>

#include <asio/error.hpp>
#include <fmt/format.h>

namespace kiln::io {

void throw_errno(int error_number, std::string_view doing) {
  throw Error(ErrorKind::filesystem, fmt::format("{}: {}", doing, std::strerror(error_number)));
}

Error as_error(std::exception_ptr exception) {
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const Error& error) {
    return error;
  } catch (const std::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return Error(ErrorKind::cancelled, "cancelled");
    return Error(ErrorKind::internal, error.what());
  } catch (const std::bad_alloc&) {
    return Error(ErrorKind::internal, "out of memory");
  } catch (const std::exception& error) {
    return Error(ErrorKind::internal, error.what());
  } catch (...) {
    return Error(ErrorKind::internal, "unknown exception");
  }
}

void rethrow_with_context(std::exception_ptr exception, std::string_view doing) {
  Error error = as_error(std::move(exception));
  error.add_context(doing);
  throw error;
}

}  // namespace kiln::io
