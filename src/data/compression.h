// Compressed bytes made whole again: gzip and zstd (files, pages of Parquet), Snappy, Brotli (pages) and LZ4
// (pages: a block; Arrow's buffers: a frame).
//
// All functions throw Error(kInput) naming `where`: data that is cut off, damaged, or longer than
// `most_bytes` when unpacked; memory grows with what is really there, never with what a header claims. They
// stop once `interrupted` is set. Thread safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sdft {

std::string unpack_gzip(std::string_view packed, const std::string& where, uint64_t most_bytes);
std::string unpack_zstd(std::string_view packed, const std::string& where, uint64_t most_bytes);
std::string unpack_snappy(std::string_view packed, const std::string& where, uint64_t most_bytes);
std::string unpack_brotli(std::string_view packed, const std::string& where, uint64_t most_bytes);
std::string unpack_lz4_frame(std::string_view packed, const std::string& where, uint64_t most_bytes);
// A block does not say where it ends: the room that it is unpacked into is `bytes`, which it must fill.
std::string unpack_lz4_block(std::string_view packed, const std::string& where, uint64_t bytes);

// Whole files: several gzip members or zstd frames are read one after the other. What begins with the mark of
// neither is returned as it is.
std::string unpacked_file(std::string bytes, const std::string& where, uint64_t most_bytes);

}  // namespace sdft
