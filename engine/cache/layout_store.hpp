// Cache entries as OCI layouts, each in a directory of its own.
#pragma once

#include <memory>
#include <string>

#include "engine/cache/store.hpp"

namespace kiln::engine {

// Entries are "<directory>:<key>". Several builders may share them: an entry gets its name when it is whole.
std::unique_ptr<CacheStore> open_layout_store(io::Runtime& runtime, const std::string& directory);

}  // namespace kiln::engine
