#include "core/host/mapping.h"

#include <cstring>

#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::Call;
using test::kMiB;
using test::Rig;

TEST_CASE("shows the bytes of its range") {
  Rig rig(64 * 1024);
  rig.file.Fill();
  auto mapping = Mapping::Create(rig.host, rig.fd.get(), {8192}, 4096, MapMode::kRead);
  REQUIRE(mapping.ok());
  CHECK(mapping.value().valid());
  CHECK(mapping.value().size() == 4096);
  CHECK_FALSE(mapping.value().poisoned());
  CHECK(std::memcmp(mapping.value().data(), test::Pattern(8192, 4096).data(), 4096) == 0);
}

TEST_CASE("unmaps once: when it goes, or at Unmap") {
  Rig rig(64 * 1024);
  { auto dropped = Mapping::Create(rig.host, rig.fd.get(), {0}, 4096, MapMode::kReadWrite); }
  CHECK(rig.host.mappings() == 0);
  Mapping mapping = Mapping::Create(rig.host, rig.fd.get(), {0}, 4096, MapMode::kReadWrite).Take();
  CHECK(rig.host.mappings() == 1);
  CHECK(mapping.Unmap().ok());
  CHECK_FALSE(mapping.valid());
  CHECK(mapping.Unmap().ok());
  CHECK(rig.host.calls(Call::kMunmap) == 2);
  CHECK(rig.host.misuses() == 0);
}

TEST_CASE("moving hands the mapping on and unmaps what the target had") {
  Rig rig(64 * 1024);
  {
    Mapping first = Mapping::Create(rig.host, rig.fd.get(), {0}, 4096, MapMode::kReadWrite).Take();
    Mapping second = Mapping::Create(rig.host, rig.fd.get(), {4096}, 8192, MapMode::kReadWrite).Take();
    uint8_t* const kept = first.data();
    second = std::move(first);
    CHECK(second.data() == kept);
    CHECK(second.size() == 4096);
    CHECK_FALSE(first.valid());
    CHECK(rig.host.mappings() == 1);
    Mapping& same = second;
    second = std::move(same);
    CHECK(second.data() == kept);
  }
  CHECK(rig.host.mappings() == 0);
  CHECK(rig.host.misuses() == 0);
}

TEST_CASE("a mapping that the host refuses is its errno, and leaves nothing") {
  Rig rig(64 * 1024);
  rig.host.Fail(Call::kMmap, ENOMEM);
  const auto refused = Mapping::Create(rig.host, rig.fd.get(), {0}, 4096, MapMode::kReadWrite);
  CHECK(refused.status().err == ENOMEM);
  CHECK(refused.status().op == Op::kMmap);
  CHECK(rig.host.mappings() == 0);
}

TEST_CASE("B32: Sync starts at the page and covers the range") {
  Rig rig(kMiB);
  Mapping mapping = Mapping::Create(rig.host, rig.fd.get(), {0}, kMiB, MapMode::kReadWrite).Take();
  REQUIRE(mapping.Sync(5000, 100).ok());
  REQUIRE(mapping.Sync(8192, 4096).ok());
  REQUIRE(mapping.Sync(4095, 2).ok());
  const auto syncs = rig.host.Journal(Call::kMsync);
  REQUIRE(syncs.size() == 3);
  CHECK(syncs[0].address == mapping.data() + 4096);
  CHECK(syncs[0].size == 100 + 904);
  CHECK(syncs[1].address == mapping.data() + 8192);
  CHECK(syncs[1].size == 4096);
  CHECK(syncs[2].address == mapping.data());
  CHECK(syncs[2].size == 4097);
}

TEST_CASE("B34: Sync of a mapping that has lost a page never says that all is well, whatever msync says") {
  Rig rig(kMiB);
  Mapping mapping = Mapping::Create(rig.host, rig.fd.get(), {0}, kMiB, MapMode::kReadWrite).Take();
  rig.file.Truncate(4096);
  mapping.data()[8192] = 1;
  rig.file.Truncate(kMiB);
  for (const size_t at : {size_t{0}, size_t{8192}}) {
    const Status sync = mapping.Sync(at, 4096);
    CHECK(sync.err == EIO);
    CHECK(sync.op == Op::kMsync);
  }
  CHECK(rig.host.Journal(Call::kMsync).back().result == 0);
}

TEST_CASE("an msync that a signal interrupts is made again") {
  Rig rig(kMiB);
  Mapping mapping = Mapping::Create(rig.host, rig.fd.get(), {0}, kMiB, MapMode::kReadWrite).Take();
  rig.host.Fail(Call::kMsync, EINTR, 0, 2);
  CHECK(mapping.Sync(0, 512).ok());
  CHECK(rig.host.calls(Call::kMsync) == 3);
}

TEST_CASE("what msync and munmap report is passed on") {
  Rig rig(kMiB);
  Mapping mapping = Mapping::Create(rig.host, rig.fd.get(), {0}, kMiB, MapMode::kReadWrite).Take();
  rig.host.Fail(Call::kMsync, EIO);
  const Status sync = mapping.Sync(0, 512);
  CHECK(sync.err == EIO);
  CHECK(sync.op == Op::kMsync);
  rig.host.Fail(Call::kMunmap, EINVAL);
  const Status unmap = mapping.Unmap();
  CHECK(unmap.err == EINVAL);
  CHECK(unmap.op == Op::kMunmap);
  CHECK_FALSE(mapping.valid());
  CHECK(mapping.Unmap().ok());  // given up either way
  CHECK(rig.host.calls(Call::kMunmap) == 1);
}

}  // namespace
}  // namespace blk
