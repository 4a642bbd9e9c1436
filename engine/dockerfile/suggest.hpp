// "Did you mean": the nearest of a few words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine::dockerfile {

// ` (did you mean X?)` for the candidate within a small edit distance of `word`, else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace kiln::engine::dockerfile
