#include "data/compression.h"

#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

#include "base/error.h"
#include "base/file.h"
#include "data/dataset.h"
#include "testing.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kLines = R"({"instruction": "Add 1 and 2.", "output": "3"}
{"instruction": "Add 2 and 2.", "output": "4"}
)";

std::string gzip(const std::string& text) {
  z_stream zlib{};
  deflateInit2(&zlib, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&zlib, text.size()), '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib.avail_in = static_cast<uInt>(text.size());
  zlib.next_out = reinterpret_cast<Bytef*>(packed.data());
  zlib.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  packed.resize(zlib.total_out);
  deflateEnd(&zlib);
  return packed;
}

// With a checksum, as the zstd program writes.
std::string zstd(const std::string& text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

class CompressedDataset : public ::testing::Test {
 protected:
  Dataset read(const std::string& name, const std::string& bytes) {
    write_file_atomic(dir_ / name, bytes);
    return read_dataset(dir_ / name);
  }
  std::string fault(const std::string& name, const std::string& bytes) {
    try {
      read(name, bytes);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr((dir_ / name).string()));
      return error.what();
    }
    return "no error";
  }
  sdft::testing::ScratchDir dir_;
};

TEST_F(CompressedDataset, IsToldByItsFirstBytes) {
  for (const char* name : {"train.jsonl.gz", "train.jsonl.zst", "train.jsonl", "train.json.gz"})
    for (const std::string& bytes : {gzip(kLines), zstd(kLines), std::string(kLines)}) {
      const Dataset data = read(name, bytes);
      EXPECT_EQ(data.name, "train");
      EXPECT_EQ(data.sha256, sha256(bytes));
      ASSERT_EQ(data.examples.size(), 2u) << name;
      EXPECT_EQ(data.examples[1].response, "4");
      EXPECT_THAT(data.examples[1].where, HasSubstr(":2"));
    }
  EXPECT_EQ(read("t.csv.gz", gzip("\xef\xbb\xbfinstruction;output\na,b;c\n")).examples[0].instruction, "a,b");
  EXPECT_EQ(read("t.csv.zst", zstd("instruction,output\na,b\n")).examples[0].response, "b");
}

// As `cat a.gz b.gz` and parallel compressors write; much longer unpacked than one piece.
TEST_F(CompressedDataset, OfSeveralMembers) {
  std::string many;
  for (int i = 0; i < 20000; ++i)
    many += "{\"instruction\": \"" + std::to_string(i) + "\", \"output\": \"x\"}\n";
  EXPECT_EQ(read("m.jsonl.gz", gzip(many) + gzip(kLines) + gzip(many)).examples.size(), 40002u);
  EXPECT_EQ(read("m.jsonl.zst", zstd(many) + zstd(kLines)).examples.size(), 20002u);
}

TEST_F(CompressedDataset, ThatIsCutOffOrDamagedIsRefused) {
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>("d.jsonl.gz", gzip(kLines)),
                                    std::pair<std::string, std::string>("d.jsonl.zst", zstd(kLines))}) {
    for (size_t kept = 4; kept < bytes.size(); ++kept)
      EXPECT_THAT(fault(name, bytes.substr(0, kept)), HasSubstr("is cut off")) << kept;
    std::string damaged = bytes;
    damaged[bytes.size() - 5] ^= 1;
    EXPECT_THAT(fault(name, damaged), HasSubstr("is damaged"));
    EXPECT_THAT(fault(name, bytes + "more"), HasSubstr("is damaged"));
  }
  EXPECT_THAT(fault("u.gz", gzip(kLines)), HasSubstr("unknown kind of dataset ''"));
}

TEST(Unpacked, IsNotLongerThanAllowed) {
  const std::string zeros(1 << 20, '\0');
  EXPECT_EQ(unpack_gzip(gzip(zeros), "x", zeros.size()), zeros);
  EXPECT_EQ(unpack_zstd(zstd(zeros), "x", zeros.size()), zeros);
  EXPECT_THROW(unpack_gzip(gzip(zeros), "x", zeros.size() - 1), Error);
  EXPECT_THROW(unpack_zstd(zstd(zeros), "x", zeros.size() - 1), Error);
  EXPECT_THROW(unpack_snappy("\xff\xff\xff\xff\x0f", "x", 1ull << 40), Error);
}

}  // namespace
}  // namespace sdft
