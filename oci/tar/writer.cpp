// The ustar header (POSIX.1-1988, 512 bytes) and the pax extended header that goes before it (POSIX.1-2001): records
// "length key=value\n" for what ustar cannot hold.
#include "oci/tar/writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include <fmt/format.h>

namespace kiln::oci {

namespace {

struct Ustar {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link_name[100];
  char magic[6];
  char version[2];
  char user_name[32];
  char group_name[32];
  char device_major[8];
  char device_minor[8];
  char prefix[155];
  char padding[12];
};
static_assert(sizeof(Ustar) == tar_block);

constexpr std::uint64_t largest_octal_7 = 07777777;
constexpr std::uint64_t largest_octal_11 = 077777777777;

// Octal digits and a NUL; a value that does not fit is in a pax record, and the field is 0.
template <std::size_t Size>
void put_octal(char (&field)[Size], std::uint64_t value) {
  const std::uint64_t largest = Size == 8 ? largest_octal_7 : largest_octal_11;
  const std::string digits = fmt::format("{:0{}o}", value <= largest ? value : 0, Size - 1);
  std::memcpy(field, digits.data(), Size - 1);
}

template <std::size_t Size>
void put_text(char (&field)[Size], std::string_view text) {
  std::memcpy(field, text.data(), std::min(text.size(), Size));
}

char type_flag(FileType type) {
  switch (type) {
    case FileType::regular: return '0';
    case FileType::hard_link: return '1';
    case FileType::symlink: return '2';
    case FileType::char_device: return '3';
    case FileType::block_device: return '4';
    case FileType::directory: return '5';
    case FileType::fifo: return '6';
  }
  return '0';
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c != 0 && c < 0x80; });
}

std::string block_of(const Ustar& header) {
  Ustar filled = header;
  std::memset(filled.checksum, ' ', sizeof filled.checksum);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&filled);
  unsigned sum = 0;
  for (std::size_t i = 0; i < sizeof filled; ++i) sum += bytes[i];
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(filled.checksum, digits.data(), 6);
  filled.checksum[6] = '\0';
  return {reinterpret_cast<const char*>(&filled), sizeof filled};
}

// "length key=value\n", the length counting its own digits.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

std::string pax_time(FileTime time) {
  if (time.nanoseconds == 0) return std::to_string(time.seconds);
  std::int64_t seconds = time.seconds;
  std::uint32_t nanoseconds = time.nanoseconds;
  const bool negative = seconds < 0;
  if (negative) {  // -1.25 is written with the fraction counting away from zero
    seconds = -(seconds + 1);
    nanoseconds = 1'000'000'000 - nanoseconds;
  }
  std::string text = fmt::format("{}{}.{:09}", negative ? "-" : "", seconds, nanoseconds);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

struct Headers {
  Ustar ustar{};
  std::map<std::string, std::string> pax;  // in the order of the keys
};

// Splits a long ASCII name into prefix and name at a '/', as ustar allows; false when it cannot be split.
bool split_name(std::string_view path, Ustar& header) {
  if (path.size() > sizeof header.prefix + 1 + sizeof header.name) return false;
  const std::size_t first = path.size() - sizeof header.name - 1;
  const auto slash = path.find('/', first);
  if (slash == std::string_view::npos || slash > sizeof header.prefix || slash + 1 == path.size()) return false;
  put_text(header.prefix, path.substr(0, slash));
  put_text(header.name, path.substr(slash + 1));
  return true;
}

void put_name(std::string_view path, Headers& headers) {
  if (is_ascii(path)) {
    if (path.size() <= sizeof headers.ustar.name) {
      put_text(headers.ustar.name, path);
      return;
    }
    if (split_name(path, headers.ustar)) return;
  }
  headers.pax["path"] = path;
  put_text(headers.ustar.name, path);
}

void put_number_or_pax(std::uint64_t value, std::uint64_t largest, const char* key, Headers& headers) {
  if (value > largest) headers.pax[key] = std::to_string(value);
}

Headers make_headers(const TarEntry& entry) {
  Headers headers;
  Ustar& ustar = headers.ustar;
  put_name(entry.type == FileType::directory ? entry.path + "/" : entry.path, headers);
  put_octal(ustar.mode, entry.mode & 07777);
  put_octal(ustar.uid, entry.uid);
  put_octal(ustar.gid, entry.gid);
  put_number_or_pax(entry.uid, largest_octal_7, "uid", headers);
  put_number_or_pax(entry.gid, largest_octal_7, "gid", headers);
  const std::uint64_t size = entry.type == FileType::regular ? entry.size : 0;
  put_octal(ustar.size, size);
  put_number_or_pax(size, largest_octal_11, "size", headers);
  const bool plain_time = entry.mtime.nanoseconds == 0 && entry.mtime.seconds >= 0 &&
                          static_cast<std::uint64_t>(entry.mtime.seconds) <= largest_octal_11;
  put_octal(ustar.mtime, entry.mtime.seconds >= 0 ? static_cast<std::uint64_t>(entry.mtime.seconds) : 0);
  if (!plain_time) headers.pax["mtime"] = pax_time(entry.mtime);
  ustar.type = type_flag(entry.type);
  if (!entry.link_target.empty()) {
    put_text(ustar.link_name, entry.link_target);
    if (entry.link_target.size() > sizeof ustar.link_name || !is_ascii(entry.link_target))
      headers.pax["linkpath"] = entry.link_target;
  }
  put_text(ustar.magic, std::string_view("ustar\0", 6));
  put_text(ustar.version, "00");
  if (entry.type == FileType::char_device || entry.type == FileType::block_device) {
    put_octal(ustar.device_major, entry.device_major);
    put_octal(ustar.device_minor, entry.device_minor);
  } else {
    put_octal(ustar.device_major, 0);
    put_octal(ustar.device_minor, 0);
  }
  for (const auto& [name, value] : entry.xattrs) headers.pax["SCHILY.xattr." + name] = value;
  return headers;
}

// The pax header is an entry of its own; its name is for readers that do not know pax.
std::string pax_entry(const std::string& path, const std::string& records) {
  Ustar header{};
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  const std::string name = directory + "PaxHeaders.0/" + path.substr(slash == std::string::npos ? 0 : slash + 1);
  std::string ascii;
  for (const char c : name) ascii += static_cast<unsigned char>(c) < 0x80 ? c : '_';
  put_text(header.name, std::string_view(ascii).substr(0, sizeof header.name));
  put_octal(header.mode, 0);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, records.size());
  put_octal(header.mtime, 0);
  header.type = 'x';
  put_text(header.magic, std::string_view("ustar\0", 6));
  put_text(header.version, "00");
  put_octal(header.device_major, 0);
  put_octal(header.device_minor, 0);
  std::string bytes = block_of(header) + records;
  bytes.resize(bytes.size() + tar_padding(records.size()), '\0');
  return bytes;
}

}  // namespace

std::string tar_header(const TarEntry& entry) {
  const Headers headers = make_headers(entry);
  std::string bytes;
  if (!headers.pax.empty()) {
    std::string records;
    for (const auto& [key, value] : headers.pax) records += pax_record(key, value);
    bytes = pax_entry(entry.path, records);
  }
  return bytes + block_of(headers.ustar);
}

std::size_t tar_padding(std::uint64_t size) { return static_cast<std::size_t>((tar_block - size % tar_block) % tar_block); }

}  // namespace kiln::oci
