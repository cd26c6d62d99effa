// A Sun label, and NetBSD's label inside it. What sfdisk makes: test/label/foreign-schemes.
#include "core/label/sun_label.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/label/write_table.h"
#include "test/support/check.h"
#include "test/support/memory_source.h"

namespace blk {
namespace {

using test::KindsOf;
using test::Medium;
using test::Names;
using test::Table;

constexpr ByteOrder kBig = ByteOrder::kBig;

// Two tracks of ten sectors a cylinder, and partition a at cylinder `first`.
void PutSun(Medium& medium, uint32_t first, uint32_t sectors) {
  uint8_t* label = medium.bytes.data();
  Store<uint16_t>(label + 436, 2, kBig);
  Store<uint16_t>(label + 438, 10, kBig);
  Store<uint32_t>(label + 444, first, kBig);
  Store<uint32_t>(label + 448, sectors, kBig);
  Store<uint16_t>(label + kSunMagicAt, 0xdabe, kBig);
  KeepSunSum(label);
}

TEST_CASE("sun: partitions begin at cylinders; one that is too far out is told") {
  Medium medium(1000);
  PutSun(medium, 3, 40);
  const PartitionTable table = Table(medium);
  CHECK(table.scheme == Scheme::kSun);
  CHECK(Names(table) == "a");
  CHECK(table.partitions[0].start == 60 * 512);
  CHECK(table.partitions[0].size == 40 * 512);

  medium.bytes[436] = medium.bytes[437] = medium.bytes[438] = medium.bytes[439] = 0xff;
  Store<uint32_t>(&medium.bytes[444], std::numeric_limits<uint32_t>::max(), kBig);
  KeepSunSum(medium.bytes.data());
  CHECK(KindsOf(Table(medium).verdicts) == std::vector{Verdict::Kind::kTooLarge});
}

TEST_CASE("sun: a disklabel inside goes first, and a change of it keeps the checksum around it") {
  Medium medium(1000);
  medium.PutLabel(128, {{100, 16, 0, 7, 0, 0}});
  PutSun(medium, 3, 40);
  PartitionTable table = Table(medium);
  CHECK(table.scheme == Scheme::kBsd);
  CHECK(table.position == 128);
  table.partitions[0].size = 50 * 512;
  const auto plan = PlanTable(medium, table);
  REQUIRE(plan.ok());
  REQUIRE_FALSE(HasVerdict(table));
  for (const auto& step : plan.value()) {
    for (const TableWrite& write : step) {
      std::copy(write.bytes.begin(), write.bytes.end(), medium.bytes.begin() + static_cast<ptrdiff_t>(write.position));
    }
  }
  CHECK(HasSunLabel(medium.bytes.data()));
  CHECK(Table(medium).partitions[0].size == 50 * 512);
}

}  // namespace
}  // namespace blk
