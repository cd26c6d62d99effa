#include "core/base/aligned_pool.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

TEST_CASE("memory that was given back is taken again, by a size of the same class alone") {
  AlignedPool pool;
  AlignedBuffer first = pool.Take(5000);
  uint8_t* const memory = first.data();
  REQUIRE(memory != nullptr);
  CHECK(reinterpret_cast<uintptr_t>(memory) % 4096 == 0);
  std::memset(memory, 1, 8192);  // the whole class
  pool.Give(std::move(first), 5000);
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
      pool.Give(std::move(buffer), size);
    }
  }
  CHECK(pool.Take(0).data() == nullptr);
  CHECK(pool.Take(SIZE_MAX).data() == nullptr);
  pool.Give(AlignedBuffer(), 4096);  // a request that never had memory
  CHECK(pool.kept() <= AlignedPool::kMostKept);
}

TEST_CASE("not more is kept than the limit") {
  AlignedPool pool;
  std::vector<AlignedBuffer> taken;
  constexpr size_t kCount = 2 * AlignedPool::kMostKept / AlignedPool::kLargest;
  for (size_t i = 0; i < kCount; i++) taken.push_back(pool.Take(AlignedPool::kLargest));
  for (AlignedBuffer& buffer : taken) pool.Give(std::move(buffer), AlignedPool::kLargest);
  CHECK(pool.kept() == AlignedPool::kMostKept);
  for (size_t i = 0; i < kCount; i++) CHECK(pool.Take(AlignedPool::kLargest).data() != nullptr);
  CHECK(pool.kept() == 0);
}

}  // namespace
}  // namespace blk
