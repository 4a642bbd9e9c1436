// Templates that are compiled once, in extern_templates.cpp, and that their library's header does not say so of. It is precompiled
// with that header (cmake/compiler.cmake); nothing includes it.
#pragma once

#include <fmt/format.h>

// What formats anything: else every file that logs compiles all of it, which is a third of such a file's time.
#if FMT_VERSION / 10000 == 9 && !defined(FMT_HEADER_ONLY)
FMT_BEGIN_NAMESPACE
namespace detail {
extern template void vformat_to<char>(buffer<char>&, basic_string_view<char>,
                                      basic_format_args<buffer_context<type_identity_t<char>>>, locale_ref);
}
FMT_END_NAMESPACE
#endif
