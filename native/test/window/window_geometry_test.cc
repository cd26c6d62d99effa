// WindowGeometry: where windows start and end, for ranges that begin anywhere in the host file.

#include "core/window/window.h"
#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::kGiB;
using test::kMiB;

WindowGeometry Range(uint64_t begin, uint64_t end, uint64_t size = kMiB) {
  WindowGeometry geometry;
  geometry.size = size;
  geometry.begin = {begin};
  geometry.end = {end};
  return geometry;
}

TEST_CASE("B7: the windows that a range needs are counted in medium coordinates") {
  CHECK(Range(0, 20 * kMiB).needed() == 20);
  CHECK(Range(0, 1).needed() == 1);
  CHECK(Range(0, kMiB).needed() == 1);
  CHECK(Range(0, kMiB + 1).needed() == 2);
  CHECK(Range(5 * kMiB, 6 * kMiB).needed() == 1);  // offset beyond the size: the seed made none
  CHECK(Range(kMiB - 1, kMiB + 1).needed() == 2);  // two bytes on both sides of an edge
  CHECK(Range(100 * kMiB + 1, 101 * kMiB).needed() == 1);
  CHECK(Range(512, 512).needed() == 0);
  CHECK(Range(5 * kMiB + 512, 6 * kMiB).first() == 5);
}

TEST_CASE("B6: a window ends at the end of the range in the host file") {
  const WindowGeometry geometry = Range(5 * kMiB + 512, 7 * kMiB + 1024);
  CHECK(geometry.LengthAt(5 * kMiB) == kMiB);
  CHECK(geometry.LengthAt(6 * kMiB) == kMiB);
  CHECK(geometry.LengthAt(7 * kMiB) == 1024);
}

TEST_CASE("B3: the start of a window keeps the bits from 32 up") {
  const WindowGeometry geometry = Range(0, 8 * kGiB);
  CHECK(geometry.StartOf({4 * kGiB + 123}) == 4 * kGiB);
  CHECK(geometry.StartOf({4 * kGiB + kMiB}) == 4 * kGiB + kMiB);
  CHECK(geometry.StartOf({4 * kGiB - 1}) == 4 * kGiB - kMiB);
}

TEST_CASE("B31: windows beyond 4 GiB in all are counted as what they are") {
  CHECK(Range(0, 16 * kGiB, kGiB).needed() == 16);
  CHECK(Range(0, 16 * kGiB, kGiB).LengthAt(15 * kGiB) == kGiB);
  CHECK(Range(0, 8 * kGiB, 4 * kGiB).LengthAt(4 * kGiB) == 4 * kGiB);
}

}  // namespace
}  // namespace blk
