// lab: what the laboratory costs without Node. Prints one JSON object. Times are those of the processor.
//
//   lab FILE key=value...
//     writes=30000    4 KiB writes of a device in memory, with and without a recording
//                     and what two looks at the clock take, as a trace has them
//     states=100000   crash states: of 64 sectors that are not durable, generated, and opened and read as well
//     size=BYTES      of FILE, which is made sparse; 200 writes to it, and as many states; default 8 GiB
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>

#include "core/device/device.h"
#include "core/filter/trace_filter.h"
#include "core/medium/host_medium.h"
#include "core/medium/memory_medium.h"
#include "lab/explorer.h"
#include "lab/state.h"

namespace blk_bench {
namespace {

using namespace blk;
using lab::Base;
using lab::Recording;

// Of the processor, so that others on the machine are not measured.
double Cpu() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// A device, and what records it.
struct Rig {
  explicit Rig(std::unique_ptr<Medium> medium) : minor(Minor::Create(std::move(medium), {}).Take()) {
    OpenOptions options;
    options.mode = OpenMode::kReadWrite;
    options.access = Access::kPio;
    options.cache = CacheMode::kWriteback;
    device = Device::Open(minor, options, context).Take();
  }
  void Record() {
    Recording::Setting setting;
    setting.folder = "/tmp";
    recording = std::make_shared<Recording>(PosixHostIo(), setting);
    Disk& disk = minor->disk();
    const uint16_t domain = recording->AddDomain(Base::Open(disk.medium().Again().Take(), disk.span()).Take());
    static_cast<void>(recording->AddPart({minor->span(), domain}));
    static_cast<void>(disk.log().Add(recording->LogOf(domain)));
    static_cast<void>(device->SetLogged(true));
  }
  void Write(uint64_t at, size_t size, uint8_t value) {
    bytes.resize(size);
    std::memset(bytes.data(), value, size);
    Run(at, size);
  }
  void Run(uint64_t at, size_t size) {
    Request request = device->BytesRequest(Operation::kWrite, at, bytes.data(), size, Fua::kByCacheMode);
    device->Run(request);
    if (!request.status.ok()) std::abort();
  }
  std::shared_ptr<const lab::Model> Model() const { return lab::Model::Make(recording, {}).Take(); }

  Counters counters;
  FaultInjector faults;
  DeviceContext context{counters, faults, {}, kDefaultWindowCount};
  std::shared_ptr<Minor> minor;
  std::unique_ptr<Device> device;
  std::shared_ptr<Recording> recording;
  std::vector<uint8_t> bytes;
};

std::unique_ptr<Medium> Memory(uint64_t size) {
  return std::make_unique<MemoryMedium>(MemoryMedium::CreateStore(size, "bench", kDevBsize).Take());
}

// Nanoseconds of a 4 KiB write, to places that were written before or not.
double WriteCost(bool recorded, bool fresh, size_t writes) {
  constexpr size_t kBlock = 4096, kBlocks = 4096;
  Rig rig(Memory((fresh ? writes : kBlocks) * kBlock));
  for (size_t i = 0; i < (fresh ? writes : kBlocks); i++) rig.Write(i * kBlock, kBlock, static_cast<uint8_t>(i + 1));
  if (recorded) rig.Record();
  if (!fresh) {
    for (size_t i = 0; i < kBlocks; i++) rig.Write(i * kBlock, kBlock, static_cast<uint8_t>(i + 2));
  }
  const double start = Cpu();
  for (size_t i = 0; i < writes; i++) rig.Run((fresh ? i : i * 7 % kBlocks) * kBlock, kBlock);
  return (Cpu() - start) * 1e9 / static_cast<double>(writes);
}

// Nanoseconds of the two looks at the clock that a traced request takes: the least that it costs more than one that is
// not.
double TwoLooks(size_t times) {
  uint64_t sum = 0;
  const double start = Cpu();
  for (size_t i = 0; i < 2 * times; i++) sum += TraceClock();
  const double cost = (Cpu() - start) * 1e9 / static_cast<double>(times);
  if (sum == 0) std::abort();
  return cost;
}

// States a second, of `sectors` writes of one sector each; `reads`: each is read too.
double StatesCost(size_t sectors, size_t states, bool reads) {
  Rig rig(Memory(64 << 20));
  rig.Record();
  for (size_t i = 0; i < sectors; i++) rig.Write(i * 8192, 512, static_cast<uint8_t>(i + 1));
  lab::Exploration what;
  what.samples = static_cast<uint32_t>(states);
  auto explorer = lab::Explorer::Make(rig.Model(), what).Take();
  std::vector<uint8_t> sector(512);
  const double start = Cpu();
  size_t made = 0;
  for (; made < states; made++) {
    const auto choice = explorer->Next();
    if (!choice) break;
    if (!reads) continue;
    lab::State state(choice);
    for (size_t i = 0; i < sectors; i++) {
      if (!state.ReadBytes(0, i * 8192, sector.data(), sector.size()).ok()) std::abort();
    }
  }
  return static_cast<double>(made) / (Cpu() - start);
}

// Seconds of `states` states of a sparse file that 200 writes went to.
double SparseCost(const std::string& path, uint64_t size, size_t states, size_t* made) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).close();
  if (truncate(path.c_str(), static_cast<off_t>(size)) != 0) std::abort();
  const double start = Cpu();
  Rig rig(HostMedium::Create(PosixHostIo(), path).Take());
  rig.Record();
  for (size_t i = 0; i < 200; i++) {
    rig.Write((i * 7919 % (size / 4096 - 1)) * 4096, 4096, static_cast<uint8_t>(i + 1));
    if (i % 40 == 39) static_cast<void>(rig.device->Flush(kSharedLane));
  }
  lab::Exploration what;
  what.samples = static_cast<uint32_t>(states);
  auto explorer = lab::Explorer::Make(rig.Model(), what).Take();
  std::vector<uint8_t> block(4096);
  for (*made = 0; *made < states; ++*made) {
    const auto choice = explorer->Next();
    if (!choice) break;
    lab::State state(choice);
    if (!state.ReadBytes(0, (*made % 200) * 7919 * 4096 % (size - 4096), block.data(), block.size()).ok()) std::abort();
  }
  return (Cpu() - start);
}

}  // namespace
}  // namespace blk_bench

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  size_t writes = 30'000, states = 100'000;
  uint64_t size = uint64_t{8} << 30;
  for (int i = 2; i < argc; i++) {
    const std::string word = argv[i];
    const auto number = [&](const char* name, auto* value) {
      if (word.rfind(name, 0) == 0) *value = std::stoull(word.substr(std::strlen(name)));
    };
    number("writes=", &writes);
    number("states=", &states);
    number("size=", &size);
  }
  size_t made = 0;
  const double sparse = blk_bench::SparseCost(argv[1], size, states, &made);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double bare = blk_bench::WriteCost(false, false, writes), recorded = blk_bench::WriteCost(true, false, writes);
  const double fresh_bare = blk_bench::WriteCost(false, true, writes), fresh = blk_bench::WriteCost(true, true, writes);
  std::printf("{\"sparse_seconds\": %.2f, \"sparse_states\": %zu, \"sparse_rss_mib\": %ld,\n", sparse, made,
              usage.ru_maxrss / 1024);
  std::printf(" \"write_ns\": %.0f, \"recorded_write_ns\": %.0f, \"recorder_ns\": %.0f,\n", bare, recorded,
              recorded - bare);
  std::printf(" \"first_write_ns\": %.0f, \"recorded_first_write_ns\": %.0f, \"recorder_first_ns\": %.0f,\n",
              fresh_bare, fresh, fresh - fresh_bare);
  std::printf(" \"two_looks_ns\": %.1f,\n", blk_bench::TwoLooks(1'000'000));
  std::printf(" \"states_per_second_64\": %.0f, \"states_read_per_second_64\": %.0f}\n",
              blk_bench::StatesCost(64, states, false), blk_bench::StatesCost(64, states, true));
  return 0;
}
