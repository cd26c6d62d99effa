// An export whose server goes away, comes back, is silent or talks nonsense: what of it a channel tells.
// Over 300 lines: one rig, and a case for each way to lose a connection.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "core/nbd/nbd_medium.h"
#include "test/support/check.h"
#include "test/support/nbd_server.h"
#include "test/support/nbd_wire.h"
#include "test/support/no_threads.h"

namespace blk::nbd {
namespace {

using namespace std::chrono_literals;
using namespace blk::test;

// A medium of a server, with a channel that may write.
struct Rig {
  explicit Rig(NbdTestOptions options = {}, ClientOptions client = {}) : server(std::move(options)) {
    NbdSetting setting;
    setting.name = "disk";
    setting.client = std::move(client);
    setting.client.address.path = server.path();
    setting.client.on_state = [this](ClientState state, Status) {
      if (state == ClientState::kLost) losses++;
    };
    store = std::make_shared<NbdStore>(std::move(setting));
    medium = NbdMedium::Create(store).Take();
    wanted.write = wanted.lock = true;
    wanted.range = {{0}, {*medium->size()}};
    Attach();
  }
  ~Rig() {
    if (channel != nullptr) Detach();
    CHECK(medium->Close().ok());
  }
  void Attach() { channel = medium->Attach(wanted).Take(); }
  void Detach() {
    channel.reset();
    CHECK(medium->Detach(wanted).ok());
  }
  Moved Write(uint64_t at, size_t size, bool durable = false, const std::atomic<bool>* cancel = nullptr) {
    const Bytes bytes(size, 0x5a);
    PieceRules rules;
    rules.durable = durable;
    rules.cancel = cancel;
    return channel->Write({at}, bytes.data(), size, rules);
  }
  Moved Read(uint64_t at, size_t size) {
    back.assign(size, 0);
    return channel->Read({at}, back.data(), size, {});
  }
  NbdStatistics Now() const { return store->Statistics(); }
  void AwaitState(ClientState state) const {
    while (Now().state != state) std::this_thread::yield();
  }

  std::atomic<int> losses{0};
  NbdTestServer server;
  std::shared_ptr<NbdStore> store;
  std::unique_ptr<Medium> medium;
  std::unique_ptr<Channel> channel;
  Attachment wanted;
  Bytes back;
};

ClientOptions Reconnecting(std::chrono::milliseconds reconnect = 20s) {
  ClientOptions options;
  options.reconnect = reconnect;
  return options;
}

// A server that ends the connection at the nth request of a kind, counted from 1.
NbdTestOptions LosesAt(Command command, int nth) {
  NbdTestOptions options;
  options.on_request = [command, nth, seen = std::make_shared<std::atomic<int>>(0)](const RequestHeader& request) {
    return request.type != static_cast<uint16_t>(command) || ++*seen != nth;
  };
  return options;
}

TEST_CASE("nbd client: a write under way is uncertain when its connection is lost, a read is not") {
  Rig rig(LosesAt(Command::kWrite, 2));
  CHECK(rig.Write(0, 512).status.ok());
  const Moved moved = rig.Write(512, 512);
  CHECK(moved.bytes == 0);
  CHECK(moved.status.err == ENOTCONN);
  CHECK(moved.status.why == Why::kNbdUncertain);
  // What was never sent did certainly not happen.
  rig.AwaitState(ClientState::kLost);
  CHECK(rig.Write(0, 512).status.why == Why::kNbdLost);
  CHECK(rig.Read(0, 512).status.why == Why::kNbdLost);
  CHECK(rig.channel->Sync().err == ENOTCONN);
}

TEST_CASE("nbd client: the next open connects again, and its first flush tells of writes that may be missing") {
  Rig rig;
  CHECK(rig.Write(0, 512).status.ok());
  rig.server.Drop();
  rig.AwaitState(ClientState::kLost);
  rig.Detach();
  rig.Attach();
  CHECK(rig.Now().reconnects == 1);
  CHECK(rig.Read(0, 512).status.ok());
  const Status first = rig.channel->Sync();
  CHECK(first.err == EIO);
  CHECK(first.why == Why::kNbdUnflushed);
  CHECK(rig.channel->Sync().ok());
}

TEST_CASE("nbd client: with reconnect, reads and writes are held and repeated, and nothing is told") {
  for (const Command command : {Command::kRead, Command::kWrite, Command::kFlush, Command::kBlockStatus}) {
    Rig rig(LosesAt(command, 1), Reconnecting());
    CHECK(rig.Write(0, 4096, true).status.ok());
    CHECK(rig.Read(0, 4096).status.ok());
    CHECK(rig.back == Bytes(4096, 0x5a));
    CHECK(rig.channel->Sync().ok());
    std::array<MediumExtent, 4> found;
    CHECK(rig.channel->Extents({{0}, {4096}}, ExtentLayer::kAll, found, {}).ok());
    CHECK(rig.Now().reconnects == 1);
    CHECK(rig.Now().losses == 1);
    CHECK(rig.losses == 1);
  }
}

TEST_CASE("nbd client: the first flush after a reconnect fails once, unless each write was durable or flushed") {
  const auto lose = [](Rig& rig) {
    rig.server.Drop();
    while (rig.Now().losses == 0) std::this_thread::yield();
    CHECK(rig.Read(0, 512).status.ok());
    CHECK(rig.Now().reconnects == 1);
  };
  {
    Rig rig({}, Reconnecting());
    CHECK(rig.Write(0, 512).status.ok());
    lose(rig);
    const Status first = rig.channel->Sync();
    CHECK(first.err == EIO);
    CHECK(first.why == Why::kNbdUnflushed);
    CHECK(rig.channel->Sync().ok());
    CHECK(rig.Write(0, 512).status.ok());
    CHECK(rig.channel->Sync().ok());
  }
  {
    Rig rig({}, Reconnecting());
    CHECK(rig.Write(0, 512, true).status.ok());
    lose(rig);
    CHECK(rig.channel->Sync().ok());
  }
  {
    Rig rig({}, Reconnecting());
    CHECK(rig.Write(0, 512).status.ok());
    CHECK(rig.channel->Sync().ok());
    lose(rig);
    CHECK(rig.channel->Sync().ok());
  }
  // The flush itself is what is lost: whether it was done nobody knows.
  Rig rig(LosesAt(Command::kFlush, 1), Reconnecting());
  CHECK(rig.Write(0, 512).status.ok());
  CHECK(rig.channel->Sync().why == Why::kNbdUnflushed);
  CHECK(rig.channel->Sync().ok());
}

TEST_CASE("nbd client: each medium of a client is told of a loss, whoever else has been") {
  Rig rig({}, Reconnecting());
  const auto other = rig.medium->Again().Take();
  Attachment reads;
  reads.range = rig.wanted.range;
  auto beside = other->Attach(reads).Take();
  CHECK(rig.Write(0, 512).status.ok());
  rig.server.Drop();
  while (rig.Now().losses == 0) std::this_thread::yield();
  CHECK(rig.Read(0, 512).status.ok());
  CHECK(rig.channel->Sync().why == Why::kNbdUnflushed);
  CHECK(beside->Sync().why == Why::kNbdUnflushed);
  CHECK(rig.channel->Sync().ok());
  CHECK(beside->Sync().ok());
  beside.reset();
  CHECK(other->Detach(reads).ok());
  CHECK(other->Close().ok());
}

TEST_CASE("nbd client: flushes at once behind a loss: each medium is told once, whichever of its flushes is") {
  Rig rig({}, Reconnecting());
  const auto other = rig.medium->Again().Take();
  Attachment reads;
  reads.range = rig.wanted.range;
  auto beside = other->Attach(reads).Take();
  for (int round = 1; round <= 20; round++) {
    CHECK(rig.Write(0, 512).status.ok());
    rig.server.Drop();
    while (rig.Now().losses != static_cast<uint64_t>(round)) std::this_thread::yield();
    CHECK(rig.Read(0, 512).status.ok());
    std::array<std::atomic<int>, 2> told{};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 4; i++) {
      threads.emplace_back([&, i] {
        const Status status = (i % 2 == 0 ? *rig.channel : *beside).Sync();
        CHECK((status.ok() || status.why == Why::kNbdUnflushed));
        told[i % 2] += status.ok() ? 0 : 1;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(told[0] == 1);
    CHECK(told[1] == 1);
  }
  beside.reset();
  CHECK(other->Detach(reads).ok());
  CHECK(other->Close().ok());
}

TEST_CASE("nbd client: closed behind a read that was called off and that nobody answers") {
  std::atomic<bool> hold{true}, seen{false};
  NbdTestOptions options;
  options.on_request = [&](const RequestHeader&) {
    seen = true;
    while (hold) std::this_thread::yield();
    return false;
  };
  Rig rig(std::move(options));
  std::atomic<bool> cancel{false};
  std::thread caller([&] {
    Bytes bytes(128 * 1024);
    PieceRules rules;
    rules.cancel = &cancel;
    CHECK(rig.channel->Read({0}, bytes.data(), bytes.size(), rules).status.err == ECANCELED);
  });
  while (!seen) std::this_thread::yield();
  cancel = true;
  caller.join();
  rig.Detach();
  CHECK(rig.medium->Close().ok());
  CHECK(rig.Now().state == ClientState::kEnded);
  hold = false;
}

TEST_CASE("nbd client: no thread for a second connection: an error, nothing stays, and the next time goes well") {
  std::optional<OneThread> host;
  NbdTestOptions options;
  // The server has its own threads by then, and the client none.
  options.on_go = [&, asked = std::make_shared<std::atomic<int>>(0)] {
    if (++*asked == 2) host.emplace();
  };
  NbdTestServer server(std::move(options));
  NbdSetting setting;
  setting.client.address.path = server.path();
  setting.client.connections = 2;
  const auto store = std::make_shared<NbdStore>(std::move(setting));
  const auto failed = NbdMedium::Create(store);
  CHECK(host.has_value());
  host.reset();
  CHECK(failed.status().err == EAGAIN);
  CHECK(server.connections() == 2);
  const auto medium = NbdMedium::Create(store).Take();
  CHECK(store->Statistics().connections == 2);
  uint8_t byte = 1;
  CHECK(medium->Read({0}, &byte, 1).ok());
  CHECK(medium->Close().ok());
}

TEST_CASE("nbd client: what the server said of holes is asked again behind a reconnect") {
  auto asked = std::make_shared<std::atomic<int>>(0);
  NbdTestOptions options;
  options.on_request = [asked](const RequestHeader& request) {
    if (request.type == static_cast<uint16_t>(Command::kBlockStatus)) ++*asked;
    return true;
  };
  Rig rig(std::move(options), Reconnecting());
  std::array<MediumExtent, 4> found;
  const auto list = [&] { CHECK(rig.channel->Extents({{0}, {4096}}, ExtentLayer::kAll, found, {}).ok()); };
  list();
  list();
  CHECK(*asked == 1);
  rig.server.Drop();
  while (rig.Now().losses == 0) std::this_thread::yield();
  CHECK(rig.Read(0, 512).status.ok());
  list();
  CHECK(*asked == 2);
}

TEST_CASE("nbd client: what is held is given up in time") {
  Rig rig({}, Reconnecting(50ms));
  rig.server.Refuse(true);
  rig.server.Drop();
  const Moved moved = rig.Read(0, 512);
  CHECK(moved.status.err == ENOTCONN);
  CHECK(rig.Write(0, 512).status.err == ENOTCONN);
  // And goes on when the server is back: by what comes next.
  rig.server.Refuse(false);
  while (!rig.Read(0, 512).status.ok()) std::this_thread::yield();
  CHECK(rig.Now().state == ClientState::kConnected);
}

TEST_CASE("nbd client: what is held can be called off") {
  Rig rig({}, Reconnecting());
  rig.server.Refuse(true);
  rig.server.Drop();
  while (rig.Now().losses == 0) std::this_thread::yield();
  std::atomic<bool> cancel{false};
  std::thread caller([&] { CHECK(rig.Write(0, 512, false, &cancel).status.err == ECANCELED); });
  rig.AwaitState(ClientState::kReconnecting);
  cancel = true;
  caller.join();
}

TEST_CASE("nbd client: a read under way can be called off, of a server that does not answer") {
  std::atomic<bool> hold{true}, seen{false};
  NbdTestOptions options;
  options.on_request = [&](const RequestHeader&) {
    seen = true;
    while (hold) std::this_thread::yield();
    return true;
  };
  Rig rig(std::move(options));
  std::atomic<bool> cancel{false};
  std::thread caller([&] {
    Bytes bytes(4096, 0xee);
    PieceRules rules;
    rules.cancel = &cancel;
    CHECK(rig.channel->Read({0}, bytes.data(), bytes.size(), rules).status.err == ECANCELED);
    CHECK(bytes == Bytes(4096, 0xee));
  });
  while (!seen) std::this_thread::yield();
  cancel = true;
  caller.join();
  hold = false;
  CHECK(rig.Read(0, 512).status.ok());
}

TEST_CASE("nbd client: another export is not taken for ours") {
  for (const bool other_size : {true, false}) {
    Rig rig({}, Reconnecting());
    CHECK(rig.Write(0, 512, true).status.ok());
    other_size ? rig.server.options().size /= 2 : rig.server.options().flags ^= kSendTrim;
    rig.server.Drop();
    while (rig.Now().losses == 0) std::this_thread::yield();
    const Moved moved = rig.Write(0, 512);
    CHECK(moved.status.err == ESTALE);
    CHECK(moved.status.why == Why::kNbdChanged);
    // One of the same size is read all the same.
    CHECK(rig.Read(0, 512).status.ok() == !other_size);
    // What its destructor does is nothing that a server has to answer.
  }
}

TEST_CASE("nbd client: a silent server is given up") {
  std::atomic<bool> hold{true};
  NbdTestOptions options;
  options.on_request = [&](const RequestHeader&) {
    while (hold) std::this_thread::yield();
    return false;
  };
  ClientOptions client;
  client.request_timeout = 50ms;
  Rig rig(std::move(options), client);
  const Moved moved = rig.Write(0, 512);
  CHECK(moved.status.err == ENOTCONN);
  CHECK(moved.status.why == Why::kNbdUncertain);
  hold = false;
}

TEST_CASE("nbd client: whatever a reply breaks ends the connection, and nobody waits for ever") {
  using Change = std::function<void(const RequestHeader&, Bytes&)>;
  const std::vector<std::pair<const char*, Change>> changes = {
      {"cut", [](const RequestHeader&, Bytes& reply) { reply.resize(reply.size() / 2); }},
      {"magic", [](const RequestHeader&, Bytes& reply) { reply[0]++; }},
      {"cookie", [](const RequestHeader&, Bytes& reply) { reply[15]++; }},
      {"simple",
       [](const RequestHeader& request, Bytes& reply) { reply = SimpleReplyBytes(request.cookie, 0, Bytes(512)); }},
      {"none", [](const RequestHeader& request, Bytes& reply) { reply = NoneChunk(request.cookie); }},
      {"twice", [](const RequestHeader&, Bytes& reply) { reply = reply + reply; }},
  };
  for (const auto& [name, change] : changes) {
    INFO(name);
    NbdTestOptions options;
    options.on_reply = change;
    ClientOptions client;
    client.request_timeout = 200ms;
    Rig rig(std::move(options), client);
    const Moved moved = rig.Read(0, 512);
    if (std::string(name) != "twice") CHECK(moved.status.err == ENOTCONN);
    rig.AwaitState(ClientState::kLost);
  }
}

TEST_CASE("nbd client: end, in the middle of everything, and by another thread") {
  std::atomic<bool> hold{true}, seen{false};
  NbdTestOptions options;
  options.on_request = [&](const RequestHeader&) {
    seen = true;
    while (hold) std::this_thread::yield();
    return false;
  };
  Rig rig(std::move(options), Reconnecting());
  std::thread caller([&] { CHECK(rig.Write(0, 512).status.err == ENOTCONN); });
  while (!seen) std::this_thread::yield();
  rig.store->End();
  caller.join();
  CHECK(rig.Read(0, 512).status.err == ENOTCONN);
  CHECK_FALSE(NbdMedium::Create(rig.store).ok());
  hold = false;
}

TEST_CASE("nbd client: the last medium says goodbye, and the next one connects again") {
  NbdTestServer server;
  NbdSetting setting;
  setting.name = "disk";
  setting.client.address.path = server.path();
  const auto store = std::make_shared<NbdStore>(std::move(setting));
  auto one = NbdMedium::Create(store).Take(), other = one->Again().Take();
  CHECK(server.connections() == 1);
  CHECK(one->Close().ok());
  uint8_t byte = 1;
  CHECK(other->Read({0}, &byte, 1).ok());
  CHECK(other->Close().ok());
  CHECK(store->Statistics().state == ClientState::kEnded);
  while (server.requests(Command::kDisconnect) == 0) std::this_thread::yield();
  const auto third = NbdMedium::Create(store).Take();
  CHECK(server.connections() == 2);
}

TEST_CASE("nbd client: a flush waits for the writes that began before it, on every connection") {
  std::atomic<bool> hold{true};
  std::atomic<int> writes{0};
  NbdTestOptions options;
  options.on_request = [&](const RequestHeader& request) {
    if (request.type != static_cast<uint16_t>(Command::kWrite)) return true;
    writes++;
    while (hold) std::this_thread::yield();
    return true;
  };
  ClientOptions client;
  client.connections = 2;
  Rig rig(std::move(options), client);
  CHECK(rig.Now().connections == 2);
  std::thread writer([&] { CHECK(rig.Write(0, 512).status.ok()); });
  while (writes == 0) std::this_thread::yield();
  std::atomic<bool> flushed{false};
  std::thread flusher([&] {
    CHECK(rig.channel->Sync().ok());
    flushed = true;
  });
  // A read on each connection is answered meanwhile, and no flush was sent.
  std::this_thread::yield();
  CHECK(rig.server.requests(Command::kFlush) == 0);
  CHECK_FALSE(flushed);
  hold = false;
  writer.join();
  flusher.join();
  CHECK(rig.server.requests(Command::kFlush) == 1);
}

}  // namespace
}  // namespace blk::nbd
