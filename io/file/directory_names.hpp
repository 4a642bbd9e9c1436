// The names in a directory, by getdents64 into one buffer that is used again: nothing is allocated for a name.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::io {

struct DirectoryName {
  std::string_view text;   // a NUL stands behind it
  unsigned char type = 0;  // DT_DIR, DT_REG, ...; DT_UNKNOWN where the file system does not tell
};

class DirectoryNames {
 public:
  // Calls `visit` for every name but "." and "..", in no order, from where the descriptor stands on. Gives 0 or an errno.
  int read(int directory, const std::function<void(const DirectoryName& name)>& visit);

 private:
  std::vector<std::byte> buffer_;
};

// All names, from the start wherever the descriptor stands: for callers that change the directory meanwhile. Gives 0 or an errno.
int list_names(int directory, std::vector<std::string>& names);

}  // namespace kiln::io
