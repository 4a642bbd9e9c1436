#include "io/base/extern_templates.hpp"

// libfmt has this one, too, but under the name that g++ gives it.
#if FMT_VERSION / 10000 == 9 && !defined(FMT_HEADER_ONLY)
FMT_BEGIN_NAMESPACE
namespace detail {
template void vformat_to<char>(buffer<char>&, basic_string_view<char>, basic_format_args<buffer_context<type_identity_t<char>>>,
                               locale_ref);
}
FMT_END_NAMESPACE
#endif
