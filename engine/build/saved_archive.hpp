// A docker-save archive, read: manifest.json names a config and layers, which may stand before it. For the waiting pool, one call
// at a time. Errors: io::Error(usage) naming the archive for one that does not hold one image; integrity for a broken one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/base/fd.hpp"
#include "io/codec/decompress.hpp"
#include "oci/blob/spool.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

class SavedArchive {
 public:
  // Plain or compressed, by whatever open_archive() knows.
  explicit SavedArchive(std::string path);

  struct Contents {
    std::string config;
    std::vector<std::string> layers;  // names of members, base first
  };
  Contents read_contents();

  // The members, from the first on: the next file's name, empty at the end.
  void rewind();
  std::string next();
  // The member that next() gave, into the spool: as it is if it is gzip, else compressed. Gives it as a layer of a Docker image.
  oci::Descriptor spool_layer(oci::SpoolBlob& blob);

 private:
  std::size_t read(io::MutableBytes buffer);  // fills it as far as the member goes
  std::string text_of(const std::string& name);

  std::string path_;
  io::UniqueFd file_;
  std::unique_ptr<io::ByteSource> source_;
  std::unique_ptr<oci::TarReader> reader_;
};

}  // namespace kiln::engine
