// A server over all that may happen under it: queues that are full, have no thread or have stopped, syncs that fail,
// media that answer late, ends in the middle. Threads as they are in a process.
#include "serve/server.h"

#include <atomic>
#include <memory>
#include <thread>

#include "core/device/driver.h"
#include "core/medium/late_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/nbd_client.h"
#include "test/support/rig.h"
#include "test/support/temp_file.h"
#include "test/support/threads.h"

namespace blk::serve {
namespace {

using nbd::Command;
using test::NbdClient;
using test::Pattern;

constexpr uint64_t kSize = uint64_t{4} << 20;

DriverOptions Small() {
  DriverOptions options;
  options.queue_depth = 1;
  options.workers = 1;
  return options;
}

// A server of one client over a socket pair, and what it has told.
struct Rig {
  explicit Rig(std::shared_ptr<Device> device, Driver& driver) {
    auto pair = Socket::Pair().Take();
    client.emplace(std::move(pair.first));
    ServerOptions options;
    options.exports.push_back(
        {"", "", device->mode() == OpenMode::kReadWrite, device, &driver.queue(), driver.lanes()});
    options.sink = [this](ServerEvent event) { (event.kind == ServerEvent::Kind::kClosed ? closed : told)++; };
    server = Server::Over(std::move(options), std::move(pair.second)).Take();
    client->Begin("");
  }
  void End() {
    client->Close();
    server->Join();
    CHECK(closed == 1);
  }

  std::atomic<int> told{0}, closed{0};
  std::optional<NbdClient> client;
  std::unique_ptr<Server> server;
};

OpenOptions ReadWrite(Access access = Access::kAuto) {
  OpenOptions options;
  options.mode = OpenMode::kReadWrite;
  options.access = access;
  return options;
}

std::shared_ptr<Device> OpenMemory(Driver& driver) {
  auto store = MemoryMedium::CreateStore(kSize, "memory", kDevBsize).Take();
  return driver.OpenPrivate(std::make_unique<MemoryMedium>(store), {}, "", ReadWrite()).Take();
}

TEST_CASE("a queue of depth 1 with one worker: hundreds of requests under way are all answered, rightly") {
  test::Watchdog watchdog("a full queue");
  const test::TempFile file(kSize);
  Driver driver(Small());
  // Under mmap each read goes through the queue; a FUA write, a flush and zeros do anyhow.
  auto device = driver.OpenPrivate(file.path(), {}, "", ReadWrite(Access::kMmap)).Take();
  Rig rig(device, driver);
  std::thread writer([&] {
    for (uint64_t i = 0; i < 300; i++) {
      rig.client->Ask(Command::kWrite, i, i * 4096, 4096, i % 2 == 0 ? nbd::kFlagFua : 0, Pattern(i * 4096, 4096, 1));
      if (i % 10 == 0) rig.client->Ask(Command::kFlush, 1000, 0, 0);
    }
  });
  for (int i = 0; i < 330; i++) CHECK(rig.client->Hear().error == 0);
  writer.join();
  std::thread reader([&] {
    for (uint64_t i = 0; i < 300; i++) rig.client->Ask(Command::kRead, i, i * 4096, 4096);
  });
  for (int i = 0; i < 300; i++) {
    const NbdClient::Reply reply = rig.client->Hear();
    CHECK(reply.error == 0);
    CHECK(rig.client->Take(4096) == Pattern(reply.cookie * 4096, 4096, 1));
  }
  reader.join();
  const ServerStats stats = rig.server->stats();
  CHECK(stats.requests == 630);
  CHECK(stats.bytes_written == 300 * 4096);
  rig.End();
  CHECK(rig.told == 2);
  CHECK(device->Close().ok());
}

TEST_CASE("a queue that has stopped: what needs it is ESHUTDOWN, what does not is answered") {
  test::Watchdog watchdog("a stopped queue");
  Driver driver((DriverOptions()));
  auto device = OpenMemory(driver);
  Rig rig(device, driver);
  driver.StopQueue();
  rig.client->Ask(Command::kFlush, 1, 0, 0);
  CHECK(rig.client->Hear().error == nbd::kWireShutdown);
  rig.client->Ask(Command::kWrite, 2, 0, 512, 0, std::vector<uint8_t>(512, 7));
  CHECK(rig.client->Hear().error == 0);
  rig.End();
  CHECK(device->Close().ok());
}

TEST_CASE("a sync that fails: EIO to that flush, to each later one, and to FUA, on every connection") {
  test::Watchdog watchdog("a sync that fails");
  test::FakeHost host;
  const test::TempFile file(kSize);
  Driver driver(DriverOptions{}, host);
  auto device = driver.OpenPrivate(file.path(), {}, "", ReadWrite(Access::kPio)).Take();
  Rig one(device, driver);
  Rig two(device, driver);
  one.client->Ask(Command::kWrite, 1, 0, 512, 0, std::vector<uint8_t>(512, 7));
  CHECK(one.client->Hear().error == 0);
  host.Fail(test::Call::kFdatasync, EIO);
  one.client->Ask(Command::kFlush, 2, 0, 0);
  CHECK(one.client->Hear().error == nbd::kWireIo);
  for (Rig* rig : {&one, &two}) {
    rig->client->Ask(Command::kFlush, 3, 0, 0);
    CHECK(rig->client->Hear().error == nbd::kWireIo);
    rig->client->Ask(Command::kWrite, 4, 0, 512, nbd::kFlagFua, std::vector<uint8_t>(512, 8));
    CHECK(rig->client->Hear().error == nbd::kWireIo);
    rig->client->Ask(Command::kWriteZeroes, 5, 0, 512, nbd::kFlagFua);
    CHECK(rig->client->Hear().error == nbd::kWireIo);
    rig->client->Ask(Command::kRead, 6, 0, 512);
    CHECK(rig->client->Hear().error == 0);
    CHECK(rig->client->Take(512) == std::vector<uint8_t>(512, 7));
  }
  one.End();
  two.End();
  CHECK(device->Close().err == EIO);
}

TEST_CASE("an export that ends: requests under way are answered, those behind it are ESHUTDOWN") {
  test::Watchdog watchdog("an export that ends");
  Driver driver((DriverOptions()));
  auto store = MemoryMedium::CreateStore(kSize, "memory", kDevBsize).Take();
  const auto answers = std::make_shared<LateAnswers>(std::chrono::microseconds(100), 1, true);
  auto medium = std::make_unique<LateMedium>(std::make_unique<MemoryMedium>(store), answers);
  auto device = driver.OpenPrivate(std::move(medium), {}, "", ReadWrite()).Take();
  Rig rig(device, driver);
  for (uint64_t i = 0; i < 20; i++) rig.client->Ask(Command::kRead, i, i * 4096, 4096);
  while (answers->under_way() < 20) std::this_thread::yield();
  std::atomic<bool> idle{false};
  rig.server->EndExport(0, [&] { idle = true; });
  rig.client->Ask(Command::kRead, 99, 0, 4096);
  const NbdClient::Reply refused = rig.client->Hear();
  CHECK(refused.cookie == 99);
  CHECK(refused.error == nbd::kWireShutdown);
  CHECK_FALSE(idle);
  answers->Release();
  for (int i = 0; i < 20; i++) {
    CHECK(rig.client->Hear().error == 0);
    CHECK(rig.client->Take(4096).size() == 4096);
  }
  while (!idle) std::this_thread::yield();
  CHECK(device->Close().ok());
  rig.End();
}

TEST_CASE(
    "closed, and cut off, with requests under way: it ends when those have, and answers what was to be answered") {
  test::Watchdog watchdog("ends in the middle");
  for (const bool cut : {false, true}) {
    Driver driver((DriverOptions()));
    auto store = MemoryMedium::CreateStore(kSize, "memory", kDevBsize).Take();
    const auto answers = std::make_shared<LateAnswers>(std::chrono::microseconds(100), 1, true);
    auto medium = std::make_unique<LateMedium>(std::make_unique<MemoryMedium>(store), answers);
    auto device = driver.OpenPrivate(std::move(medium), {}, "", ReadWrite()).Take();
    Rig rig(device, driver);
    for (uint64_t i = 0; i < 20; i++) rig.client->Ask(Command::kRead, i, i * 4096, 4096);
    while (answers->under_way() < 20) std::this_thread::yield();
    if (cut) {
      rig.server->Cut();
    } else {
      rig.server->Close(std::chrono::milliseconds(0));
    }
    CHECK(rig.closed == 0);
    answers->Release();
    rig.server->Join();
    CHECK(rig.closed == 1);
    constexpr size_t kReplies = 20 * (nbd::SimpleReply::kSize + 4096);
    const size_t came = rig.client->Take(kReplies + 1).size();
    // Who is cut off may have been answered by a thread that had not noticed yet.
    CHECK((cut ? came <= kReplies : came == kReplies));
    CHECK(device->Close().ok());
  }
}

TEST_CASE("a client that says nothing, or little by little, is cut off when its time for the handshake is over") {
  test::Watchdog watchdog("a handshake that does not end");
  Driver driver((DriverOptions()));
  auto device = OpenMemory(driver);
  for (const bool talks : {false, true}) {
    auto pair = Socket::Pair().Take();
    NbdClient client(std::move(pair.first));
    ServerOptions options;
    options.exports.push_back({"", "", true, device, &driver.queue(), driver.lanes()});
    options.handshake = std::chrono::milliseconds(200);
    Status told;
    int others = 0;
    std::atomic<bool> closed{false};
    options.sink = [&](ServerEvent event) {
      if (event.kind == ServerEvent::Kind::kClosed) closed = true;
      if (event.kind == ServerEvent::Kind::kError) told = event.status;
      if (event.kind == ServerEvent::Kind::kConnect || event.kind == ServerEvent::Kind::kDisconnect) others++;
    };
    auto server = Server::Over(std::move(options), std::move(pair.second)).Take();
    if (talks) {
      // Flags, and an option that is skipped byte by byte: each of them is taken, and none gives it more time.
      nbd::OptionHeader header;
      header.option = 99;
      header.length = Negotiation::kMaxSkipped;
      std::vector<uint8_t> words(4 + nbd::OptionHeader::kSize);
      words[3] = nbd::kFixedNewstyle;
      nbd::Encode(header, words.data() + 4);
      client.Send(words);
      while (!closed) client.Send({0});
    }
    server->Join();
    CHECK(told.err == ETIMEDOUT);
    CHECK(others == 0);
    CHECK(client.Take(1000).size() == nbd::Greeting::kSize + (talks ? size_t{20 + 8} : 0));
    client.Close();
  }
  CHECK(device->Close().ok());
}

TEST_CASE("many clients at once on a listener, which come, ask, and go at any moment") {
  test::Watchdog watchdog("many clients");
  const test::TempFile file(kSize);
  Driver driver((DriverOptions()));
  auto device = driver.OpenPrivate(file.path(), {}, "", ReadWrite()).Take();
  ServerOptions options;
  std::atomic<int> connects{0}, disconnects{0}, closed{0};
  options.exports.push_back({"disk", "", true, device, &driver.queue(), driver.lanes()});
  options.sink = [&](ServerEvent event) {
    if (event.kind == ServerEvent::Kind::kConnect) connects++;
    if (event.kind == ServerEvent::Kind::kDisconnect) disconnects++;
    if (event.kind == ServerEvent::Kind::kClosed) closed++;
  };
  auto server = Server::Listen(std::move(options), SocketListener::Listen({{}, "127.0.0.1", 0}).Take()).Take();
  const SocketAddress at = *server->address();
  test::RunTogether(8, [&](size_t thread) {
    for (size_t round = 0; round < 20; round++) {
      NbdClient client(Socket::Connect(at, std::chrono::seconds(10)).Take());
      client.Begin("disk");
      const uint64_t place = (thread * 20 + round) * 4096;
      client.Ask(Command::kWrite, 1, place, 4096, round % 2 == 0 ? nbd::kFlagFua : 0, Pattern(place, 4096, thread));
      CHECK(client.Hear().error == 0);
      client.Ask(Command::kRead, 2, place, 4096);
      CHECK(client.Hear().error == 0);
      CHECK(client.Take(4096) == Pattern(place, 4096, thread));
      for (uint64_t i = 0; i < 50; i++) client.Ask(Command::kRead, i, i * 65536, 65536);
      client.Close();
    }
  });
  server->Close(std::chrono::milliseconds(0));
  server->Join();
  CHECK(connects == 160);
  CHECK(disconnects == 160);
  CHECK(closed == 1);
  CHECK(server->connections() == 0);
  CHECK(device->Close().ok());
}

}  // namespace
}  // namespace blk::serve
