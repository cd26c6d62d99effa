#include "core/workers/request_memory.h"

#include <utility>
#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

using Outcome = RequestMemory::Outcome;

constexpr size_t kPage = 4096;

TEST_CASE("issue 13: what requests have is bounded, and comes back") {
  RequestMemory memory(4 * kPage);
  std::vector<AlignedBuffer> taken(5);
  for (int i = 0; i < 4; i++) REQUIRE(memory.Take(kPage, &taken[i]) == Outcome::kTaken);
  CHECK(memory.used() == 4 * kPage);
  CHECK(memory.Take(1, &taken[4]) == Outcome::kFull);
  CHECK(taken[4].data() == nullptr);
  memory.Give(std::move(taken[0]), kPage);
  CHECK(memory.Take(1, &taken[4]) == Outcome::kTaken);
  CHECK(memory.Take(1, &taken[0]) == Outcome::kFull);
  for (int i = 1; i < 5; i++) memory.Give(std::move(taken[i]), kPage);
  memory.Give(AlignedBuffer(), kPage);  // of one that had none
  CHECK(memory.used() == 0);
  CHECK(memory.peak() == 4 * kPage);
}

TEST_CASE("issue 13: one that is larger than the limit gets its memory alone") {
  RequestMemory memory(4 * kPage);
  AlignedBuffer small;
  AlignedBuffer large;
  REQUIRE(memory.Take(kPage, &small) == Outcome::kTaken);
  CHECK(memory.Take(64 * kPage, &large) == Outcome::kFull);
  memory.Give(std::move(small), kPage);
  REQUIRE(memory.Take(64 * kPage, &large) == Outcome::kTaken);
  CHECK(memory.Take(kPage, &small) == Outcome::kFull);
  memory.Give(std::move(large), 64 * kPage);
  CHECK(memory.Take(kPage, &small) == Outcome::kTaken);
  memory.Give(std::move(small), kPage);
}

TEST_CASE("what is kept for later makes room for what is asked for now") {
  // Buffers of one page are kept up to the limit; one of another size takes their place.
  RequestMemory memory(4 * kPage);
  std::vector<AlignedBuffer> taken(4);
  for (AlignedBuffer& buffer : taken) REQUIRE(memory.Take(kPage, &buffer) == Outcome::kTaken);
  for (AlignedBuffer& buffer : taken) memory.Give(std::move(buffer), kPage);
  AlignedBuffer larger;
  REQUIRE(memory.Take(4 * kPage, &larger) == Outcome::kTaken);
  CHECK(memory.kept() == 0);
  memory.Give(std::move(larger), 4 * kPage);
  CHECK(memory.kept() == 4 * kPage);
}

TEST_CASE("no memory of the host is none, and leaves nothing counted") {
  RequestMemory memory(SIZE_MAX);
  AlignedBuffer buffer;
  CHECK(memory.Take(SIZE_MAX, &buffer) == Outcome::kNone);
  CHECK(memory.used() == 0);
}

}  // namespace
}  // namespace blk
