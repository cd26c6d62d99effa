// A connection over a socket that keeps sends apart: what goes together, and what is settled together.
#include "core/nbd/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
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

TEST_CASE("nbd connection: what is submitted goes out in one send, what one receive brings is settled together") {
  Watchdog watchdog("a burst");
  // Each send of it is a message, which one receive takes.
  std::array<int, 2> fds{};
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) == 0);
  Connection connection(WakeEvent::Create().Take(), 0ms);
  ExportFacts facts;
  facts.size = 1 << 20;
  facts.structured = true;
  connection.Open(Socket::Adopt(fds[0]).Take(), facts);
  Burst burst;
  for (size_t i = 0; i < kReads; i++) {
    WireRequest& read = burst.reads[i];
    burst.memory[i].resize(kSize);
    read.command = Command::kRead;
    read.offset = i * kSize;
    read.length = kSize;
    read.data = burst.memory[i].data();
    read.client = &burst;
    read.end = OnEnd;
    REQUIRE(connection.Submit(read));
  }
  std::thread thread([&] { CHECK(connection.Run().empty()); });
  Bytes asked(4 * kReads * RequestHeader::kSize);
  CHECK(recv(fds[1], asked.data(), asked.size(), 0) == ssize_t{kReads * RequestHeader::kSize});
  Bytes replies;
  for (size_t i = kReads; i-- > 0;) {
    const auto header = Decode<RequestHeader>(asked.data() + i * RequestHeader::kSize);
    replies = replies + DataChunk(header.cookie, header.offset, Bytes(kSize, uint8_t(i + 1)), true);
  }
  CHECK(send(fds[1], replies.data(), replies.size(), 0) == static_cast<ssize_t>(replies.size()));
  while (burst.ended < kReads) std::this_thread::yield();
  CHECK(burst.there_at_first_end == kReads);
  connection.Stop();
  thread.join();
  close(fds[1]);
}

}  // namespace
}  // namespace blk::nbd
