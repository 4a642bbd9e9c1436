// The state of an ISA-L deflate stream, in memory at an address that cannot be seen in the bytes it makes.
//
// ISA-L's levels 1 and 2 (igzip_icf_body_h1_gr_bt.asm, at .write_first_byte; in Debian's 2.30 and in later ones) hash a register
// that still holds the stream's address where they should hash the bytes at position 2: after the first byte of a block, position 2
// goes into the bucket `crc32c(address >> 16) & mask` of the hash table. Mostly nobody looks there, but one address in some
// thousands hides the beginning of the block from later matches: other bytes for the same input, by where the kernel put the stack.
// So a stream lives where that bucket is 0, the one of four zero bytes.
#pragma once

#include <cstdint>
#include <memory>

#include <isa-l/igzip_lib.h>

namespace kiln::io {

struct UnmapStream {
  void operator()(isal_zstream* stream) const;
};
using IsalStream = std::unique_ptr<isal_zstream, UnmapStream>;

// Memory for a stream; isal_deflate_init() is the caller's. Errors: io::Error(system) without memory. Where the system gives no
// page at an address asked for, any other is taken, with a warning: its bytes are right, and very rarely not those of another
// process.
IsalStream make_isal_stream();

// The bucket that ISA-L takes for position 2 with a stream at this address, of a table with 2^15 (the largest).
std::uint32_t bucket_of_address(std::uintptr_t address);

}  // namespace kiln::io
