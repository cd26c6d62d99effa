#include "core/base/aligned_buffer.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "test/support/check.h"

namespace blk {
namespace {

static_assert(!std::is_copy_constructible_v<AlignedBuffer>);

TEST_CASE("memory starts at a page, whatever the size, and all of it can be used") {
  for (const size_t size : {size_t{1}, size_t{511}, size_t{4096}, size_t{4097}, size_t{1} << 20}) {
    AlignedBuffer buffer(size);
    REQUIRE(buffer.data() != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % 4096 == 0);
    std::memset(buffer.data(), 0x5a, size);
    CHECK(buffer.data()[0] == 0x5a);
    CHECK(buffer.data()[size - 1] == 0x5a);
  }
}

TEST_CASE("no size, no memory") {
  CHECK(AlignedBuffer().data() == nullptr);
  CHECK(AlignedBuffer(0).data() == nullptr);
}

TEST_CASE("a size that rounds up beyond the address space gives no memory") {
  // The first would wrap to a small allocation, the others ask for more than there is.
  CHECK(AlignedBuffer(SIZE_MAX).data() == nullptr);
  CHECK(AlignedBuffer(SIZE_MAX - AlignedBuffer::kAlignment + 1).data() == nullptr);
}

TEST_CASE("moving hands the memory on") {
  AlignedBuffer from(8192);
  uint8_t* const memory = from.data();
  AlignedBuffer to = std::move(from);
  CHECK(to.data() == memory);
  CHECK(from.data() == nullptr);
}

}  // namespace
}  // namespace blk
