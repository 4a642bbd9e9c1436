// A file that gets its name only when it is whole: nobody ever sees half of one, whatever ends the writer.
#pragma once

#include <string>

#include "io/base/bytes.hpp"
#include "io/base/fd.hpp"
#include "oci/blob/spool.hpp"

namespace kiln::oci {

// Until keep() the bytes are in "<path>.kiln-XXXXXX", which is deleted again by the destructor; several processes may make the
// same file at once. Errors: io::Error(filesystem) naming the path.
class NewFile {
 public:
  // What is there and is no file (a link, a device, a pipe): replaced like a file, or written to as it is.
  enum class Special { replaced, written_to };
  explicit NewFile(std::string path, Special special = Special::replaced);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(io::Bytes bytes);
  void write(const SpoolBlob& blob);  // a complete one
  void keep();

 private:
  std::string path_;
  std::string temporary_;
  io::UniqueFd fd_;
  bool kept_ = false;
};

void write_text_file(const std::string& path, std::string_view text);

}  // namespace kiln::oci
