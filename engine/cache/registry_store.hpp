// Cache entries as tags of a repository.
#pragma once

#include <memory>

#include "engine/cache/store.hpp"
#include "oci/image/reference.hpp"

namespace kiln::engine {

std::unique_ptr<CacheStore> open_registry_store(io::Runtime& runtime, oci::RegistryHub& hub, const oci::Reference& repository);

}  // namespace kiln::engine
