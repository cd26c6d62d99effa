#include "core/base/units.h"

#include <cstdint>

#include "test/support/check.h"

namespace blk {
namespace {

TEST_CASE("a checked sum is given up to the edge of 64 bits and not beyond it") {
  CHECK(CheckedAdd(UINT64_MAX - 1, 1) == UINT64_MAX);
  CHECK_FALSE(CheckedAdd(UINT64_MAX, 1).has_value());
}

TEST_CASE("B5: sectors and positions belong together, up to the ends of 64 bits") {
  for (const int64_t blkno : {int64_t{0}, int64_t{7}, int64_t{-1}, int64_t{1} << 53, -(int64_t{1} << 53)}) {
    CHECK(PositionOfSector(blkno) == blkno * 512);
    CHECK(SectorAt(PositionOfSector(blkno)) == blkno);
    CHECK(SectorAt(PositionOfSector(blkno) + 511) == blkno);
  }
  CHECK(SectorAt(-1) == -1);
  for (const int64_t blkno : {int64_t{1} << 54, INT64_MAX}) CHECK(PositionOfSector(blkno) == INT64_MAX - 511);
  for (const int64_t blkno : {-(int64_t{1} << 54) - 1, INT64_MIN}) CHECK(PositionOfSector(blkno) == INT64_MIN);
}

TEST_CASE("blocks are counted by what they touch, and grow until there are few enough") {
  CHECK(BlocksIn({{0}, {1}}, 16) == 1);
  CHECK(BlocksIn({{65535}, {65537}}, 16) == 2);
  CHECK(BlocksIn({{65536}, {131072}}, 16) == 1);
  CHECK(ShiftFor({{0}, {uint64_t{16} << 16}}, 16, 16) == 16);
  CHECK(ShiftFor({{0}, {(uint64_t{16} << 16) + 1}}, 16, 16) == 17);
  CHECK(ShiftFor({{65535}, {(uint64_t{16} << 16) + 65535}}, 16, 16) == 17);  // 17 blocks are touched
  CHECK(ShiftFor({{0}, {kMaxSafeInteger}}, 16, uint64_t{1} << 20) == 33);
}

TEST_CASE("B3: alignment keeps the bits from 32 up") {
  CHECK(AlignDown((uint64_t{4} << 30) + 123, kDefaultWindowSize) == uint64_t{4} << 30);
  CHECK(AlignDown((uint64_t{6} << 40) + kDefaultWindowSize + 1, kDefaultWindowSize) ==
        (uint64_t{6} << 40) + kDefaultWindowSize);
  CHECK(AlignUp((uint64_t{4} << 30) + 1, 4096) == (uint64_t{4} << 30) + 4096);
}

TEST_CASE("alignment leaves multiples alone") {
  CHECK(AlignDown(8192, 4096) == 8192);
  CHECK(AlignUp(8192, 4096) == 8192);
  CHECK(AlignUp(8193, 4096) == 12288);
  CHECK(AlignDown(8191, 4096) == 4096);
  CHECK(AlignUp(0, 4096) == 0);
}

TEST_CASE("powers of two are told from their neighbours, and 0 is none") {
  CHECK_FALSE(IsPowerOfTwo(0));
  for (unsigned bit = 0; bit < 64; bit++) {
    const uint64_t power = uint64_t{1} << bit;
    CHECK(IsPowerOfTwo(power));
    if (bit >= 2) {
      CHECK_FALSE(IsPowerOfTwo(power - 1));
      CHECK_FALSE(IsPowerOfTwo(power + 1));
    }
  }
}

TEST_CASE("the constants are those of the seed") {
  CHECK(kDevBsize == 512);
  CHECK(kMaxPhys == 65536);
  CHECK(kDefaultMinorCount == 16);
  CHECK(kDefaultWindowSize == 1048576);
  CHECK(kDefaultWindowCount == 16);
  CHECK(kBlkfailMax == 10000);
  CHECK(kMaxPartitions == 16);
  CHECK(kMaxSafeInteger == 9007199254740991);
}

}  // namespace
}  // namespace blk
