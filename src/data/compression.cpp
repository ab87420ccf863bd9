#include "data/compression.h"

#include <brotli/decode.h>
#include <lz4.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft {
namespace {

constexpr std::string_view kGzip = "\x1f\x8b", kZstd = "\x28\xb5\x2f\xfd";

// Room for what is unpacked at once.
std::string piece_of(uint64_t most_bytes) {
  constexpr uint64_t kPiece = 1 << 18;
  return std::string(std::clamp<uint64_t>(most_bytes, 1, kPiece), '\0');
}

bool begins_with(std::string_view bytes, std::string_view mark) {
  return bytes.substr(0, mark.size()) == mark;
}

[[noreturn]] void fail_cut_off(const std::string& where, const std::string& kind) {
  fail_input(where, "is cut off: its " + kind + " data does not end", "copy or download it again");
}

[[noreturn]] void fail_damaged(const std::string& where, const std::string& kind, const std::string& why) {
  fail_input(where, "its " + kind + " data is damaged" + (why.empty() ? "" : " (" + why + ")"),
             "copy or download it again");
}

void append(std::string& whole, std::string_view piece, const std::string& where, uint64_t most_bytes) {
  stop_if_interrupted();
  if (whole.size() + piece.size() > most_bytes)
    fail_input(where, "unpacks to more than " + std::to_string(most_bytes) + " bytes");
  whole += piece;
}

struct Inflater : z_stream {
  Inflater() : z_stream{} {
    if (inflateInit2(this, MAX_WBITS + 32) != Z_OK) throw memory_error();  // 32: gzip's or zlib's head
  }
  ~Inflater() { inflateEnd(this); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

}  // namespace

std::string unpack_gzip(std::string_view packed, const std::string& where, uint64_t most_bytes) {
  Inflater zlib;
  std::string whole, piece = piece_of(most_bytes);
  for (int state = Z_OK; state != Z_STREAM_END || !packed.empty();) {
    if (state == Z_STREAM_END) {
      if (!begins_with(packed, kGzip)) fail_damaged(where, "gzip", "other bytes follow it");
      inflateReset(&zlib);
    }
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    zlib.avail_in = static_cast<uInt>(std::min<size_t>(packed.size(), std::numeric_limits<uInt>::max()));
    zlib.next_out = reinterpret_cast<Bytef*>(piece.data());
    zlib.avail_out = static_cast<uInt>(piece.size());
    const size_t given = zlib.avail_in;
    state = inflate(&zlib, Z_NO_FLUSH);
    if (state == Z_MEM_ERROR) throw memory_error();
    if (state == Z_BUF_ERROR) fail_cut_off(where, "gzip");
    if (state != Z_OK && state != Z_STREAM_END) fail_damaged(where, "gzip", zlib.msg ? zlib.msg : "");
    packed.remove_prefix(given - zlib.avail_in);
    append(whole, {piece.data(), piece.size() - zlib.avail_out}, where, most_bytes);
  }
  return whole;
}

std::string unpack_zstd(std::string_view packed, const std::string& where, uint64_t most_bytes) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> zstd(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!zstd) throw memory_error();
  std::string whole, piece = piece_of(most_bytes);
  ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
  for (size_t missing = 1; missing > 0 || in.pos < in.size;) {
    ZSTD_outBuffer out = {piece.data(), piece.size(), 0};
    const size_t before = in.pos;
    missing = ZSTD_decompressStream(zstd.get(), &out, &in);
    if (ZSTD_isError(missing)) fail_damaged(where, "zstd", ZSTD_getErrorName(missing));
    append(whole, {piece.data(), out.pos}, where, most_bytes);
    if (missing > 0 && in.pos == before && out.pos == 0) fail_cut_off(where, "zstd");
  }
  return whole;
}

std::string unpack_snappy(std::string_view packed, const std::string& where, uint64_t most_bytes) {
  constexpr size_t kMostGain = 64;  // three bytes copy 64 at most
  size_t bytes = 0;
  std::string whole;
  if (!snappy::GetUncompressedLength(packed.data(), packed.size(), &bytes) || bytes > most_bytes ||
      bytes / kMostGain > packed.size() || !snappy::Uncompress(packed.data(), packed.size(), &whole))
    fail_damaged(where, "Snappy", "");
  return whole;
}

std::string unpack_brotli(std::string_view packed, const std::string& where, uint64_t most_bytes) {
  const std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> brotli(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  if (!brotli) throw memory_error();
  std::string whole, piece = piece_of(most_bytes);
  const auto* in = reinterpret_cast<const uint8_t*>(packed.data());
  size_t left = packed.size();
  for (BrotliDecoderResult state = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
       state == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;) {
    auto* out = reinterpret_cast<uint8_t*>(piece.data());
    size_t room = piece.size();
    state = BrotliDecoderDecompressStream(brotli.get(), &left, &in, &room, &out, nullptr);
    append(whole, {piece.data(), piece.size() - room}, where, most_bytes);
    if (state == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) fail_cut_off(where, "Brotli");
    if (state == BROTLI_DECODER_RESULT_ERROR) fail_damaged(where, "Brotli", "");
  }
  return whole;
}

std::string unpack_lz4_frame(std::string_view packed, const std::string& where, uint64_t most_bytes) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION))) throw memory_error();
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> lz4(made, LZ4F_freeDecompressionContext);
  std::string whole, piece = piece_of(most_bytes);
  for (size_t missing = 1; missing > 0;) {
    size_t out = piece.size(), in = packed.size();
    missing = LZ4F_decompress(lz4.get(), piece.data(), &out, packed.data(), &in, nullptr);
    if (LZ4F_isError(missing)) fail_damaged(where, "LZ4", LZ4F_getErrorName(missing));
    packed.remove_prefix(in);
    append(whole, {piece.data(), out}, where, most_bytes);
    if (missing > 0 && in == 0 && out == 0) fail_cut_off(where, "LZ4");
  }
  return whole;
}

std::string unpack_lz4_block(std::string_view packed, const std::string& where, uint64_t bytes) {
  constexpr uint64_t kMostGain = 256, kMost = LZ4_MAX_INPUT_SIZE;  // a byte is a length of 255 more at most
  if (bytes > kMost || packed.size() > kMost || bytes / kMostGain > packed.size())
    fail_damaged(where, "LZ4", "");
  std::string whole(bytes, '\0');
  const int made = LZ4_decompress_safe(packed.data(), whole.data(), static_cast<int>(packed.size()),
                                       static_cast<int>(bytes));
  if (made < 0 || static_cast<uint64_t>(made) != bytes) fail_damaged(where, "LZ4", "");
  return whole;
}

std::string unpacked_file(std::string bytes, const std::string& where, uint64_t most_bytes) {
  if (begins_with(bytes, kGzip)) return unpack_gzip(bytes, where, most_bytes);
  if (begins_with(bytes, kZstd)) return unpack_zstd(bytes, where, most_bytes);
  return bytes;
}

}  // namespace sdft
