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

const std::vector<Piece> kMinix = {{1024, "\x40\0\0\x20\x02\0\x02\0\x10\0"sv}, {1040, "\x8f\x13"}};

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
             {"ufs", {{65536 + 1372, "\x19\x54\x01\x19"}}},
             {"swsuspend", {{4086, "S1SUSPEND"}}},
             {"bfs", {{0, "\xce\xfa\xad\x1b"}}},
             {"squashfs3", {{0, "sqsh"}}},
             {"minix", kMinix},
             {"minix", {{1024, "\0\x40\x20\0\0\x02\0\x02\0\x10\0\0"sv}, {1040, "\x13\x8f"}}},
             {"minix", {{1024, "\0\0\0\x40\0\0\0\x02\0\x02\0\x10\0\0"sv}, {1044, "\0\0\x20\0\x4d\x5a"sv}}},
             {"hfs", {{1024, "BD"}, {1044, "\0\0\x10\0"sv}}},
             {"hfsplus", {{1024, "BD"}, {1044, "\0\0\x10\0"sv}, {1148, "H+"}}},
             {"nilfs2", {{1024, "\x02\0\0\0\0\0\x34\x34\0\x04"sv}}},
             {"gfs2", {{65536, "\x01\x16\x19\x70"}, {65560, "\0\0\x07\x09"sv}}},
             {"zfs_member", {{131072 + 5 * 1024, "\x0c\xb1\xba\0\0\0\0\0"sv}}},
             {"ocfs2", {{4096, "OCFSV2"}}},
             {"LVM2_member", {{1536 + 24, "LVM2 001"}}},
             {"stratis", {{516, "!Stra0tis\x86\xff\x02^\x41rh"}}},
             {"qcow2", {{0, "QFI\xfb\0\0\0\x03"sv}}},
             {"vdi", {{64, "\x7f\x10\xda\xbe"}}}};
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

TEST_CASE("content: magic numbers of two bytes need numbers beside them that can be") {
  CHECK(TypeOf(With({{1040, "\x8f\x13"}})) == "nothing");
  CHECK(TypeOf(With({kMinix[0], kMinix[1], {1034, "\x01"}})) == "nothing");  // zones of 2 KiB
  CHECK(TypeOf(With({{1024, "BD"}})) == "nothing");
  CHECK(TypeOf(With({{1030, "\x34\x34"}})) == "nothing");
}

TEST_CASE("content: what is known by its end alone") {
  const auto at_end = [](size_t size, size_t at, std::string_view text, uint64_t begin = 0) {
    std::vector<uint8_t> bytes(size);
    std::memcpy(&bytes[at], text.data(), text.size());
    test::MemorySource source(std::move(bytes));
    const auto content = ProbeEnd(source, begin, source.size() - begin);
    REQUIRE(content.ok());
    return content.value();
  };
  constexpr auto kVersion1 = "\xfc\x4e\x2b\xa9\x01\0\0\0"sv;
  constexpr auto kVersion0 = "\xfc\x4e\x2b\xa9\0\0\0\0"sv, kVersion0Big = "\xa9\x2b\x4e\xfc\0\0\0\0"sv;
  // 1000 KiB and a half: 1.0 lies 8 KiB and what is more than whole 4 KiB from the end, 0.90 in the last whole 64 KiB.
  constexpr size_t kSize = 1000 * 1024 + 512;
  CHECK(at_end(kSize, 992 * 1024, kVersion1)->type == "linux_raid_member");
  CHECK(at_end(kSize, 988 * 1024, kVersion1).has_value() == false);
  CHECK(at_end(kSize, 896 * 1024, kVersion0)->type == "linux_raid_member");
  CHECK(at_end(kSize, 896 * 1024, kVersion0Big)->type == "linux_raid_member");
  CHECK(at_end(kSize, kSize - 512, "conectix")->type == "vpc");
  CHECK(at_end(kSize, kSize - 512, "conectix")->header.begin == kSize - 512);
  CHECK(at_end(kSize, kSize - 512, "conectix", 4096)->header.begin == kSize - 512);
  for (const size_t size : {0, 511, 512, 1024, 12 * 1024, 128 * 1024}) {
    test::MemorySource source{std::vector<uint8_t>(size)};
    CHECK_FALSE(ProbeEnd(source, 0, source.size()).value().has_value());
    CHECK_FALSE(ProbeEnd(source, size + 1, 10).value().has_value());
  }
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
