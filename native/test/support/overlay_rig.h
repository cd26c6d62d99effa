// What tests of overlays have in common: a base whose bytes are known, overlays over it of every kind, and random
// changes of a disk and of a flat array, its model, alike.
#ifndef RUMPBLK_TEST_SUPPORT_OVERLAY_RIG_H_
#define RUMPBLK_TEST_SUPPORT_OVERLAY_RIG_H_

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "core/medium/memory_medium.h"
#include "core/medium/overlay_medium.h"
#include "core/medium/overlay_store.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/temp_file.h"

namespace blk::test {

// The overlay is longer than its base.
inline constexpr uint64_t kBase = 700 * 1024 + 512, kSize = 1024 * 1024 + 1536;

inline Attachment Wanted(bool write, uint64_t size) {
  Attachment wanted;
  wanted.write = write;
  wanted.lock = true;
  wanted.range = {{0}, {size}};
  return wanted;
}

inline std::shared_ptr<MemoryMedium::Store> FilledBase() {
  auto store = MemoryMedium::CreateStore(kBase, "base", 512).Take();
  const auto bytes = Pattern(0, kBase, 7);
  std::memcpy(store->memory.data(), bytes.data(), bytes.size());
  return store;
}

inline OverlayBase Over(const std::shared_ptr<MemoryMedium::Store>& store) {
  return OverlayBase(std::make_unique<MemoryMedium>(store), {0}, store->size);
}

// Calls `visit(setting)` for each size of block, in memory and in a file.
template <typename Visit>
void ForEachSetting(Visit&& visit) {
  FakeHost host;
  host.KeepNoJournal();
  for (const uint64_t block : {uint64_t{512}, uint64_t{4096}, uint64_t{65536}}) {
    for (const bool in_file : {false, true}) {
      OverlaySetting setting;
      setting.block = block;
      setting.size = kSize;
      if (in_file) setting.delta = {&host, std::filesystem::temp_directory_path().string()};
      INFO("blocks of " << block << (in_file ? " in a file" : " in memory"));
      visit(setting);
    }
  }
  CHECK(host.open_descriptors() == 0);
  CHECK(host.misuses() == 0);
}

inline std::vector<uint8_t> AllOf(Channel& channel) {
  std::vector<uint8_t> bytes(kSize);
  const Moved moved = channel.Read({0}, bytes.data(), bytes.size(), {});
  REQUIRE(moved.status.ok());
  return bytes;
}

inline std::vector<uint8_t> FreshModel() {
  auto model = Pattern(0, kBase, 7);
  model.resize(kSize);
  return model;
}

// One change at random, of [from, end) of the disk and of the model alike. -> false: it failed.
inline bool ChangeSomething(std::mt19937& random, Channel& channel, std::vector<uint8_t>& model, uint64_t from,
                            uint64_t end) {
  const uint64_t at = from + random() % (end - from);
  const uint64_t most = random() % 3 == 0 ? 200'000 : 6000;
  const auto size = static_cast<size_t>(1 + random() % std::min(most, end - at));
  const auto place = model.begin() + static_cast<ptrdiff_t>(at);
  if (random() % 4 == 0) {
    std::fill_n(place, size, uint8_t{0});
    PieceRules rules;
    rules.keep_room = random() % 2 == 0;
    const Moved moved = channel.Zero({at}, size, rules);
    return moved.status.ok() && moved.bytes == size;
  }
  const auto bytes = Pattern(at, size, random());
  std::copy(bytes.begin(), bytes.end(), place);
  const Moved moved = channel.Write({at}, bytes.data(), size, {});
  return moved.status.ok() && moved.bytes == size;
}

// An overlay with its channel.
struct OpenedOverlay {
  explicit OpenedOverlay(OverlayBase base, const OverlaySetting& setting = WithSize())
      : store(OverlayStore::Create(std::move(base), "overlay", setting).Take()), medium(store) {
    channel = medium.Attach(Wanted(true, kSize)).Take();
  }
  ~OpenedOverlay() { CHECK(medium.Detach(Wanted(true, kSize)).ok()); }

  static OverlaySetting WithSize() {
    OverlaySetting setting;
    setting.size = kSize;
    return setting;
  }

  const std::shared_ptr<OverlayStore> store;
  OverlayMedium medium;
  std::unique_ptr<Channel> channel;
};

// What has changed, by calls that take `room` extents each.
inline std::vector<MediumExtent> DiffOf(OverlayStore& store, bool exact, size_t room = 3) {
  std::vector<MediumExtent> all;
  for (uint64_t at = 0; at < store.size;) {
    std::vector<MediumExtent> some(room);
    const auto changed = store.Diff(at, exact, some);
    REQUIRE(changed.ok());
    REQUIRE(changed.value().next > at);
    at = changed.value().next;
    all.insert(all.end(), some.begin(), some.begin() + static_cast<ptrdiff_t>(changed.value().count));
  }
  return all;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_OVERLAY_RIG_H_
