// nbd_reads: what a client of NBD costs without Node: our own, with so many reads under way, on any server. Prints
// JSON: ns and CPU of this process per request, and how many reads brought something else than the stamps of the image.
//
//   nbd_reads SOCKET key=value...
//     name=EXPORT  size=BYTES (needed)  block=4096  depth=32  ops=100000  seed=1  pattern=uniform|zipf|sequential
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "bench/support/host_map.h"
#include "bench/support/positions.h"
#include "core/base/sync.h"
#include "core/nbd/client.h"

namespace blk_bench {
namespace {

struct Options {
  std::string socket, name, pattern = "uniform";
  uint64_t size = 0, seed = 1;
  size_t block = 4096, depth = 32, ops = 100'000;
};

[[noreturn]] void Usage(const std::string& why) {
  std::fprintf(stderr, "nbd_reads: %s; see the head of native/bench/nbd_reads.cc\n", why.c_str());
  std::exit(2);
}

Options Parse(int argc, char** argv) {
  if (argc < 2) Usage("no socket");
  Options o;
  o.socket = argv[1];
  for (int i = 2; i < argc; i++) {
    const std::string arg = argv[i];
    const size_t eq = arg.find('=');
    if (eq == std::string::npos) Usage("no value in " + arg);
    const std::string key = arg.substr(0, eq), value = arg.substr(eq + 1);
    const auto number = [&] { return std::strtoull(value.c_str(), nullptr, 10); };
    if (key == "name")
      o.name = value;
    else if (key == "pattern")
      o.pattern = value;
    else if (key == "size")
      o.size = number();
    else if (key == "block")
      o.block = number();
    else if (key == "depth")
      o.depth = number();
    else if (key == "ops")
      o.ops = number();
    else if (key == "seed")
      o.seed = number();
    else
      Usage("unknown option " + arg);
  }
  if (o.block == 0 || o.depth == 0 || o.size < o.block) Usage("the export is smaller than a block");
  return o;
}

double CpuNow() {
  timespec t;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0) Die("clock_gettime");
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// Reads under way, each of which begins the next one where it ends: on the thread of the client.
class Reads {
 public:
  Reads(blk::nbd::Client& client, const Options& o)
      : client_(client), o_(o), at_(MakePositions(o.pattern, o.size, o.block, o.ops, o.seed)), slots_(o.depth) {}

  void Run() {
    under_way_ = slots_.size();
    for (Slot& slot : slots_) {
      slot.reads = this;
      slot.bytes = std::make_unique<uint8_t[]>(o_.block);
      slot.finish = [](blk::nbd::WireRequest& request, blk::nbd::WireEnd how) {
        Slot& done = static_cast<Slot&>(request);
        done.reads->Ended(done, how);
      };
    }
    for (Slot& slot : slots_) Next(slot);
    blk::MutexLock lock(mu_);
    while (under_way_ > 0) over_.Wait(mu_);
  }
  uint64_t wrong() const { return wrong_; }

 private:
  struct Slot : blk::nbd::WireRequest {
    Reads* reads = nullptr;
    std::unique_ptr<uint8_t[]> bytes;
  };

  void Next(Slot& slot) {
    const size_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= at_.size()) {
      blk::MutexLock lock(mu_);
      if (--under_way_ == 0) over_.NotifyAll();
      return;
    }
    slot.command = blk::nbd::Command::kRead;
    slot.offset = at_[i];
    slot.length = static_cast<uint32_t>(o_.block);
    slot.data = slot.bytes.get();
    client_.Submit(slot);
  }
  void Ended(Slot& slot, blk::nbd::WireEnd how) {
    uint32_t stamp = 0;  // of the first page
    std::memcpy(&stamp, slot.bytes.get(), sizeof(stamp));
    if (how != blk::nbd::WireEnd::kAnswered || slot.error != 0 || stamp != slot.offset / 4096) ++wrong_;
    Next(slot);
  }

  blk::nbd::Client& client_;
  const Options& o_;
  const std::vector<uint64_t> at_;
  std::vector<Slot> slots_;
  std::atomic<size_t> next_{0};
  std::atomic<uint64_t> wrong_{0};
  blk::Mutex mu_;
  blk::CondVar over_;
  size_t under_way_ = 0;
};

int Main(int argc, char** argv) {
  const Options o = Parse(argc, argv);
  blk::nbd::ClientOptions options;
  options.address.path = o.socket;
  options.name = o.name;
  auto client = blk::nbd::Client::Connect(std::move(options));
  if (!client.ok()) {
    std::fprintf(stderr, "nbd_reads: %s: %s\n", o.socket.c_str(), std::strerror(client.status().err));
    return 1;
  }
  Reads reads(*client.value(), o);
  const double cpu = CpuNow(), start = Now();
  reads.Run();
  const double ns = Now() - start, used = CpuNow() - cpu;
  const auto ops = static_cast<double>(o.ops);
  std::printf("{\"ns\":%.2f,\"cpu\":%.2f,\"wrong\":%llu}\n", ns / ops, used / ops,
              static_cast<unsigned long long>(reads.wrong()));
  return 0;
}

}  // namespace
}  // namespace blk_bench

int main(int argc, char** argv) { return blk_bench::Main(argc, argv); }
