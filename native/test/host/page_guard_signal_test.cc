// SIGBUS that is not the guard's. The handler is installed once per process, so each case runs in a child; this process
// itself never makes a mapping of ours.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "core/host/mapping.h"
#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::Rig;

constexpr size_t kPage = 4096;
constexpr int kHandled = 42;
constexpr int kBadSetup = 99;

// Runs `body` in a child. -> its wait status.
template <typename Body>
int InChild(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const struct rlimit none = {0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::alarm(30);  // a fault that nobody handles comes again for ever
    body();
    ::_exit(0);
  }
  int status = 0;
  test::Must(child > 0 && ::waitpid(child, &status, 0) == child, "child");
  return status;
}

void Disposition(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  ::sigaction(SIGBUS, &action, nullptr);
}
void LeaveHandled(int signal_number) { ::_exit(signal_number == SIGBUS ? kHandled : kBadSetup); }
void* volatile g_fault_address = nullptr;
void LeaveIfAddressIsRight(int, siginfo_t* info, void*) {
  ::_exit(info->si_addr == g_fault_address ? kHandled : kBadSetup);
}

// A mapping that the guard does not know, without a file behind it.
volatile uint8_t* Unwatched(const Rig& rig) {
  rig.file.Truncate(kPage);
  const int fd = ::open(rig.file.path().c_str(), O_RDWR | O_CLOEXEC);
  void* memory = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) ::_exit(kBadSetup);
  rig.file.Truncate(0);
  return static_cast<volatile uint8_t*>(memory);
}

Mapping Watched(Rig& rig) {
  auto mapping = Mapping::Create(rig.host, rig.fd.get(), {0}, kPage, MapMode::kReadWrite);
  if (!mapping.ok()) ::_exit(kBadSetup);
  return mapping.Take();
}

bool Exited(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
bool Killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS; }

TEST_CASE("a fault outside the windows goes to the handler that was there before") {
  Rig rig(kPage), foreign(kPage);
  const int status = InChild([&] {
    Disposition(LeaveHandled);
    const Mapping mapping = Watched(rig);
    Unwatched(foreign)[10] = 1;
  });
  CHECK(Exited(status, kHandled));
}

TEST_CASE("the handler before us gets the address when it asks for it") {
  Rig rig(kPage), foreign(kPage);
  const int status = InChild([&] {
    struct sigaction action = {};
    action.sa_sigaction = LeaveIfAddressIsRight;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
    const Mapping mapping = Watched(rig);
    volatile uint8_t* memory = Unwatched(foreign);
    g_fault_address = const_cast<uint8_t*>(memory + 10);
    memory[10] = 1;
  });
  CHECK(Exited(status, kHandled));
}

TEST_CASE("a fault outside the windows still kills a process that has no handler") {
  Rig rig(kPage), foreign(kPage);
  const int status = InChild([&] {
    Disposition(SIG_DFL);
    const Mapping mapping = Watched(rig);
    Unwatched(foreign)[10] = 1;
  });
  CHECK(Killed(status));
}

TEST_CASE("a fault in a mapping that is watched no more is foreign") {
  Rig rig(kPage);
  const int status = InChild([&] {
    Disposition(LeaveHandled);
    volatile uint8_t* memory = Unwatched(rig);
    PageWatch::Over(const_cast<uint8_t*>(memory), kPage).Stop();
    memory[10] = 1;
  });
  CHECK(Exited(status, kHandled));
}

TEST_CASE("kill(SIGBUS) with the default disposition still kills") {
  Rig rig(kPage);
  const int status = InChild([&] {
    Disposition(SIG_DFL);
    const Mapping mapping = Watched(rig);
    ::kill(::getpid(), SIGBUS);
  });
  CHECK(Killed(status));
}

TEST_CASE("kill(SIGBUS) goes to the handler that was there before, even while windows are watched") {
  Rig rig(kPage);
  const int status = InChild([&] {
    Disposition(LeaveHandled);
    const Mapping mapping = Watched(rig);
    ::kill(::getpid(), SIGBUS);
  });
  CHECK(Exited(status, kHandled));
}

TEST_CASE("kill(SIGBUS) that was ignored before stays ignored") {
  Rig rig(kPage);
  const int status = InChild([&] {
    Disposition(SIG_IGN);
    const Mapping mapping = Watched(rig);
    ::kill(::getpid(), SIGBUS);
    ::_exit(kHandled);
  });
  CHECK(Exited(status, kHandled));
}

TEST_CASE("B34: after a foreign signal was handled, windows are guarded still") {
  Rig rig(kPage);
  const int status = InChild([&] {
    Disposition([](int) {});
    const Mapping mapping = Watched(rig);
    ::kill(::getpid(), SIGBUS);
    rig.file.Truncate(0);
    mapping.data()[10] = 1;
    ::_exit(mapping.poisoned() ? kHandled : kBadSetup);
  });
  CHECK(Exited(status, kHandled));
}

TEST_CASE("B34: the guard keeps errno") {
  Rig rig(kPage);
  const int status = InChild([&] {
    const Mapping mapping = Watched(rig);
    rig.file.Truncate(0);
    errno = 1234;
    mapping.data()[10] = 1;
    ::_exit(errno == 1234 && mapping.poisoned() ? kHandled : kBadSetup);
  });
  CHECK(Exited(status, kHandled));
}

}  // namespace
}  // namespace blk
