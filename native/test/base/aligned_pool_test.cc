#include "core/base/aligned_pool.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

constexpr size_t kPlenty = SIZE_MAX;

TEST_CASE("memory that was given back is taken again, by a size of the same class alone") {
  AlignedPool pool;
  AlignedBuffer first = pool.Take(5000);
  uint8_t* const memory = first.data();
  REQUIRE(memory != nullptr);
  CHECK(reinterpret_cast<uintptr_t>(memory) % 4096 == 0);
  std::memset(memory, 1, 8192);  // the whole class
  pool.Give(std::move(first), 5000, kPlenty);
  AlignedBuffer small = pool.Take(4096);
  CHECK(small.data() != memory);
  AlignedBuffer again = pool.Take(8192);
  CHECK(again.data() == memory);
  AlignedBuffer another = pool.Take(8192);
  CHECK(another.data() != memory);
}

TEST_CASE("every size up to the largest gets that much, and beyond it nothing is kept") {
  AlignedPool pool;
  for (size_t size = 1; size <= 2 * AlignedPool::kLargest; size = size * 3 / 2 + 1) {
    for (int round = 0; round < 2; round++) {
      AlignedBuffer buffer = pool.Take(size);
      REQUIRE(buffer.data() != nullptr);
      std::memset(buffer.data(), round, size);
      pool.Give(std::move(buffer), size, kPlenty);
    }
  }
  CHECK(pool.Take(0).data() == nullptr);
  CHECK(pool.Take(SIZE_MAX).data() == nullptr);
  pool.Give(AlignedBuffer(), 4096, kPlenty);  // a request that never had memory
}

TEST_CASE("not more is kept than the owner says, and less when it says so later") {
  AlignedPool pool;
  constexpr size_t kMost = 4 * AlignedPool::kLargest;
  std::vector<AlignedBuffer> taken;
  for (size_t i = 0; i < 8; i++) taken.push_back(pool.Take(AlignedPool::kLargest));
  AlignedBuffer small = pool.Take(4096);
  pool.Give(std::move(small), 4096, kMost);
  for (AlignedBuffer& buffer : taken) pool.Give(std::move(buffer), AlignedPool::kLargest, kMost);
  CHECK(pool.kept() == 3 * AlignedPool::kLargest + 4096);
  pool.Shrink(AlignedPool::kLargest + 4096);
  CHECK(pool.kept() == AlignedPool::kLargest + 4096);
  pool.Shrink(4096);  // the largest go first
  CHECK(pool.kept() == 4096);
  pool.Shrink(0);
  CHECK(pool.kept() == 0);
}

TEST_CASE("the room of a size is what a buffer for it takes up") {
  CHECK(AlignedPool::RoomFor(0) == 0);
  CHECK(AlignedPool::RoomFor(1) == 4096);
  CHECK(AlignedPool::RoomFor(4097) == 8192);
  CHECK(AlignedPool::RoomFor(AlignedPool::kLargest) == AlignedPool::kLargest);
  CHECK(AlignedPool::RoomFor(AlignedPool::kLargest + 1) == AlignedPool::kLargest + 4096);
}

}  // namespace
}  // namespace blk
