// Cache entries as images of a directory.
#pragma once

#include <memory>
#include <string>

#include "engine/cache/store.hpp"

namespace kiln::engine {

std::unique_ptr<CacheStore> open_layout_store(io::Runtime& runtime, const std::string& directory);

}  // namespace kiln::engine
