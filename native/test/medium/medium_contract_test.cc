// What medium.h and channel.h promise, asked of every medium there is (support/media.h). A new medium has to pass.
// Over 300 lines: one case for each promise.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "core/host/lock_holder.h"
#include "test/support/check.h"
#include "test/support/holes.h"
#include "test/support/media.h"

namespace blk {
namespace {

using test::ForEachChannel;
using test::ForEachMedium;
using test::Kind;
using test::kMediumSize;
using test::Pattern;
using test::Reader;
using test::Writer;

TEST_CASE("medium: it tells its size and its sector, and is the same as itself made again") {
  std::vector<MediumIdentity> others;
  ForEachMedium([&](const Kind& kind) {
    const auto first = kind.make(), second = kind.make();
    CHECK(first->size() == std::optional(kMediumSize));
    CHECK(first->SizeNow().value() == kMediumSize);
    CHECK(first->sector_size() == 512);
    CHECK_FALSE(first->name().empty());
    CHECK(first->identity() == second->identity());
    for (const MediumIdentity& other : others) CHECK_FALSE(first->identity() == other);
    others.push_back(first->identity());
    CHECK(first->Close().ok());
    CHECK(second->Close().ok());
  });
}

TEST_CASE("medium: a block node is among those that are asked") {
  bool asked = false;
  ForEachMedium([&](const Kind& kind) { asked = asked || kind.name == "node"; });
  if (!asked) SKIP("no loop device to be had (needs root and a free /dev/loopN)");
  CHECK(asked);
}

TEST_CASE("medium: fresh bytes are zeros, by Read() and by a channel") {
  ForEachChannel([](const Kind&, Medium& medium, Channel& channel) {
    std::vector<uint8_t> bytes(4096, 1), zeros(4096, 0);
    CHECK(medium.Read({kMediumSize - 4096}, bytes.data(), bytes.size()).ok());
    CHECK(bytes == zeros);
    bytes.assign(4096, 1);
    CHECK(channel.Read({511}, bytes.data(), bytes.size(), {}).bytes == 4096);
    CHECK(bytes == zeros);
  });
}

TEST_CASE("medium: what is written is read, at every alignment, and nothing else changes") {
  ForEachChannel([](const Kind& kind, Medium& medium, Channel& channel) {
    if (!kind.keeps) return;
    std::vector<uint8_t> model(kMediumSize);
    uint64_t salt = 0;
    for (const uint64_t at : {uint64_t{0}, uint64_t{1}, uint64_t{4095}, uint64_t{1} << 20, kMediumSize - 1}) {
      for (const size_t size : {size_t{1}, size_t{511}, size_t{4097}, size_t{2} << 20}) {
        if (at + size > kMediumSize) continue;
        const auto bytes = Pattern(at, size, ++salt);
        const Moved moved = channel.Write({at}, bytes.data(), size, {});
        REQUIRE(moved.bytes == size);
        REQUIRE(moved.status.ok());
        std::copy(bytes.begin(), bytes.end(), model.begin() + static_cast<ptrdiff_t>(at));
      }
    }
    std::vector<uint8_t> back(kMediumSize);
    CHECK(channel.Read({0}, back.data(), kMediumSize, {}).bytes == kMediumSize);
    CHECK(back == model);
    back.assign(kMediumSize, 0);
    CHECK(medium.Read({0}, back.data(), kMediumSize).ok());
    CHECK(back == model);
  });
}

TEST_CASE("medium: a read across the end moves what there is, and is EIO") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    if (!kind.image.empty()) return;  // its disk ends where it always does, and so do requests
    std::vector<uint8_t> bytes(8192);
    Moved moved = channel.Read({kMediumSize - 100}, bytes.data(), bytes.size(), {});
    CHECK(moved.status.err == EIO);
    CHECK(moved.bytes == 100);
    moved = channel.Read({kMediumSize}, bytes.data(), bytes.size(), {});
    CHECK(moved.status.err == EIO);
    CHECK(moved.bytes == 0);
  });
}

TEST_CASE("medium: what was called off moves nothing more, and is ECANCELED") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    std::atomic<bool> cancel{true};
    const auto ones = std::vector<uint8_t>(4096, 1);
    std::vector<uint8_t> bytes(4096);
    CHECK(channel.Write({0}, ones.data(), ones.size(), {false, false, &cancel}).status.err == ECANCELED);
    CHECK(channel.Read({0}, bytes.data(), bytes.size(), {false, false, &cancel}).status.err == ECANCELED);
    cancel = false;
    CHECK(channel.Read({0}, bytes.data(), bytes.size(), {false, false, &cancel}).status.ok());
    if (kind.keeps) CHECK(bytes == std::vector<uint8_t>(4096));
  });
}

TEST_CASE("medium: a read that must not wait moves all or nothing") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    const auto ones = std::vector<uint8_t>(4096, 1);
    REQUIRE(channel.Write({0}, ones.data(), ones.size(), {}).status.ok());
    std::vector<uint8_t> bytes(4096);
    const Moved moved = channel.Read({0}, bytes.data(), bytes.size(), {false, true, nullptr});
    const bool undone = moved.status.err == EAGAIN || moved.status.err == EOPNOTSUPP;
    CHECK(moved.bytes == (undone ? 0u : 4096u));
    if (!undone && kind.keeps) CHECK(bytes == ones);
  });
}

TEST_CASE("medium: a sync is ok, and so is a durable write where the medium has them") {
  ForEachChannel([](const Kind&, Medium&, Channel& channel) {
    const auto ones = std::vector<uint8_t>(4096, 1);
    REQUIRE(channel.Write({0}, ones.data(), ones.size(), {}).status.ok());
    CHECK(channel.Sync().ok());
    if (!channel.durable_writes()) return;
    const Moved moved = channel.Write({4096}, ones.data(), ones.size(), {true, false, nullptr});
    CHECK((moved.status.ok() || moved.status.err == EOPNOTSUPP || moved.status.err == ENOSYS ||
           moved.status.err == EINVAL || moved.status.err == EPERM));
  });
}

TEST_CASE("medium: no byte that was written is told as nothing") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    if (!kind.keeps) return;
    const auto ones = std::vector<uint8_t>(1, 1);
    REQUIRE(channel.Write({2 << 20}, ones.data(), 1, {}).status.ok());
    // From stretch to stretch, each inside what was asked, the last one empty at its end.
    bool told = false;
    MediumSpan rest{{0}, {kMediumSize}};
    while (!rest.empty()) {
      const MediumSpan data = channel.NextData(rest);
      REQUIRE(data.begin.value >= rest.begin.value);
      REQUIRE(data.end.value <= rest.end.value);
      if (data.empty()) break;
      told = told || (data.begin.value <= 2 << 20 && data.end.value > 2 << 20);
      rest.begin = data.end;
    }
    CHECK(told);
    CHECK(channel.CheckReaches({kMediumSize}).ok());
  });
}

// What `within` is made of by calls that take `room` extents each, checked for what channel.h says of their form.
std::vector<MediumExtent> ExtentsOf(Channel& channel, MediumSpan within, size_t room) {
  std::vector<MediumExtent> all;
  while (!within.empty()) {
    std::vector<MediumExtent> some(room);
    const auto count = channel.Extents(within, ExtentLayer::kAll, some, {});
    REQUIRE(count.ok());
    REQUIRE(count.value() >= 1);
    REQUIRE(count.value() <= room);
    for (size_t i = 0; i < count.value(); i++) {
      REQUIRE(some[i].at.value == within.begin.value);
      REQUIRE(some[i].size > 0);
      REQUIRE(some[i].at.value + some[i].size <= within.end.value);
      REQUIRE(some[i].depth <= 1);  // an overlay lies over its base
      REQUIRE(some[i].type != ExtentType::kUnallocated);
      within.begin.value += some[i].size;
      all.push_back(some[i]);
    }
  }
  return all;
}

// Where an extent of an image says that its bytes lie, they do.
void CheckInImage(const Kind& kind, Channel& channel, const MediumExtent& extent) {
  // Those of a backing file count in that one.
  if (extent.host_offset == kNoHostOffset || extent.type != ExtentType::kData || extent.depth > 0) return;
  std::vector<uint8_t> bytes(extent.size);
  REQUIRE(channel.Read(extent.at, bytes.data(), bytes.size(), {}).bytes == bytes.size());
  const auto file = test::GetFile(kind.image);
  REQUIRE(extent.host_offset + extent.size <= file.size());
  CHECK(std::equal(bytes.begin(), bytes.end(), file.begin() + static_cast<ptrdiff_t>(extent.host_offset)));
}

TEST_CASE("medium: extents are in order without a gap, and cut to what was asked") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    const auto ones = std::vector<uint8_t>(5000, 1);
    for (const uint64_t at : {uint64_t{10'000}, uint64_t{1} << 20, kMediumSize - 5000}) {
      REQUIRE(channel.Write({at}, ones.data(), ones.size(), {}).status.ok());
    }
    for (const size_t room : {size_t{1}, size_t{2}, size_t{1024}}) {
      for (const MediumSpan within : {MediumSpan{{0}, {kMediumSize}}, MediumSpan{{1}, {12'000}},
                                      MediumSpan{{12'345}, {12'346}}, MediumSpan{{kMediumSize - 1}, {kMediumSize}}}) {
        for (const MediumExtent& extent : ExtentsOf(channel, within, room)) {
          if (!kind.keeps) CHECK(extent.type == ExtentType::kHole);
          const bool in_file = kind.name == "host" || kind.name == "node";
          if (kind.image.empty()) CHECK(extent.host_offset == (in_file ? extent.at.value : kNoHostOffset));
          if (!kind.image.empty()) CheckInImage(kind, channel, extent);
        }
      }
    }
    std::atomic<bool> cancel{true};
    std::vector<MediumExtent> some(1);
    const auto off = channel.Extents({{0}, {kMediumSize}}, ExtentLayer::kAll, some, {false, false, &cancel});
    if (kind.name != "node") CHECK(off.status().err == ECANCELED);
  });
}

TEST_CASE("medium: no byte that was written is in a hole, and every hole reads as zeros") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    if (!kind.keeps) return;
    std::vector<uint8_t> model(kMediumSize);
    const std::vector<uint8_t> zeros(kMediumSize);
    uint64_t state = 4;
    const auto next = [&](uint64_t below) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return (state >> 33) % below;
    };
    bool had_hole = false;
    for (uint64_t round = 0; round < 150; round++) {
      const uint64_t at = next(kMediumSize - 1);
      const auto size = static_cast<size_t>(std::min(kMediumSize - at, 1 + next(round % 3 == 0 ? 300'000 : 9000)));
      if (round % 3 == 0) {
        PieceRules rules;
        rules.keep_room = next(2) == 0;
        REQUIRE(channel.Zero({at}, size, rules).bytes == size);
        std::fill_n(model.begin() + static_cast<ptrdiff_t>(at), size, uint8_t{0});
      } else if (round % 7 == 1) {
        REQUIRE(channel.Discard({at}, size, {}).status.ok());
        REQUIRE(channel.Read({at}, model.data() + at, size, {}).status.ok());
      } else {
        const auto bytes = std::vector<uint8_t>(size, static_cast<uint8_t>(round + 1));
        REQUIRE(channel.Write({at}, bytes.data(), size, {}).status.ok());
        std::copy(bytes.begin(), bytes.end(), model.begin() + static_cast<ptrdiff_t>(at));
      }
      for (const MediumExtent& extent : ExtentsOf(channel, {{0}, {kMediumSize}}, 1 + next(5))) {
        if (extent.type == ExtentType::kData) continue;
        had_hole = true;
        // Not byte by byte, which takes minutes under a sanitizer.
        REQUIRE(std::memcmp(model.data() + extent.at.value, zeros.data(), extent.size) == 0);
      }
    }
    std::vector<uint8_t> back(kMediumSize);
    REQUIRE(channel.Read({0}, back.data(), kMediumSize, {}).status.ok());
    CHECK(back == model);
    const bool can = kind.name == "host" ? test::FilesHaveHoles() : kind.name != "node" && kind.name != "nbd of old";
    CHECK(had_hole == can);
  });
}

TEST_CASE("medium: a discard leaves bytes as they were or zeros, and all others alone") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    if (!kind.keeps) return;
    const auto bytes = Pattern(0, 64 * 1024, 4);
    REQUIRE(channel.Write({0}, bytes.data(), bytes.size(), {}).status.ok());
    const Moved moved = channel.Discard({1000}, 40000, {});
    CHECK(moved.status.ok());
    CHECK((moved.bytes == 0 || moved.bytes == 40000));
    std::vector<uint8_t> back(bytes.size());
    REQUIRE(channel.Read({0}, back.data(), back.size(), {}).status.ok());
    for (size_t i = 0; i < back.size(); i++) {
      // Parts of a granule, of 4096 bytes, stay.
      const bool whole = i >= 4096 && i < 40960;
      if (back[i] != bytes[i]) REQUIRE((whole && moved.bytes > 0 && back[i] == 0));
    }
    CHECK(channel.Discard({0}, 0, {}).status.ok());
  });
}

TEST_CASE("medium: zeros are zeros to the byte, whatever becomes of the room") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    for (const bool keep_room : {false, true}) {
      const auto bytes = Pattern(0, 256 * 1024, 4);
      REQUIRE(channel.Write({0}, bytes.data(), bytes.size(), {}).status.ok());
      PieceRules rules;
      rules.keep_room = keep_room;
      const Moved moved = channel.Zero({1001}, 200'000, rules);
      CHECK(moved.status.ok());
      CHECK(moved.bytes == 200'000);
      if (!kind.keeps) continue;
      auto wanted = bytes;
      std::fill(wanted.begin() + 1001, wanted.begin() + 201'001, uint8_t{0});
      std::vector<uint8_t> back(bytes.size());
      REQUIRE(channel.Read({0}, back.data(), back.size(), {}).status.ok());
      CHECK(back == wanted);
      // Fast or not at all.
      rules.fast = true;
      const Moved fast = channel.Zero({0}, 512, rules);
      CHECK((fast.status.ok() || (fast.status.err == EOPNOTSUPP && fast.bytes == 0)));
      REQUIRE(channel.Read({0}, back.data(), 512, {}).status.ok());
      if (fast.status.ok()) {
        CHECK(std::count(back.begin(), back.begin() + 512, 0) == 512);
      } else {
        CHECK(std::equal(back.begin(), back.begin() + 512, wanted.begin()));
      }
    }
    std::atomic<bool> cancel{true};
    PieceRules off;
    off.cancel = &cancel;
    CHECK(channel.Zero({0}, 4096, off).status.err == ECANCELED);
    channel.Prefetch({0}, 1 << 20);
    CHECK(channel.Sync().ok());
  });
}

TEST_CASE("medium: one writer or many readers of a range, among media of one identity") {
  ForEachMedium([](const Kind& kind) {
    if (kind.name == "node" || !kind.image.empty()) return;  // taken as a whole
    const auto first = kind.make(), second = kind.make();
    const MediumSpan low{{0}, {4096}}, high{{4096}, {8192}};
    REQUIRE(first->Attach(Writer(low)).ok());
    REQUIRE(second->Attach(Writer(high)).ok());
    CHECK(second->Attach(Writer(low)).status().err == EBUSY);
    CHECK(second->Attach(Reader(low)).status().err == EBUSY);
    Attachment unlocked = Writer(low);
    unlocked.lock = false;
    REQUIRE(second->Attach(unlocked).ok());
    CHECK(second->Detach(unlocked).ok());
    CHECK(first->Detach(Writer(low)).ok());
    REQUIRE(first->Attach(Reader(low)).ok());
    REQUIRE(second->Attach(Reader(low)).ok());
    CHECK(first->Detach(Reader(low)).ok());
    CHECK(second->Detach(Reader(low)).ok());
    CHECK(second->Detach(Writer(high)).ok());
    CHECK(first->Close().ok());
    CHECK(second->Close().ok());
  });
}

TEST_CASE("medium: this process is in the way of itself where nobody else can have a memory or null medium") {
  ForEachMedium([](const Kind& kind) {
    if (kind.name == "host") return;  // whose locks the system tells of
    const auto first = kind.make(), second = kind.make();
    REQUIRE(first->Attach(Reader()).ok());
    CHECK(second->Holder(Writer()) == OwnProcess());
    CHECK(second->Holder(Reader()) == 0);
    CHECK(first->Holder(Writer()) == 0);
    CHECK(first->Detach(Reader()).ok());
    CHECK(second->Holder(Writer()) == 0);
  });
}

TEST_CASE("medium: threads that keep to ranges of their own do not meet") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    constexpr size_t kThreads = 8, kRange = 64 * 1024;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; t++) {
      threads.emplace_back([&, t] {
        const uint64_t at = t * kRange;
        std::vector<uint8_t> back(kRange);
        for (uint64_t round = 0; round < 20; round++) {
          const auto bytes = Pattern(at, kRange, round);
          if (!channel.Write({at}, bytes.data(), kRange, {}).status.ok()) wrong++;
          if (!channel.Read({at}, back.data(), kRange, {}).status.ok()) wrong++;
          if (kind.keeps && back != bytes) wrong++;
          if (!channel.Sync().ok()) wrong++;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
  });
}

}  // namespace
}  // namespace blk
