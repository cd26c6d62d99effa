// A connection over a socket that keeps sends apart: what goes together, and what is settled together.
#include "core/nbd/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "test/support/check.h"
#include "test/support/nbd_wire.h"
#include "test/support/threads.h"

namespace blk::nbd {
namespace {

using namespace std::chrono_literals;
using namespace blk::test;

constexpr size_t kReads = 32;
constexpr uint32_t kSize = 512;

struct Burst {
  std::array<WireRequest, kReads> reads;
  std::array<Bytes, kReads> memory;
  size_t there_at_first_end = 0;  // reads whose bytes had come when the first of them ended
  std::atomic<size_t> ended{0};
};

void OnEnd(WireRequest& request, WireEnd how) {
  CHECK(how == WireEnd::kAnswered);
  CHECK(request.error == kWireOk);
  Burst& burst = *static_cast<Burst*>(request.client);
  if (burst.ended == 0) {
    for (size_t i = 0; i < kReads; i++) burst.there_at_first_end += burst.memory[i] == Bytes(kSize, uint8_t(i + 1));
  }
  burst.ended++;
}

// A connection whose thread runs, and the other side, where each send of it is a message that one receive takes.
struct Peers {
  Peers() {
    std::array<int, 2> fds{};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) == 0);
    other = fds[1];
    ExportFacts facts;
    facts.size = 1 << 20;
    facts.structured = true;
    connection.Open(Socket::Adopt(fds[0]).Take(), facts);
  }
  ~Peers() {
    connection.Stop();
    thread.join();
    close(other);
  }
  void Run() {
    thread = std::thread([this] {
      tid = gettid();
      CHECK(connection.Run().empty());
    });
  }
  // Receives `requests` in one message, and answers them, the last one first.
  void Answer(size_t requests) const {
    Bytes asked(4 * kReads * RequestHeader::kSize);
    CHECK(recv(other, asked.data(), asked.size(), 0) == static_cast<ssize_t>(requests * RequestHeader::kSize));
    Bytes replies;
    for (size_t i = requests; i-- > 0;) {
      const auto header = Decode<RequestHeader>(asked.data() + i * RequestHeader::kSize);
      replies =
          replies + DataChunk(header.cookie, header.offset, Bytes(kSize, uint8_t(header.offset / kSize + 1)), true);
    }
    CHECK(send(other, replies.data(), replies.size(), 0) == static_cast<ssize_t>(replies.size()));
  }
  // Until the connection's thread sleeps: it does so in its poll alone.
  void AwaitSleep() const {
    for (char state = 0; state != 'S'; std::this_thread::yield()) {
      std::ifstream stat("/proc/self/task/" + std::to_string(tid) + "/stat");
      std::string text;
      std::getline(stat, text);
      state = text[text.rfind(')') + 2];
    }
  }

  Connection connection{WakeEvent::Create().Take(), 0ms};
  int other = -1;
  std::atomic<pid_t> tid{0};
  std::thread thread;
};

void Fill(Burst& burst) {
  for (size_t i = 0; i < kReads; i++) {
    WireRequest& read = burst.reads[i];
    burst.memory[i].resize(kSize);
    read.command = Command::kRead;
    read.offset = i * kSize;
    read.length = kSize;
    read.data = burst.memory[i].data();
    read.client = &burst;
    read.end = OnEnd;
  }
}

TEST_CASE("nbd connection: what is submitted goes out in one send, what one receive brings is settled together") {
  Watchdog watchdog("a burst");
  Peers peers;
  Burst burst;
  Fill(burst);
  for (WireRequest& read : burst.reads) REQUIRE(peers.connection.Submit(read));
  peers.Run();
  peers.Answer(kReads);
  while (burst.ended < kReads) std::this_thread::yield();
  CHECK(burst.there_at_first_end == kReads);
}

TEST_CASE("nbd connection: requests that have more behind them wake nobody before the kick, and go in one send") {
  Watchdog watchdog("a kick");
  Peers peers;
  Burst first, burst;
  Fill(first);
  Fill(burst);
  REQUIRE(peers.connection.Submit(first.reads[0]));
  peers.Run();
  peers.Answer(1);
  while (first.ended < 1) std::this_thread::yield();
  peers.AwaitSleep();
  for (WireRequest& read : burst.reads) {
    read.more = true;
    REQUIRE(peers.connection.Submit(read));
  }
  peers.connection.Kick();
  peers.Answer(kReads);
  while (burst.ended < kReads) std::this_thread::yield();
  // One by itself needs no kick, and takes along what has stayed.
  peers.AwaitSleep();
  first.reads[1].more = true;
  REQUIRE(peers.connection.Submit(first.reads[1]));
  REQUIRE(peers.connection.Submit(first.reads[2]));
  peers.Answer(2);
  while (first.ended < 3) std::this_thread::yield();
}

}  // namespace
}  // namespace blk::nbd
