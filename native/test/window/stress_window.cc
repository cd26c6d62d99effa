// Eight threads on one device through the mapped path, with 1, 2 and 16 windows: mixed sizes, reads and writes, ranges
// of their own and ranges they share, every read verified. Bounded in operations; a watchdog turns a hang into a
// failure. Run under ThreadSanitizer too: shared bytes are guarded by locks of ours, so whatever it reports is core's.
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <random>

#include "core/access/auto_strategy.h"
#include "test/support/rig.h"
#include "test/support/threads.h"

namespace blk::test {
namespace {

constexpr size_t kThreads = 8;
constexpr uint64_t kOperations = 250;  // of each thread
constexpr uint64_t kWindowSize = 64 * kKiB;
constexpr uint64_t kRanges = 24;  // of the device; the first kThreads belong to one thread each, the others to all
constexpr uint64_t kRangeSize = 100 * kKiB;  // not a multiple of the window: ranges share windows
constexpr uint64_t kBegin = 1536;

std::atomic<uint64_t> g_failures{0};

void Expect(bool ok, const char* what, uint64_t position) {
  if (ok) return;
  if (g_failures++ < 10)
    std::fprintf(stderr, "stress_window: %s at device byte %llu\n", what, static_cast<unsigned long long>(position));
}

// A range of the device: its bytes are Pattern(position, salt), and whoever writes it changes the salt, all of it.
struct Range {
  std::mutex mu;
  uint64_t salt = 0;
};

struct Stress {
  Stress(uint32_t windows, bool automatic)
      : rig(kBegin + kRanges * kRangeSize, kBegin, kRanges * kRangeSize), pio(rig.range, *rig.disk) {
    rig.host.KeepNoJournal();
    rig.host.pretend_syncs = true;
    rig.file.Write(kBegin, Pattern(0, kRanges * kRangeSize));
    if (automatic) {
      table = std::make_unique<WindowTable>(*rig.channel->windows(), rig.mode(), rig.Geometry(kWindowSize, windows));
      strategy = std::make_unique<AutoStrategy>(rig.range, *table, *rig.disk);
    } else {
      cache = rig.Windows(kWindowSize, windows);
      strategy = std::make_unique<MappedStrategy>(rig.range, *cache, *rig.disk);
    }
  }

  void Submit(Operation op, uint64_t position, std::vector<uint8_t>& bytes, Lane lane, bool durable) {
    Piece piece;
    piece.operation = op;
    piece.position = static_cast<int64_t>(position);
    piece.size = bytes.size();
    piece.data = bytes.data();
    piece.durable = durable;
    piece.lane = lane;
    strategy->Submit(piece);
    Expect(piece.status.ok() && piece.resid() == 0, "a request failed", position);
  }

  void Run(size_t index) {
    std::mt19937_64 random(index * 7919 + 1);
    const Lane lane = static_cast<Lane>(index + 1);
    for (uint64_t i = 0; i < kOperations; i++) {
      const uint64_t number = random() % 2 == 0 ? index : kThreads + random() % (kRanges - kThreads);
      Range& range = ranges[number];
      const uint64_t begin = number * kRangeSize;
      std::lock_guard lock(range.mu);
      if (random() % 4 == 0) {
        range.salt = random();
        auto bytes = Pattern(begin, kRangeSize, range.salt);
        Submit(Operation::kWrite, begin, bytes, lane, random() % 8 == 0);
        continue;
      }
      const uint64_t skip = random() % kRangeSize;
      const size_t size = static_cast<size_t>(
          1 + random() % std::min<uint64_t>(kRangeSize - skip, random() % 2 == 0 ? 2000 : kRangeSize));
      std::vector<uint8_t> bytes(size);
      Submit(Operation::kRead, begin + skip, bytes, lane, false);
      Expect(bytes == Pattern(begin + skip, size, range.salt), "wrong bytes", begin + skip);
    }
  }

  // After all threads: every range has its last content, in the file itself too.
  void Verify() {
    for (uint64_t number = 0; number < kRanges; number++) {
      const uint64_t begin = number * kRangeSize;
      Expect(rig.file.Read(kBegin + begin, kRangeSize) == Pattern(begin, kRangeSize, ranges[number].salt),
             "wrong bytes in the file", begin);
    }
    Expect(rig.Count(Counter::kIoTotal) == kThreads * kOperations, "requests were lost or counted twice", 0);
    if (cache) {
      for (const WindowInfo& window : cache->List())
        Expect(window.refs == 0, "a reference was not given back", window.offset.value);
      Expect(cache->UnmapAll().ok(), "munmap failed", 0);
    }
    if (table) {
      for (const WindowInfo& window : table->List())
        Expect(window.refs == 0, "a reference was not given back", window.offset.value);
      Expect(table->UnmapAll().ok(), "munmap failed", 0);
    }
    Expect(rig.host.mappings() == 0 && rig.host.misuses() == 0, "a mapping leaked or was given back twice", 0);
  }

  Rig rig;
  PioStrategy pio;
  std::unique_ptr<WindowCache> cache;
  std::unique_ptr<WindowTable> table;
  std::unique_ptr<Strategy> strategy;
  std::array<Range, kRanges> ranges;
};

int Main() {
  Watchdog watchdog("stress_window", 240);
  for (const bool automatic : {false, true}) {
    for (const uint32_t windows : {1, 2, 16}) {
      Stress stress(windows, automatic);
      RunTogether(kThreads, [&](size_t index) { stress.Run(index); });
      stress.Verify();
      std::printf("%s, %u windows: hits %llu, misses %llu, waits %llu\n", automatic ? "auto" : "mmap", windows,
                  static_cast<unsigned long long>(stress.rig.Count(Counter::kWindowHits)),
                  static_cast<unsigned long long>(stress.rig.Count(Counter::kWindowMisses)),
                  static_cast<unsigned long long>(stress.rig.Count(Counter::kWindowBusy)));
    }
  }
  return g_failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace blk::test

int main() { return blk::test::Main(); }
