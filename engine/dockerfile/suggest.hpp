// "Did you mean": the nearest of a few words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine::dockerfile {

// The candidate within a small edit distance of `word` (1, or 2 for four bytes and more; or `farthest`); empty: none, or one is
// the word.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
std::string nearest(std::string_view word, const std::vector<std::string>& candidates, std::size_t farthest);
// ` (did you mean X?)` for the nearest candidate, else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace kiln::engine::dockerfile
