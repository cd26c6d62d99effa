// ProbeContent: what a medium begins with, signature by signature. What real tools make: test/label.
#include "core/label/content_probe.h"

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/check.h"
#include "test/support/memory_source.h"

namespace blk {
namespace {

using namespace std::string_view_literals;

struct Piece {
  size_t at;
  std::string_view text;
};

// A medium of zeros with these pieces on it, shifted by `begin`.
test::MemorySource With(const std::vector<Piece>& pieces, size_t begin = 0) {
  std::vector<uint8_t> bytes(512 * 1024);
  for (const Piece& piece : pieces) std::memcpy(&bytes[begin + piece.at], piece.text.data(), piece.text.size());
  return test::MemorySource(std::move(bytes));
}

std::string TypeOf(test::MemorySource source, uint64_t begin = 0) {
  const auto content = ProbeContent(source, begin, source.size() - begin);
  REQUIRE(content.ok());
  return std::string(content.value() ? content.value()->type : "nothing"sv);
}

const std::vector<Piece> kExt2 = {{1024, "\x10\0\0\0\x10\0\0\0"sv}, {1080, "\x53\xef"sv}};
const std::vector<Piece> kFat = {
    {0, "\xeb\x3c\x90"sv}, {11, "\0\x02\x04\x01\0\x02\0\x02"sv}, {21, "\xf8\x14\0"sv}, {510, "\x55\xaa"sv}};

TEST_CASE("content: each is known by its signature, wherever the part begins") {
  const struct {
    const char* type;
    std::vector<Piece> pieces;
  } all[] = {{"ext2", kExt2},
             {"vfat", kFat},
             {"ntfs", {{3, "NTFS    "}}},
             {"xfs", {{0, "XFSB"}}},
             {"btrfs", {{65536 + 64, "_BHRfS_M"}}},
             {"crypto_LUKS", {{0, "LUKS\xba\xbe"}}},
             {"iso9660", {{32769, "CD001"}}},
             {"swap", {{4086, "SWAPSPACE2"}}},
             {"swap", {{65526, "SWAPSPACE2"}}},
             {"ufs", {{8192 + 1372, "\x54\x19\x01\0"sv}}},
             {"ufs", {{65536 + 1372, "\x19\x54\x01\x19"}}}};
  for (const auto& content : all) {
    CAPTURE(content.type);
    CHECK(TypeOf(With(content.pieces)) == content.type);
    CHECK(TypeOf(With(content.pieces, 7 * 512), 7 * 512) == content.type);
    CHECK(TypeOf(With(content.pieces, 7 * 512)) == "nothing");
  }
}

TEST_CASE("content: positions count from the start of the medium") {
  auto source = With({{65536 + 64, "_BHRfS_M"}}, 1024);
  const auto content = ProbeContent(source, 1024, source.size() - 1024).value();
  REQUIRE(content.has_value());
  CHECK(content->signature.begin == 1024 + 65536 + 64);
  CHECK(content->header.begin == 1024 + 65536);
}

TEST_CASE("content: two bytes alone are no ext, and a boot sector without a BPB is no FAT") {
  CHECK(TypeOf(With({{1080, "\x53\xef"}})) == "nothing");
  CHECK(TypeOf(With({{0, "\xeb\x63\x90"}, {510, "\x55\xaa"}})) == "nothing");
}

TEST_CASE("content: a medium of any size is looked at as far as it goes") {
  for (const size_t size : {0, 1, 511, 512, 1081, 4096, 70000}) {
    test::MemorySource source{std::vector<uint8_t>(size)};
    CHECK_FALSE(ProbeContent(source, 0, source.size()).value().has_value());
    CHECK_FALSE(ProbeContent(source, size + 1, 10).value().has_value());
  }
}

}  // namespace
}  // namespace blk
