// Overlays and the host: bases that are files, whose locks others meet, and deltas in files that fail.
#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/medium/host_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/overlay_rig.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::AllOf;
using test::Call;
using test::FakeHost;
using test::FilledBase;
using test::FreshModel;
using test::kBase;
using test::kSize;
using test::Over;
using test::Pattern;
using test::TempFile;
using test::Wanted;

TEST_CASE("overlay: while there is one, its base takes readers and other overlays, and no writer") {
  FakeHost host;
  const TempFile file(kBase);
  {
    const auto open = [&] {
      return OverlayStore::Create(OverlayBase(HostMedium::Create(host, file.path()).Take(), {0}, kBase), "overlay", {});
    };
    const auto first = open(), second = open();
    REQUIRE(first.ok());
    REQUIRE(second.ok());
    const auto other = HostMedium::Create(host, file.path()).Take();
    CHECK(other->Attach(Wanted(true, kBase)).status().err == EBUSY);
    CHECK(other->Attach(Wanted(false, kBase)).ok());
    CHECK(other->Detach(Wanted(false, kBase)).ok());
    CHECK(other->Close().ok());
  }
  const auto writer = HostMedium::Create(host, file.path()).Take();
  CHECK(writer->Attach(Wanted(true, kBase)).ok());
  CHECK(OverlayStore::Create(OverlayBase(HostMedium::Create(host, file.path()).Take(), {0}, kBase), "overlay", {})
            .status()
            .err == EBUSY);
  CHECK(writer->Detach(Wanted(true, kBase)).ok());
  CHECK(writer->Close().ok());
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("overlay: a range of a medium is its base, by another medium of the same bytes") {
  FakeHost host;
  TempFile file(kBase);
  file.Fill(3);
  const auto medium = HostMedium::Create(host, file.path()).Take();
  // Its name is somebody else's by now.
  std::filesystem::rename(file.path(), file.Sibling("moved"));
  const TempFile foreign(kBase);
  std::filesystem::copy_file(foreign.path(), file.path());
  auto again = medium->Again();
  REQUIRE(again.ok());
  CHECK(again.value()->identity() == medium->identity());
  const auto overlay = OverlayStore::Create(OverlayBase(again.Take(), {4096}, 8192), "overlay", {}).Take();
  std::vector<uint8_t> bytes(8192);
  CHECK(overlay->size == 8192);
  CHECK(overlay->Read({0}, bytes.data(), bytes.size(), {}).status.ok());
  CHECK(bytes == Pattern(4096, 8192, 3));
  CHECK(OverlayStore::Create(OverlayBase(medium->Again().Take(), {kBase}, 1), "overlay", {}).status().err == EINVAL);
  OverlaySetting smaller;
  smaller.size = 100;
  CHECK(OverlayStore::Create(OverlayBase(medium->Again().Take(), {0}, 200), "overlay", smaller).status().err == EINVAL);
  CHECK(medium->Close().ok());
}

TEST_CASE("overlay: a delta that is full fails the write, and shows none of the blocks that did not come through") {
  FakeHost host;
  OverlaySetting setting;
  setting.size = kSize;
  setting.delta = {&host, std::filesystem::temp_directory_path().string()};
  const auto overlay = OverlayStore::Create(Over(FilledBase()), "overlay", setting).Take();
  OverlayMedium medium(overlay);
  const auto channel = medium.Attach(Wanted(true, kSize)).Take();
  auto model = FreshModel();
  const auto bytes = Pattern(0, 16384, 5);
  // Moves 6000 bytes, then there is no room.
  host.Shorten(6000);
  host.Fail(Call::kPwrite, ENOSPC, 1);
  Moved moved = channel->Write({4096}, bytes.data(), bytes.size(), {});
  CHECK(moved.status.err == ENOSPC);
  CHECK(moved.bytes == 4096);
  host.Heal();
  std::copy_n(bytes.begin(), 4096, model.begin() + 4096);
  CHECK(AllOf(*channel) == model);
  // A part of a block: all of it or nothing.
  host.Fail(Call::kPwrite, ENOSPC);
  moved = channel->Write({20'000}, bytes.data(), 100, {});
  CHECK(moved.status.err == ENOSPC);
  CHECK(moved.bytes == 0);
  CHECK(AllOf(*channel) == model);
  CHECK(medium.Detach(Wanted(true, kSize)).ok());
}

TEST_CASE("overlay: without a folder or a descriptor for its delta there is none, and the base is free again") {
  FakeHost host;
  const auto store = FilledBase();
  OverlaySetting setting;
  setting.delta = {&host, "/nonexistent/rumpblk"};
  CHECK(OverlayStore::Create(Over(store), "overlay", setting).status().err == ENOENT);
  setting.delta.folder = std::filesystem::temp_directory_path().string();
  host.Fail(Call::kResize, EFBIG);
  CHECK(OverlayStore::Create(Over(store), "overlay", setting).status().err == EFBIG);
  CHECK(host.open_descriptors() == 0);
  MemoryMedium writer(store);
  CHECK(writer.Attach(Wanted(true, kBase)).ok());
  CHECK(writer.Detach(Wanted(true, kBase)).ok());
}

}  // namespace
}  // namespace blk
