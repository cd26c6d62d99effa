// pages: the page cache of a file, and what its page faults cost. Prints JSON.
//
//   pages drop FILE              writes the file back and drops it from the page cache
//   pages fill FILE [small=1]    reads all of it into the page cache; small: in single pages, not in large folios
//   pages resident FILE          pages of it that are in memory
//   pages cost FILE [blocks=N]   ns of a first touch, of a copy and of a pread, of a remapping; FILE is in memory
//   pages cold FILE [ops=N]      the same number of first random 4 KiB reads from the disk by pread, by a map and by a
//   map
//                                with MADV_RANDOM: ns a read, and pages in memory afterwards
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "bench/support/host_map.h"
#include "bench/support/positions.h"
#include "core/host/copy.h"

namespace blk_bench {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBlock = 64 * 1024;

uint64_t SizeOf(const std::string& file) {
  struct stat st;
  if (stat(file.c_str(), &st) != 0) Die(file);
  return static_cast<uint64_t>(st.st_size);
}

void Drop(const std::string& file) {
  const Fd fd(file);
  if (fdatasync(fd.get()) != 0) Die("fdatasync");
  const int rc = posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  if (rc != 0) Die("posix_fadvise");
}

void Fill(const std::string& file, bool small) {
  const Fd fd(file);
  if (small) posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM);
  const uint64_t size = SizeOf(file);
  std::vector<uint8_t> memory(small ? kPage : size_t{1} << 20);
  for (uint64_t at = 0; at < size; at += memory.size()) {
    if (pread(fd.get(), memory.data(), memory.size(), static_cast<off_t>(at)) < 0) Die("pread");
  }
}

uint64_t Resident(const std::string& file) {
  const Fd fd(file);
  const HostMap map(fd.get(), 0, SizeOf(file));
  std::vector<unsigned char> pages((map.size() + kPage - 1) / kPage);
  if (mincore(map.data(), map.size(), pages.data()) != 0) Die("mincore");
  return static_cast<uint64_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }));
}

// KiB of this process's page tables that map files: what a fault brought in besides the page that was asked for.
double FileRssKib() {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (status == nullptr) return 0;
  char line[256];
  long kib = 0;
  while (std::fgets(line, sizeof line, status) != nullptr) {
    long value = 0;
    if (std::sscanf(line, "RssFile: %ld", &value) == 1 || std::sscanf(line, "RssShmem: %ld", &value) == 1) kib += value;
  }
  std::fclose(status);
  return static_cast<double>(kib);
}

std::vector<uint64_t> Shuffled(uint64_t count, uint64_t seed) {
  std::vector<uint64_t> order(count);
  std::iota(order.begin(), order.end(), uint64_t{0});
  Random random(seed);
  for (uint64_t i = count; i > 1; i--) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

double Each(const std::vector<uint64_t>& at, const std::function<void(uint64_t)>& action) {
  const double start = Now();
  for (const uint64_t position : at) action(position);
  return (Now() - start) / static_cast<double>(at.size());
}

// ns of mmap, a first touch and munmap of 1 MiB in turn.
double RemapCost(int fd, uint64_t size, uint8_t* to) {
  constexpr uint64_t kWindow = uint64_t{1} << 20;
  const std::vector<uint64_t> at = MakePositions("uniform", size, kWindow, 2000, 7);
  return Each(at, [&](uint64_t position) {
    const HostMap map(fd, position, kWindow);
    blk::CopyBytes(to, map.data(), kPage);
  });
}

void Cost(const std::string& file, uint64_t blocks) {
  const Fd fd(file);
  const uint64_t size = SizeOf(file);
  const auto to = std::make_unique<uint8_t[]>(2 * kPage);
  uint8_t* const aligned = to.get() + (kPage - reinterpret_cast<uintptr_t>(to.get()) % kPage);
  std::vector<uint64_t> at = Shuffled(size / kBlock, 3);
  at.resize(std::min<size_t>(at.size(), blocks));
  for (uint64_t& block : at) block = block * kBlock + (block * 7 % 16) * kPage;
  const auto random = MakePositions("uniform", size, kPage, 50'000, 5);
  const auto copy_from = [&](const HostMap& map) {
    return [&map, aligned](uint64_t position) { blk::CopyBytes(aligned, map.data() + position, kPage); };
  };

  const HostMap map(fd.get(), 0, size);
  const double rss = FileRssKib();
  const double touch = Each(at, copy_from(map));
  const double mapped = (FileRssKib() - rss) / static_cast<double>(at.size());
  const double populate_from = Now();
#ifdef MADV_POPULATE_READ
  const bool populated = madvise(map.data(), size, MADV_POPULATE_READ) == 0;
#else
  const bool populated = false;
#endif
  const double populate = Now() - populate_from;
  if (!populated) Each(MakePositions("sequential", size, kPage, size / kPage, 0), copy_from(map));
  const double warm = Each(random, copy_from(map));
  const double call = Each(random, [&](uint64_t position) {
    if (pread(fd.get(), aligned, kPage, static_cast<off_t>(position)) < 0) Die("pread");
  });
  std::printf(
      "{\"firstTouch\":%.0f,\"mappedKib\":%.1f,\"warmCopy\":%.0f,\"pread\":%.0f,\"populateMsPerGib\":%.1f,"
      "\"remap\":%.0f}\n",
      touch, mapped, warm, call, populate / 1e6 / (static_cast<double>(size) / 0x1p30),
      RemapCost(fd.get(), size, aligned));
}

// Reads at first random positions of a file that is not in memory.
void Cold(const std::string& file, uint64_t ops) {
  const uint64_t size = SizeOf(file);
  const auto to = std::make_unique<uint8_t[]>(kPage);
  std::vector<uint64_t> at = Shuffled(size / kPage, 11);
  at.resize(std::min<size_t>(at.size(), ops));
  for (uint64_t& page : at) page *= kPage;
  const char* separator = "{";
  for (const char* way : {"pread", "map", "mapRandom"}) {
    Drop(file);
    double ns = 0;
    if (std::strcmp(way, "pread") == 0) {
      const Fd fd(file);
      ns = Each(at, [&](uint64_t position) {
        if (pread(fd.get(), to.get(), kPage, static_cast<off_t>(position)) < 0) Die("pread");
      });
    } else {
      const Fd fd(file);
      const HostMap map(fd.get(), 0, size);
      if (std::strcmp(way, "mapRandom") == 0 && madvise(map.data(), size, MADV_RANDOM) != 0) Die("madvise");
      ns = Each(at, [&](uint64_t position) { blk::CopyBytes(to.get(), map.data() + position, kPage); });
    }
    std::printf("%s\"%s\":{\"ns\":%.0f,\"pages\":%llu}", separator, way, ns,
                static_cast<unsigned long long>(Resident(file)));
    separator = ",";
  }
  std::printf("}\n");
}

int Main(int argc, char** argv) {
  const std::string verb = argc > 2 ? argv[1] : "";
  const std::string file = argc > 2 ? argv[2] : "";
  const std::string option = argc > 3 ? argv[3] : "";
  const size_t eq = option.find('=');
  const uint64_t number = eq == std::string::npos ? 0 : std::stoull(option.substr(eq + 1));
  if (verb == "drop")
    Drop(file);
  else if (verb == "fill")
    Fill(file, number == 1);
  else if (verb == "resident")
    std::printf("{\"pages\":%llu}\n", static_cast<unsigned long long>(Resident(file)));
  else if (verb == "cost")
    Cost(file, number == 0 ? 4000 : number);
  else if (verb == "cold")
    Cold(file, number == 0 ? 1000 : number);
  else {
    std::fprintf(stderr, "pages: see the head of native/bench/pages.cc\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace blk_bench

int main(int argc, char** argv) { return blk_bench::Main(argc, argv); }
