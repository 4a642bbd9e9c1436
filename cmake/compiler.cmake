# The compiler and the flags that every target of kiln is built with.
#
# g++ 12 destroys objects twice in everyday co_await statements (GCC PR 106188 and relatives), so it is refused here
# rather than found out in production. clang 19 is Debian 12's package and what CI uses.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines (objects in co_await statements are destroyed twice). "
    "Use clang++-19, as the presets do, or g++ 13 and later.")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# What nearly every file reads, parsed once: the libraries' headers are two thirds of a file's compile time. kiln's own headers are
# not among them, so that a change rebuilds what includes it and nothing else. Every file still includes what it uses: the preset
# 'dev' builds without this.
set(KILN_PRECOMPILED
  <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <cstring> <deque> <exception> <filesystem> <fstream>
  <functional> <map> <memory> <mutex> <optional> <regex> <set> <span> <sstream> <string> <string_view> <thread> <unordered_map> <utility>
  <variant> <vector> <asio.hpp> <fmt/format.h> <nlohmann/json.hpp> <spdlog/spdlog.h> ${PROJECT_SOURCE_DIR}/io/base/extern_templates.hpp)

# ccache trusts a precompiled header only when told that no file depends on its date.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endif()

set(KILN_SANITIZE "" CACHE STRING "Sanitizers: 'address,undefined' or 'thread'")

# What every target of kiln links first.
add_library(kiln_flags INTERFACE)
target_compile_options(kiln_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -fno-omit-frame-pointer)
# Asio 1.22.1 does not know that clang 19 has coroutines.
target_compile_definitions(kiln_flags INTERFACE
  ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1 ASIO_NO_DEPRECATED=1 ASIO_SEPARATE_COMPILATION=1
  # Said aloud, because Asio finds out by what was included before it, and files must not disagree on how memory is freed.
  ASIO_HAS_STD_ALIGNED_ALLOC=1
  SPDLOG_FMT_EXTERNAL=1 _FILE_OFFSET_BITS=64)
target_include_directories(kiln_flags INTERFACE ${PROJECT_SOURCE_DIR})

if(KILN_SANITIZE)
  target_compile_options(kiln_flags INTERFACE -fsanitize=${KILN_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(kiln_flags INTERFACE -fsanitize=${KILN_SANITIZE})
endif()
if(KILN_FUZZ)
  target_compile_options(kiln_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(kiln_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_link_options(kiln_flags INTERFACE -fuse-ld=lld)
endif()
