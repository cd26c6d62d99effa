#include "core/access/residency.h"

#include "core/window/window_table.h"
#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::Call;
using test::kKiB;
using test::kMiB;
using test::Rig;

constexpr uint64_t kRegion = 2 * kMiB;

// An 8 MiB device, all of it in memory, behind one window.
struct ResidentRig : Rig {
  explicit ResidentRig(uint64_t begin = 0)
      : Rig(8 * kMiB, begin, 8 * kMiB - begin),
        table(*channel->windows(), mode(), Geometry(8 * kMiB, 1)),
        window(*table.Find({begin})),
        residency(*channel->windows(), {begin}, {8 * kMiB}) {
    file.Fill();
    host.clock = 1000;
  }
  uint64_t Asked() const { return host.calls(Call::kMincore); }
  bool Check(uint64_t at, size_t size) { return residency.Check(window, {at}, size); }

  WindowTable table;
  WindowRef window;
  Residency residency;
};

TEST_CASE("pages that were just written are in memory") {
  ResidentRig rig;
  CHECK(rig.Check(0, 512));
  CHECK(rig.Check(8 * kMiB - 512, 512));
  CHECK(rig.Check(0, 8 * kMiB));
}

TEST_CASE("an answer holds for its region and for 100 ms") {
  ResidentRig rig;
  CHECK(rig.Check(0, 512));
  const uint64_t asked = rig.Asked();
  CHECK(asked > 0);
  rig.host.clock = 1099;
  CHECK(rig.Check(kRegion - 512, 512));
  CHECK(rig.Asked() == asked);
  CHECK(rig.Check(kRegion - 512, 1024));  // one byte into the next region asks for that one
  CHECK(rig.Asked() == 2 * asked);
  rig.host.clock = 1100;
  CHECK(rig.Check(0, 512));
  CHECK(rig.Asked() == 3 * asked);
}

TEST_CASE("a clock that wraps around, or stands at 0, is only a clock") {
  ResidentRig rig;
  for (const uint32_t wraps : {UINT32_MAX, UINT32_MAX / 2}) {
    rig.host.clock = wraps - 10;
    CHECK(rig.Check(0, 512));
    const uint64_t asked = rig.Asked();
    rig.host.clock = wraps + 50;
    CHECK(rig.Check(0, 512));
    CHECK(rig.Asked() == asked);
  }
  rig.host.clock = 0;  // 0 is what "never asked" looks like, for a no more than for a yes
  CHECK(rig.Check(kRegion, 512));
  rig.file.Truncate(2 * kRegion);
  CHECK_FALSE(rig.Check(2 * kRegion, 512));
  const uint64_t asked = rig.Asked();
  rig.host.clock = 1;
  CHECK(rig.Check(kRegion, 512));
  CHECK_FALSE(rig.Check(2 * kRegion, 512));
  CHECK(rig.Asked() == asked);
}

TEST_CASE("one page that is not in memory makes the answer no, which holds as long as a yes") {
  ResidentRig rig;
  rig.file.Truncate(kRegion + 16 * kKiB);  // what is cut off is in no memory
  CHECK(rig.Check(0, 512));
  CHECK_FALSE(rig.Check(kRegion, 512));
  const uint64_t asked = rig.Asked();
  rig.file.Truncate(8 * kMiB);
  rig.file.Fill();
  rig.host.clock = 1099;
  CHECK_FALSE(rig.Check(kRegion, 512));
  CHECK(rig.Asked() == asked);
  rig.host.clock = 1100;
  CHECK(rig.Check(kRegion, 512));
}

TEST_CASE("part of a region is asked for at once, whatever was known of it") {
  ResidentRig rig;
  rig.file.Truncate(kRegion + 16 * kKiB);
  CHECK_FALSE(rig.Check(kRegion, 512));
  CHECK(rig.residency.Ask(rig.window, kRegion, 16 * kKiB));
  CHECK_FALSE(rig.residency.Ask(rig.window, kRegion + kMiB, kMiB));
  CHECK(rig.residency.Ask(rig.window, kRegion + 100, 16 * kKiB - 100));
}

TEST_CASE("a host that cannot tell means no") {
  ResidentRig rig;
  rig.host.Fail(Call::kMincore, ENOMEM);
  CHECK_FALSE(rig.Check(0, 512));
  rig.host.clock = 2000;
  CHECK(rig.Check(0, 512));
}

TEST_CASE("a host that says \"all of it\" to strangers is not asked") {
  Rig rig(8 * kMiB);
  rig.file.Fill();
  rig.host.tells_residency = false;
  WindowTable table(*rig.channel->windows(), rig.mode(), rig.Geometry(8 * kMiB, 1));
  Residency residency(*rig.channel->windows(), {0}, {8 * kMiB});
  CHECK_FALSE(residency.Check(*table.Find({0}), {0}, 512));
  CHECK(rig.host.calls(Call::kMincore) == 0);
}

TEST_CASE("only pages of the window are asked for, wherever the range begins") {
  ResidentRig rig(3 * kMiB + 512);
  CHECK(rig.Check(3 * kMiB + 512, 512));
  CHECK(rig.Check(8 * kMiB - 1, 1));
  for (const auto& call : rig.host.Journal(Call::kMincore)) CHECK(call.size <= kRegion);
}

}  // namespace
}  // namespace blk
