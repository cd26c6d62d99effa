// RingEngine: transfers by io_uring: as many as there are, in turns, to their end; and what becomes of them where the
// kernel has no ring, or stops to take its calls in the middle.
#include "core/host/ring_engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

#include "core/base/waiting_threads.h"
#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Must;
using test::Pattern;
using test::TempFile;

constexpr long kSetup = 425, kEnter = 426;

struct NoThreads final : WaitingThreads {
  bool Run(void (*)(void*), void*) override { return false; }
};

struct Told {
  HostTransfer transfer;
  std::vector<uint8_t> bytes;
  std::atomic<int> times{0};
  int64_t answer = 0;

  void Fill(int fd, uint64_t offset, size_t size) {
    bytes.assign(size, 0xee);
    transfer.fd = fd;
    transfer.data = bytes.data();
    transfer.size = size;
    transfer.offset = offset;
    transfer.owner = this;
    transfer.done = [](HostTransfer& done, int64_t answer) {
      Told& told = *static_cast<Told*>(done.owner);
      told.answer = answer;
      // Release, with the acquire below: the answer comes with it.
      told.times.fetch_add(1, std::memory_order_release);
    };
  }
  void Await() const {
    while (times.load(std::memory_order_acquire) == 0) std::this_thread::yield();
  }
};

// Entries of a folder of /proc.
size_t CountIn(const char* folder) {
  DIR* const dir = ::opendir(folder);
  Must(dir != nullptr, "opendir");
  size_t count = 0;
  while (::readdir(dir) != nullptr) count++;
  ::closedir(dir);
  return count;
}

// From here on this system call answers `err`, on all threads of the process, for good.
void Deny(long call, int err) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(err)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  Must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  Must(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0, "seccomp");
}

// Runs `body` in a process of its own, whose system calls it may have denied. -> whether it says that all was well.
bool InChild(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  Must(child >= 0, "fork");
  if (child == 0) {
    // A hang ends the test, too.
    ::alarm(120);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  Must(::waitpid(child, &status, 0) == child, "waitpid");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool HasRing() {
  NoThreads threads;
  RingEngine engine(threads);
  return engine.Ready();
}

TEST_CASE("ring: thousands of transfers of several opens are done once each, and right") {
  if (!HasRing()) SKIP("no io_uring here");
  constexpr size_t kSize = 8 << 20, kBytes = 4096, kTransfers = 4000;
  TempFile file(kSize);
  file.Write(0, Pattern(0, kSize));
  const int fd = ::open(file.path().c_str(), O_RDWR | O_CLOEXEC);
  Must(fd >= 0, "open");
  Must(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
  NoThreads threads;
  HostLine lines[3];
  std::vector<Told> reads(kTransfers);
  {
    RingEngine engine(threads);
    REQUIRE(engine.Ready());
    for (size_t i = 0; i < kTransfers; i++) {
      reads[i].Fill(fd, i * 7919 % (kSize / kBytes) * kBytes, kBytes);
      CHECK(engine.Put(lines[i % 3], reads[i].transfer));
    }
    // It waits for all of them.
    engine.Stop();
    for (const Told& told : reads) {
      CHECK(told.times == 1);
      CHECK(told.answer == static_cast<int64_t>(kBytes));
      CHECK(told.bytes == Pattern(told.transfer.offset, kBytes));
    }
    CHECK_FALSE(engine.Put(lines[0], reads[0].transfer));
    CHECK_FALSE(engine.Ready());
  }
  ::close(fd);
}

TEST_CASE("ring: writes, ends of the file, errors, and what is put in by the end of another") {
  if (!HasRing()) SKIP("no io_uring here");
  TempFile file(8192);
  const int fd = ::open(file.path().c_str(), O_RDWR | O_CLOEXEC);
  Must(fd >= 0, "open");
  NoThreads threads;
  RingEngine engine(threads);
  REQUIRE(engine.Ready());
  HostLine line;
  Told write, across, behind, bad;
  write.Fill(fd, 4096, 4096);
  write.transfer.kind = HostTransfer::Kind::kWrite;
  CHECK(engine.Put(line, write.transfer));
  write.Await();
  CHECK(write.answer == 4096);
  CHECK(file.Read(4096, 4096) == write.bytes);
  across.Fill(fd, 4096, 8192);
  behind.Fill(fd, 8192, 512);
  bad.Fill(-1, 0, 512);
  for (Told* told : {&across, &behind, &bad}) CHECK(engine.Put(line, told->transfer));
  for (Told* told : {&across, &behind, &bad}) told->Await();
  CHECK(across.answer == 4096);
  CHECK(behind.answer == 0);
  CHECK(bad.answer == -EBADF);
  // A chain of a thousand, each begun by the end of the one before.
  struct Chain {
    HostTransfer transfer;
    uint8_t byte = 0;
    RingEngine* engine = nullptr;
    HostLine* line = nullptr;
    int left = 1000;
    std::atomic<bool> over{false};
  } chain;
  chain.engine = &engine;
  chain.line = &line;
  chain.transfer.fd = fd;
  chain.transfer.data = &chain.byte;
  chain.transfer.size = 1;
  chain.transfer.owner = &chain;
  chain.transfer.done = [](HostTransfer& done, int64_t) {
    Chain& of = *static_cast<Chain*>(done.owner);
    if (--of.left == 0 || !of.engine->Put(*of.line, of.transfer)) of.over = true;
  };
  CHECK(engine.Put(line, chain.transfer));
  while (!chain.over) std::this_thread::yield();
  CHECK(chain.left == 0);
  engine.Stop();
  ::close(fd);
}

TEST_CASE("ring: four hundred of them leave no thread and no descriptor") {
  if (!HasRing()) SKIP("no io_uring here");
  TempFile file(4096);
  const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
  Must(fd >= 0, "open");
  const size_t descriptors = CountIn("/proc/self/fd"), tasks = CountIn("/proc/self/task");
  NoThreads threads;
  std::vector<std::unique_ptr<RingEngine>> kept;
  for (int i = 0; i < 400; i++) {
    kept.push_back(std::make_unique<RingEngine>(threads));
    REQUIRE(kept.back()->Ready());
    if (i % 2 == 0) {
      HostLine line;
      Told told;
      told.Fill(fd, 0, 512);
      CHECK(kept.back()->Put(line, told.transfer));
      told.Await();
    }
    kept.back()->Stop();
    kept.back()->Stop();
  }
  CHECK(CountIn("/proc/self/fd") == descriptors);
  CHECK(CountIn("/proc/self/task") == tasks);
  ::close(fd);
}

TEST_CASE("ring: where it cannot be set up it is not ready, and never will be") {
  for (const int err : {EPERM, ENOSYS, ENOMEM}) {
    CHECK(InChild([err] {
      Deny(kSetup, err);
      NoThreads threads;
      RingEngine engine(threads);
      HostLine line;
      Told told;
      told.Fill(0, 0, 1);
      return !engine.Ready() && !engine.Ready() && !engine.Put(line, told.transfer);
    }));
  }
}

TEST_CASE("ring: a kernel that stops to take its calls: what is under way is answered, the rest is not done") {
  if (!HasRing()) SKIP("no io_uring here");
  TempFile file(4096);
  for (const int err : {EPERM, ENOMEM, EAGAIN, EBUSY, EINTR}) {
    CHECK(InChild([&] {
      const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
      int pipe[2];
      Must(fd >= 0 && ::pipe(pipe) == 0, "open");
      NoThreads threads;
      RingEngine engine(threads);
      if (!engine.Ready()) return false;
      HostLine line;
      // Reads that nothing answers yet, and one that is answered: by then the others are under way.
      std::vector<Told> pending(3);
      Told first;
      for (Told& told : pending) {
        told.Fill(pipe[0], 0, 1);
        if (!engine.Put(line, told.transfer)) return false;
      }
      first.Fill(fd, 0, 512);
      if (!engine.Put(line, first.transfer)) return false;
      first.Await();
      Deny(kEnter, err);
      // One after the other, so that each is a call of its own; in the end it is asked no more.
      bool open = true;
      for (int i = 0; i < 100 && open; i++) {
        Told told;
        told.Fill(fd, 0, 512);
        open = engine.Put(line, told.transfer);
        if (!open) break;
        told.Await();
        if (told.answer != -ECANCELED && told.answer != 512) return false;
      }
      if (open || engine.Ready()) return false;
      for (const Told& told : pending) {
        if (told.times != 0) return false;
      }
      Must(::write(pipe[1], "abc", 3) == 3, "write");
      engine.Stop();
      for (const Told& told : pending) {
        if (told.times != 1 || told.answer != 1) return false;
      }
      return true;
    }));
  }
}

}  // namespace
}  // namespace blk
