#include "core/label/content_probe.h"
// Over 300 lines: a table of signatures, and one small function for each format that has no text of its own.

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/base/byte_order.h"
#include "core/base/units.h"

namespace blk {
namespace {

using namespace std::string_view_literals;

constexpr uint64_t kKiB = 1024;
// As far as the signatures of nearly all reach; zeros stand for what the part has not.
constexpr uint64_t kHeadBytes = 72 * kKiB;

// The first bytes of the part, and where it lies.
struct Head {
  std::vector<uint8_t> bytes;
  uint64_t begin = 0;
  uint64_t size = 0;  // of the part

  bool Says(uint64_t at, std::string_view text) const { return std::memcmp(&bytes[at], text.data(), text.size()) == 0; }
  template <typename T>
  T Number(uint64_t at, ByteOrder order = ByteOrder::kLittle) const {
    return Load<T>(&bytes[at], order);
  }
};

// Offsets from the start of the part.
Content Found(const Head& head, std::string_view type, ByteRange signature, ByteRange header) {
  return {type,
          {head.begin + signature.begin, head.begin + signature.end},
          {head.begin + header.begin, head.begin + header.end}};
}

// Those that a text alone tells. The header is as long as what nobody else may write into.
struct Known {
  std::string_view type;
  uint32_t at;
  std::string_view text;
  ByteRange header;
};
constexpr Known kKnown[] = {
    {"crypto_LUKS", 0, "LUKS\xba\xbe"sv, {0, 4 * kKiB}},
    // The second header of LUKS2 tells of it alone, too; where it is depends on the size of the first.
    {"crypto_LUKS", 16 * kKiB, "SKUL\xba\xbe"sv, {16 * kKiB, 20 * kKiB}},
    {"crypto_LUKS", 32 * kKiB, "SKUL\xba\xbe"sv, {32 * kKiB, 36 * kKiB}},
    {"crypto_LUKS", 64 * kKiB, "SKUL\xba\xbe"sv, {64 * kKiB, 68 * kKiB}},
    {"BitLocker", 3, "-FVE-FS-"sv, {0, 8 * kKiB}},
    {"ntfs", 3, "NTFS    "sv, {0, 8 * kKiB}},
    {"exfat", 3, "EXFAT   "sv, {0, 12 * kKiB}},
    {"ReFS", 3, "ReFS\0\0\0\0"sv, {0, 8 * kKiB}},
    {"xfs", 0, "XFSB"sv, {0, 2 * kKiB}},
    {"exfs", 0, "EXFS"sv, {0, 2 * kKiB}},
    {"squashfs", 0, "hsqs"sv, {0, kKiB}},
    {"squashfs3", 0, "sqsh"sv, {0, kKiB}},
    {"cramfs", 0, "\x45\x3d\xcd\x28"sv, {0, kKiB}},
    {"cramfs", 0, "\x28\xcd\x3d\x45"sv, {0, kKiB}},
    {"romfs", 0, "-rom1fs-"sv, {0, kKiB}},
    {"bfs", 0, "\xce\xfa\xad\x1b"sv, {0, kKiB}},
    {"ubi", 0, "UBI#"sv, {0, 4 * kKiB}},
    {"ubifs", 0, "\x31\x18\x10\x06"sv, {0, 4 * kKiB}},
    {"zonefs", 0, "SFOZ"sv, {0, 4 * kKiB}},
    {"apfs", 32, "NXSB"sv, {0, 4 * kKiB}},
    {"befs", 32, "BFS1"sv, {0, kKiB}},
    {"befs", 32, "1SFB"sv, {0, kKiB}},
    {"befs", 512 + 32, "BFS1"sv, {512, 3 * 512}},
    {"befs", 512 + 32, "1SFB"sv, {512, 3 * 512}},
    {"oracleasm", 32, "ORCLDISK"sv, {0, 4 * kKiB}},
    {"LVM1_member", 0, "HM\x01\0"sv, {0, kKiB}},
    {"LVM1_member", 0, "HM\x02\0"sv, {0, kKiB}},
    {"LVM2_member", 24, "LVM2 001"sv, {0, 512}},
    {"LVM2_member", 512 + 24, "LVM2 001"sv, {512, 4 * kKiB}},
    {"LVM2_member", 1024 + 24, "LVM2 001"sv, {1024, 4 * kKiB}},
    {"LVM2_member", 1536 + 24, "LVM2 001"sv, {1536, 4 * kKiB}},
    {"DM_snapshot_cow", 0, "SnAp"sv, {0, 4 * kKiB}},
    {"DM_verity_hash", 0, "verity\0\0"sv, {0, 4 * kKiB}},
    {"DM_integrity", 0, "integrt\0"sv, {0, 4 * kKiB}},
    {"vdo", 0, "dmvdo001"sv, {0, 4 * kKiB}},
    {"stratis", 512 + 4, "!Stra0tis\x86\xff\x02^\x41rh"sv, {512, kKiB}},
    {"stratis", 9 * 512 + 4, "!Stra0tis\x86\xff\x02^\x41rh"sv, {9 * 512, 10 * 512}},
    {"mpool", 0, "mpoolDev"sv, {0, 4 * kKiB}},
    {"ceph_bluestore", 0, "bluestore block device"sv, {0, 8 * kKiB}},
    {"drbdmanage_control_volume", 0, "$DRBDmgr=q"sv, {0, 4 * kKiB}},
    {"drbdproxy_datalog", 0, "DRBDdlh*"sv, {0, 4 * kKiB}},
    {"swsuspend", 0, "\xed\xc3\x02\xe9\x98\x56\xe5\x0c"sv, {0, 4 * kKiB}},
    {"linux_raid_member", 0, "\xfc\x4e\x2b\xa9\x01\0\0\0"sv, {0, kKiB}},
    {"linux_raid_member", 4 * kKiB, "\xfc\x4e\x2b\xa9\x01\0\0\0"sv, {4 * kKiB, 5 * kKiB}},
    {"vxfs", kKiB, "\xf5\xfc\x01\xa5"sv, {kKiB, 2 * kKiB}},
    {"vxfs", 8 * kKiB, "\xa5\x01\xfc\xf5"sv, {8 * kKiB, 9 * kKiB}},
    {"f2fs", kKiB, "\x10\x20\xf5\xf2"sv, {kKiB, 4 * kKiB}},
    {"erofs", kKiB, "\xe2\xe1\xf5\xe0"sv, {kKiB, 2 * kKiB}},
    {"hfsplus", kKiB, "H+\0\x04"sv, {kKiB, 2 * kKiB}},
    {"hfsplus", kKiB, "HX\0\x05"sv, {kKiB, 2 * kKiB}},
    {"ocfs2", kKiB, "OCFSV2"sv, {kKiB, 2 * kKiB}},
    {"ocfs2", 2 * kKiB, "OCFSV2"sv, {2 * kKiB, 4 * kKiB}},
    {"ocfs2", 4 * kKiB, "OCFSV2"sv, {4 * kKiB, 8 * kKiB}},
    {"ocfs2", 8 * kKiB, "OCFSV2"sv, {8 * kKiB, 16 * kKiB}},
    {"ocfs", 8 * kKiB, "OracleCFS"sv, {8 * kKiB, 9 * kKiB}},
    {"sysv", kKiB - 8, "\x20\x7e\x18\xfd"sv, {512, kKiB}},
    {"sysv", kKiB - 8, "\xfd\x18\x7e\x20"sv, {512, kKiB}},
    {"xenix", 2 * kKiB, "\x2b\x55\x44"sv, {kKiB, 3 * kKiB}},
    {"xenix", 2 * kKiB, "\x44\x55\x2b"sv, {kKiB, 3 * kKiB}},
    {"nss", 4 * kKiB, "SPB5"sv, {4 * kKiB, 8 * kKiB}},
    {"hpfs", 8 * kKiB, "\x49\xe8\x95\xf9"sv, {8 * kKiB, 9 * kKiB}},
    {"reiserfs", 8 * kKiB + 52, "ReIsErFs"sv, {8 * kKiB, 9 * kKiB}},
    {"reiserfs", 8 * kKiB + 20, "ReIsErFs"sv, {8 * kKiB, 9 * kKiB}},
    {"bcache",
     4 * kKiB + 24,
     "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"sv,
     {4 * kKiB, 5 * kKiB}},
    {"bcachefs",
     4 * kKiB + 24,
     "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"sv,
     {4 * kKiB, 5 * kKiB}},
    {"jfs", 32 * kKiB, "JFS1"sv, {32 * kKiB, 36 * kKiB}},
    {"iso9660", 32 * kKiB + 1, "CD001"sv, {32 * kKiB, 34 * kKiB}},
    {"iso9660", 32 * kKiB + 9, "CDROM"sv, {32 * kKiB, 34 * kKiB}},
    {"udf", 32 * kKiB + 1, "BEA01"sv, {32 * kKiB, 34 * kKiB}},
    {"btrfs", 64 * kKiB + 64, "_BHRfS_M"sv, {64 * kKiB, 68 * kKiB}},
    {"reiserfs", 64 * kKiB + 52, "ReIsEr"sv, {64 * kKiB, 65 * kKiB}},
    {"reiser4", 64 * kKiB, "ReIsEr4"sv, {64 * kKiB, 65 * kKiB}},
    // Not libblkid's, but nothing to divide either: the image of a disk in a format of virtual machines, by QEMU's name
    // of the format.
    {"qcow", 0, "QFI\xfb\0\0\0\x01"sv, {0, 64 * kKiB}},
    {"qcow2", 0, "QFI\xfb"sv, {0, 64 * kKiB}},
    {"qed", 0, "QED\0"sv, {0, 64 * kKiB}},
    {"vmdk", 0, "KDMV"sv, {0, 64 * kKiB}},
    {"vdi", 64, "\x7f\x10\xda\xbe"sv, {0, 64 * kKiB}},
    {"vhdx", 0, "vhdxfile"sv, {0, 64 * kKiB}},
    {"vpc", 0, "conectix"sv, {0, 64 * kKiB}},
    {"parallels", 0, "WithoutFreeSpace"sv, {0, 64 * kKiB}},
    {"parallels", 0, "WithouFreSpacExt"sv, {0, 64 * kKiB}},
};

// ext2 to 4: two bytes, and numbers that a superblock can have. Which of them it is its features tell, as in libblkid.
std::optional<Content> ProbeExt(const Head& head) {
  constexpr uint64_t kSuper = kKiB;
  constexpr uint64_t kMagicAt = kSuper + 56;
  constexpr uint32_t kMaxBlockShift = 6;
  constexpr uint32_t kJournal = 0x4, kJournalDevice = 0x8;
  constexpr uint32_t kExt3Incompatible = 0x2 | 0x4 | 0x10, kExt3ReadOnly = 0x1 | 0x2 | 0x4;
  const bool sane = head.Number<uint32_t>(kSuper) != 0 && head.Number<uint32_t>(kSuper + 4) != 0 &&
                    head.Number<uint32_t>(kSuper + 24) <= kMaxBlockShift;
  if (head.Number<uint16_t>(kMagicAt) != 0xef53 || !sane) return std::nullopt;
  const uint32_t incompatible = head.Number<uint32_t>(kSuper + 96);
  const bool beyond_ext3 =
      (incompatible & ~kExt3Incompatible) != 0 || (head.Number<uint32_t>(kSuper + 100) & ~kExt3ReadOnly) != 0;
  const bool journal = (head.Number<uint32_t>(kSuper + 92) & kJournal) != 0;
  const char* type = (incompatible & kJournalDevice) != 0 ? "jbd" : beyond_ext3 ? "ext4" : journal ? "ext3" : "ext2";
  return Found(head, type, {kMagicAt, kMagicAt + 2}, {kSuper, 2 * kSuper});
}

// A FAT is known by what its boot sector says of it: not all have a name, and boot loaders leave the names of dead
// ones.
std::optional<Content> ProbeFat(const Head& head) {
  const bool jumps = head.bytes[0] == 0xeb || head.bytes[0] == 0xe9;
  const uint64_t sector = head.Number<uint16_t>(11);
  const uint64_t reserved = head.Number<uint16_t>(14);
  const uint8_t cluster = head.bytes[13], fats = head.bytes[16], media = head.bytes[21];
  const uint64_t small = head.Number<uint16_t>(22);
  const uint64_t length = small != 0 ? small : head.Number<uint32_t>(36);
  const bool sane = sector >= kDevBsize && sector <= 4 * kKiB && IsPowerOfTwo(sector) && cluster != 0 &&
                    IsPowerOfTwo(cluster) && reserved != 0 && fats != 0 && fats <= 4 && length != 0 &&
                    (media == 0xf0 || media >= 0xf8);
  if (!jumps || !sane) return std::nullopt;
  // Up to the end of its tables; and the part ends somewhere.
  const uint64_t end = std::min((reserved + fats * length) * sector, std::max(head.size, sector));
  return Found(head, "vfat", {0, 90}, {0, end});
}

// Swap space ends its first page, of whichever size, with its name, or with that of a system that sleeps in it; the
// first KiB is not its own.
std::optional<Content> ProbeSwap(const Head& head) {
  for (uint64_t page = 4 * kKiB; page <= 64 * kKiB; page *= 2) {
    const uint64_t at = page - 10;
    const auto says = [&](std::string_view text) { return head.Says(at, text); };
    if (says("SWAPSPACE2") || says("SWAP-SPACE")) return Found(head, "swap", {at, page}, {kKiB, page});
    if (says("S1SUSPEND") || says("S2SUSPEND") || says("ULSUSPEND") || says("LINHIB0001")) {
      return Found(head, "swsuspend", {at, page}, {kKiB, page});
    }
  }
  return std::nullopt;
}

// Minix: two bytes in either byte order, and numbers that a superblock can have.
std::optional<Content> ProbeMinix(const Head& head) {
  constexpr uint64_t kSuper = kKiB, kMagicAt = kSuper + 16, kMagic3At = kSuper + 24;
  constexpr uint64_t kBlockBits = 8 * kKiB;
  for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
    const auto number16 = [&](uint64_t at) { return uint64_t{head.Number<uint16_t>(kSuper + at, order)}; };
    const auto number32 = [&](uint64_t at) { return uint64_t{head.Number<uint32_t>(kSuper + at, order)}; };
    const uint64_t magic = number16(16);
    const bool first = magic == 0x137f || magic == 0x138f, second = magic == 0x2468 || magic == 0x2478;
    const bool third = !first && !second && number16(24) == 0x4d5a;
    if (!first && !second && !third) continue;
    const uint64_t inodes = third ? number32(0) : number16(0);
    const uint64_t zones = first ? number16(2) : number32(20);
    const uint64_t inode_map = number16(third ? 6 : 4), zone_map = number16(third ? 8 : 6);
    const uint64_t first_zone = number16(third ? 10 : 8), zone_shift = number16(third ? 12 : 10);
    const bool sane = inodes != 0 && zone_shift == 0 && inode_map * kBlockBits > inodes && first_zone <= zones &&
                      zone_map * kBlockBits > zones - first_zone;
    if (!sane) continue;
    const uint64_t at = third ? kMagic3At : kMagicAt;
    const uint64_t block = third ? std::max<uint64_t>(number16(28), kKiB) : kKiB;
    // Its maps follow on the superblock.
    return Found(head, "minix", {at, at + 2}, {kSuper, (2 + inode_map + zone_map) * block});
  }
  return std::nullopt;
}

std::optional<Content> ProbeHfs(const Head& head) {
  constexpr uint64_t kSuper = kKiB;
  const uint32_t block = head.Number<uint32_t>(kSuper + 20, ByteOrder::kBig);
  if (!head.Says(kSuper, "BD") || block == 0 || block % kDevBsize != 0) return std::nullopt;
  // Most of those that are left are the envelope of an HFS+.
  const bool plus = head.Says(kSuper + 124, "H+") || head.Says(kSuper + 124, "HX");
  return Found(head, plus ? "hfsplus" : "hfs", {kSuper, kSuper + 2}, {kSuper, kSuper + kDevBsize});
}

std::optional<Content> ProbeNilfs(const Head& head) {
  constexpr uint64_t kSuper = kKiB;
  constexpr uint32_t kRevision = 2, kMaxBlockShift = 6;
  const uint64_t bytes = head.Number<uint16_t>(kSuper + 8);
  const bool sane = head.Number<uint32_t>(kSuper) == kRevision && bytes >= 128 && bytes <= kKiB &&
                    head.Number<uint32_t>(kSuper + 20) <= kMaxBlockShift;
  if (head.Number<uint16_t>(kSuper + 6) != 0x3434 || !sane) return std::nullopt;
  return Found(head, "nilfs2", {kSuper + 6, kSuper + 8}, {kSuper, 2 * kKiB});
}

std::optional<Content> ProbeGfs(const Head& head) {
  constexpr uint64_t kSuper = 64 * kKiB;
  if (!head.Says(kSuper, "\x01\x16\x19\x70")) return std::nullopt;
  const bool second = head.Number<uint32_t>(kSuper + 24, ByteOrder::kBig) >= 1800;
  return Found(head, second ? "gfs2" : "gfs", {kSuper, kSuper + 4}, {kSuper, kSuper + 4 * kKiB});
}

// VMFS, whose header lies behind the first MiB.
Result<std::optional<Content>> ProbeVmfs(TableSource& source, const Head& head) {
  constexpr uint64_t kMiB = 1024 * kKiB;
  const struct {
    std::string_view type;
    uint64_t at;
    uint32_t magic;
  } places[] = {{"VMFS_volume_member", kMiB, 0xc001d00d}, {"VMFS", 2 * kMiB, 0x2fabf15e}};
  for (const auto& place : places) {
    uint8_t magic[4];
    if (place.at + sizeof(magic) > head.size) continue;
    const Status status = source.Read(head.begin + place.at, magic, sizeof(magic));
    if (!status.ok()) return status;
    if (Load<uint32_t>(magic) != place.magic) continue;
    return std::optional(Found(head, place.type, {place.at, place.at + sizeof(magic)}, {place.at, place.at + kKiB}));
  }
  return std::optional<Content>();
}

// ZFS: the uberblocks in the second half of its first label, of which a pool has at least one.
Result<std::optional<Content>> ProbeZfs(TableSource& source, const Head& head) {
  constexpr uint64_t kRing = 128 * kKiB;
  constexpr uint64_t kMagic = 0x00bab10c;
  if (2 * kRing > head.size) return std::optional<Content>();
  std::vector<uint8_t> ring(kRing);
  const Status status = source.Read(head.begin + kRing, ring.data(), ring.size());
  if (!status.ok()) return status;
  for (uint64_t at = 0; at < kRing; at += kKiB) {
    for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
      if (Load<uint64_t>(&ring[at], order) != kMagic) continue;
      return std::optional(Found(head, "zfs_member", {kRing + at, kRing + at + 8}, {0, 2 * kRing}));
    }
  }
  return std::optional<Content>();
}

// UFS has its superblock at one of four places, in the byte order of its machine.
Result<std::optional<Content>> ProbeUfs(TableSource& source, const Head& head) {
  constexpr uint64_t kMagicAt = 1372;
  for (const uint64_t super : {8 * kKiB, 64 * kKiB, uint64_t{0}, 256 * kKiB}) {
    uint8_t magic[4];
    const uint64_t at = super + kMagicAt;
    if (at + sizeof(magic) > head.size) continue;
    const Status status = source.Read(head.begin + at, magic, sizeof(magic));
    if (!status.ok()) return status;
    for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
      const uint32_t number = Load<uint32_t>(magic, order);
      if (number != 0x00011954 && number != 0x19540119) continue;
      return std::optional(Found(head, "ufs", {at, at + sizeof(magic)}, {super, super + 2 * kKiB}));
    }
  }
  return std::optional<Content>();
}

}  // namespace

Result<std::optional<Content>> ProbeContent(TableSource& source, uint64_t begin, uint64_t size) {
  if (begin > source.size()) return std::optional<Content>();
  Head head{std::vector<uint8_t>(kHeadBytes), begin, std::min(size, source.size() - begin)};
  const size_t there = static_cast<size_t>(std::min<uint64_t>(kHeadBytes, head.size));
  const Status status = there == 0 ? Status::Ok() : source.Read(begin, head.bytes.data(), there);
  if (!status.ok()) return status;
  for (const Known& known : kKnown) {
    if (!head.Says(known.at, known.text)) continue;
    return std::optional(Found(head, known.type, {known.at, known.at + known.text.size()}, known.header));
  }
  for (const auto probe : {ProbeExt, ProbeFat, ProbeSwap, ProbeMinix, ProbeHfs, ProbeNilfs, ProbeGfs}) {
    if (auto content = probe(head)) return content;
  }
  for (const auto probe : {ProbeUfs, ProbeVmfs, ProbeZfs}) {
    auto content = probe(source, head);
    if (!content.ok() || content.value()) return content;
  }
  return std::optional<Content>();
}

Result<std::optional<Content>> ProbeEnd(TableSource& source, uint64_t begin, uint64_t size) {
  constexpr uint64_t kPage = 4 * kKiB, kChunk = 64 * kKiB;
  if (begin > source.size()) return std::optional<Content>();
  const Head part{{}, begin, AlignDown(std::min(size, source.size() - begin), kDevBsize)};
  const uint64_t end = part.size;
  // Version 1.0 of a RAID superblock in the last 8 to 12 KiB, 0.90 in the last 64 to 128, in the byte order of its
  // machine; the footer of a disk of a fixed size in the last sector.
  const struct {
    std::string_view type;
    uint64_t least;  // bytes of the part
    uint64_t at;
    std::string_view text;
    uint64_t length;
  } places[] = {
      {"linux_raid_member", 3 * kPage, AlignDown(end - 2 * kPage, kPage), "\xfc\x4e\x2b\xa9\x01\0\0\0"sv, kPage},
      {"linux_raid_member", 2 * kChunk, AlignDown(end, kChunk) - kChunk, "\xfc\x4e\x2b\xa9\0\0\0\0"sv, kPage},
      {"linux_raid_member", 2 * kChunk, AlignDown(end, kChunk) - kChunk, "\xa9\x2b\x4e\xfc\0\0\0\0"sv, kPage},
      {"vpc", 2 * kDevBsize, end - kDevBsize, "conectix"sv, kDevBsize},
  };
  for (const auto& place : places) {
    if (end < place.least) continue;
    char bytes[8];
    const Status status = source.Read(begin + place.at, reinterpret_cast<uint8_t*>(bytes), sizeof(bytes));
    if (!status.ok()) return status;
    if (std::string_view(bytes, sizeof(bytes)) != place.text) continue;
    const ByteRange header{place.at, place.at + place.length};
    return std::optional(Found(part, place.type, {place.at, place.at + place.text.size()}, header));
  }
  return std::optional<Content>();
}

}  // namespace blk
