// A coroutine on the loop thread.
//
// One thread runs the io_context: every coroutine, socket, timer and cancellation lives there, so none of them needs a
// lock. Coroutines are named functions that take their arguments by value unless the caller awaits them at once; a
// reference parameter means "directly awaited".
#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>

namespace kiln::io {

template <class T = void>
using Task = asio::awaitable<T>;

using Executor = asio::any_io_executor;

}  // namespace kiln::io
