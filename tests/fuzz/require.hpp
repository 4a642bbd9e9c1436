// What must hold whatever the input is.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "io/base/error.hpp"

namespace kiln::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Runs `body`, which may refuse its input with an error of one of these kinds.
template <class Body>
void or_refused(std::initializer_list<io::ErrorKind> kinds, Body body) {
  try {
    body();
  } catch (const io::Error& error) {
    require(std::ranges::find(kinds, error.kind()) != kinds.end(), "a bad text is an error of its kind");
    require(!error.message().empty(), "an error says something");
  }
}

}  // namespace kiln::fuzz
