// Histogram: the buckets, and what is known of a value by them.
#include "core/base/histogram.h"

#include <memory>
#include <thread>
#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

TEST_CASE("histogram: buckets follow each other without gap, and each is at most 1/128 of its values") {
  for (size_t bucket = 0; bucket < Histogram::kBuckets; bucket++) {
    const uint64_t least = Histogram::LeastOf(bucket);
    const uint64_t next = Histogram::LeastOf(bucket + 1);
    CHECK(least < next);
    CHECK(Histogram::BucketOf(least) == bucket);
    CHECK(Histogram::BucketOf(next - 1) == bucket);
    CHECK((next - least - 1) * 128 <= least);
  }
  CHECK(Histogram::LeastOf(Histogram::kBuckets) == uint64_t{1} << Histogram::kMostBits);
}

TEST_CASE("histogram: what has no bucket of its own counts in the last one, and the most is exact") {
  const auto histogram = std::make_unique<Histogram>();
  histogram->Add(~uint64_t{0});
  histogram->Add(uint64_t{1} << Histogram::kMostBits);
  CHECK(histogram->count(Histogram::kBuckets - 1) == 2);
  CHECK(histogram->most() == ~uint64_t{0});
  CHECK(histogram->least() == uint64_t{1} << Histogram::kMostBits);
}

TEST_CASE("histogram: nothing is lost of what threads add at once") {
  const auto histogram = std::make_unique<Histogram>();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 1; i <= 10000; i++) histogram->Add(t * 10000 + i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t count = 0;
  for (size_t bucket = 0; bucket < Histogram::kBuckets; bucket++) count += histogram->count(bucket);
  CHECK(count == 40000);
  CHECK(histogram->sum() == uint64_t{40000} * 40001 / 2);
  CHECK(histogram->least() == 1);
  CHECK(histogram->most() == 40000);
  histogram->Clear();
  CHECK(histogram->sum() == 0);
  CHECK(histogram->most() == 0);
  CHECK(histogram->least() == ~uint64_t{0});
}

}  // namespace
}  // namespace blk
