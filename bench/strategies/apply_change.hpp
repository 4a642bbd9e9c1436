// Operations are carried out by a process of its own, as a RUN's are: this very program again, in the directory itself, or
// inside user and mount namespaces where the overlay is mounted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/strategies/change.hpp"
#include "engine/rootfs/rootfs.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::bench {

// Returns when the process has ended and nothing of it is mounted. all_ids: as the probe of sandboxes says (userns).
// Errors: io::Error(process) with what the process said.
io::Task<void> apply_change(io::Runtime& runtime, const engine::Rootfs& root, bool all_ids, std::vector<Operation> operations);

// Entry of that process: `kiln apply-change`; its request comes through standard input.
int apply_change_main();
inline constexpr std::string_view apply_change_name = "apply-change";

}  // namespace kiln::bench
