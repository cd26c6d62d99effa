// B34: faults and mappings by the thousand. A process that runs out of mappings dies of the next fault, or of the next
// allocation of anybody: neither may come to pass, whatever is lost.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "core/host/mapping.h"
#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::kGiB;
using test::kMiB;
using test::Rig;

constexpr size_t kPage = 4096;

Mapping Map(Rig& rig, uint64_t offset, size_t size) {
  return Mapping::Create(rig.host, rig.fd.get(), {offset}, size, MapMode::kReadWrite).Take();
}

size_t MappingsOfProcess() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) count++;
  return count;
}

TEST_CASE("B34: every other page of a GiB that was cut off can be touched") {
  Rig rig(kGiB);
  const Mapping mapping = Map(rig, 0, kGiB);
  rig.file.Truncate(0);
  const size_t before = MappingsOfProcess();
  bool zeros = true;
  for (size_t page = 0; page < kGiB / kPage; page += 2) zeros = zeros && mapping.data()[page * kPage + 5] == 0;
  CHECK(zeros);
  CHECK(mapping.poisoned());
  CHECK(MappingsOfProcess() < before + 3000);
}

TEST_CASE("B34: the same from the end to the beginning, where pieces only ever meet what lies behind them") {
  Rig rig(kGiB);
  const Mapping mapping = Map(rig, 0, kGiB);
  rig.file.Truncate(0);
  const size_t before = MappingsOfProcess();
  for (size_t page = kGiB / kPage - 1; page > 0; page -= 3) mapping.data()[page * kPage] = 1;
  CHECK(mapping.poisoned());
  CHECK(MappingsOfProcess() < before + 3000);
}

TEST_CASE("B34: what is in front of the cut keeps its bytes, however many faults there are behind it") {
  Rig rig(64 * kMiB);
  rig.file.Write(0, test::Pattern(0, kMiB));
  const Mapping mapping = Map(rig, 0, 64 * kMiB);
  const PageWatch front = PageWatch::Over(mapping.data(), kMiB);
  const PageWatch back = PageWatch::Over(mapping.data() + kMiB, 63 * kMiB);
  rig.file.Truncate(kMiB);
  for (size_t page = 64 * kMiB / kPage - 1; page >= kMiB / kPage; page -= 2) mapping.data()[page * kPage] = 1;
  CHECK_FALSE(front.poisoned());
  CHECK(back.lost().end == 63 * kMiB);
  CHECK(back.lost().begin <= kPage);
  CHECK(std::vector<uint8_t>(mapping.data(), mapping.data() + kMiB) == test::Pattern(0, kMiB));
}

TEST_CASE("B34: pieces grow slowly, and what a piece takes with it is told as lost") {
  Rig rig(4 * kMiB);
  rig.file.Fill();
  const Mapping mapping = Map(rig, 0, 4 * kMiB);
  const PageWatch first = PageWatch::Over(mapping.data(), 128 * kPage);
  const PageWatch next = PageWatch::Over(mapping.data() + 128 * kPage, 2 * kPage);
  const PageWatch after = PageWatch::Over(mapping.data() + 130 * kPage, kPage);
  rig.file.Truncate(0);
  for (size_t i = 0; i < 64; i++) mapping.data()[2 * i * kPage] = 1;
  CHECK(first.lost().end == 127 * kPage);
  CHECK_FALSE(next.poisoned());
  mapping.data()[128 * kPage] = 1;
  CHECK(next.lost().begin == 0);
  CHECK(next.lost().end == 2 * kPage);
  CHECK_FALSE(after.poisoned());
}

TEST_CASE("B34: pieces of all mappings together are bounded, and count no more when their mapping is gone") {
  constexpr size_t kCount = 2000;
  constexpr size_t kSize = 16 * kPage;
  Rig rig(kCount * kSize);
  for (int round = 0; round < 2; round++) {
    rig.file.Truncate(kCount * kSize);
    std::vector<Mapping> mappings;
    for (size_t i = 0; i < kCount; i++) mappings.push_back(Map(rig, i * kSize, kSize));
    rig.file.Truncate(0);
    const size_t before = MappingsOfProcess();
    size_t poisoned = 0;
    for (const Mapping& mapping : mappings) {
      for (size_t page = 0; page < 16; page += 2) mapping.data()[page * kPage] = 1;
      poisoned += mapping.poisoned();
    }
    CHECK(poisoned == kCount);
    // One by one there would be 16 a mapping.
    CHECK(MappingsOfProcess() < before + kCount + 2 * (MappingLimit() / 16));
    mappings.clear();
    rig.file.Truncate(4 * kPage);
    const Mapping fresh = Map(rig, 0, 4 * kPage);
    rig.file.Truncate(2 * kPage);
    const PageWatch last = PageWatch::Over(fresh.data() + 3 * kPage, kPage);
    fresh.data()[2 * kPage] = 1;
    CHECK_FALSE(last.poisoned());  // page by page again
  }
}

TEST_CASE("a quarter of the process's mappings is the most that is given out") {
  Rig rig(kPage);
  std::vector<Mapping> mappings;
  Status refused = Status::Ok();
  while (refused.ok() && mappings.size() <= MappingLimit()) {
    auto mapped = Mapping::Create(rig.host, rig.fd.get(), {0}, kPage, MapMode::kRead);
    refused = mapped.status();
    if (mapped.ok()) mappings.push_back(mapped.Take());
  }
  CHECK(refused.err == ENOMEM);
  CHECK(mappings.size() == MappingLimit() / 4);
  CHECK(PageWatch::Over(mappings[0].data(), 1).valid());  // a part takes no mapping
  mappings.pop_back();
  CHECK(Mapping::Create(rig.host, rig.fd.get(), {0}, kPage, MapMode::kRead).ok());
}

TEST_CASE("half of the address space is the most that is mapped, whatever its limit is by then") {
  Rig rig(kPage);
  const uint64_t most = AddressSpaceLimit() / 2;
  const auto map = [&](uint64_t size) { return Mapping::Create(rig.host, rig.fd.get(), {0}, size, MapMode::kRead); };
  auto half = map(most / 2);
  if (!half.ok()) SKIP("the runtime of a sanitizer leaves no room for this");
  CHECK(map(most / 2 + kPage).status().err == ENOMEM);
  CHECK(map(most / 4).ok());
  CHECK(half.value().Unmap().ok());
  CHECK(map(most / 2 + kPage).ok());
}

// In a child that allocates nothing meanwhile: it has no mapping left for that.
TEST_CASE("B34: a fault in a process that has all the mappings it may have") {
  Rig rig(64 * kPage);
  const Mapping mapping = Map(rig, 0, 64 * kPage);
  rig.file.Truncate(0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    // Neighbours of different protection do not merge.
    int protection = PROT_READ;
    while (::mmap(nullptr, kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
      protection ^= PROT_READ ^ PROT_WRITE;
    }
    mapping.data()[20 * kPage] = 1;
    ::_exit(mapping.poisoned() && mapping.data()[20 * kPage] == 1 && mapping.data()[40 * kPage] == 0 ? 0 : 1);
  }
  int status = 0;
  test::Must(child > 0 && ::waitpid(child, &status, 0) == child, "child");
  CHECK(status == 0);
}

}  // namespace
}  // namespace blk
