// A server that takes whole blocks, and little at a time: what is not whole is read and written back, and nobody loses
// a byte by it.
#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "core/nbd/nbd_medium.h"
#include "test/support/check.h"
#include "test/support/nbd_server.h"
#include "test/support/nbd_wire.h"
#include "test/support/temp_file.h"

namespace blk::nbd {
namespace {

using namespace blk::test;

struct Rig {
  explicit Rig(BlockSizes blocks, uint64_t size = 1 << 20) : Rig(OptionsOf(blocks, size)) {}
  explicit Rig(NbdTestOptions options) : server(std::move(options)) {
    NbdSetting setting;
    setting.name = "disk";
    setting.client.address.path = server.path();
    setting.client.connections = 3;
    store = std::make_shared<NbdStore>(std::move(setting));
    medium = NbdMedium::Create(store).Take();
    wanted.write = true;
    channel = medium->Attach(wanted).Take();
  }
  ~Rig() {
    channel.reset();
    CHECK(medium->Detach(wanted).ok());
    CHECK(medium->Close().ok());
  }
  static NbdTestOptions OptionsOf(BlockSizes blocks, uint64_t size) {
    NbdTestOptions options;
    options.blocks = blocks;
    options.size = size;
    return options;
  }

  NbdTestServer server;
  std::shared_ptr<NbdStore> store;
  std::unique_ptr<Medium> medium;
  std::unique_ptr<Channel> channel;
  Attachment wanted;
};

// Any range is written, zeroed and read, against a model.
void AnyRange(Rig& rig) {
  std::vector<uint8_t> model(1 << 20);
  uint64_t random = 3;
  const auto next = [&](uint64_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (random >> 33) % below;
  };
  for (int round = 0; round < 300; round++) {
    const uint64_t at = next(model.size() - 1);
    const auto size =
        static_cast<size_t>(1 + next(std::min<uint64_t>(model.size() - at, round % 5 == 0 ? 400000 : 3000)));
    const auto begin = model.begin() + static_cast<ptrdiff_t>(at);
    if (round % 4 == 3) {
      REQUIRE(rig.channel->Zero({at}, size, {}).bytes == size);
      std::fill_n(begin, size, uint8_t{0});
    } else if (round % 4 == 2) {
      std::vector<uint8_t> back(size);
      REQUIRE(rig.channel->Read({at}, back.data(), size, {}).bytes == size);
      REQUIRE(std::equal(back.begin(), back.end(), begin));
    } else {
      const auto bytes = Pattern(at, size, static_cast<uint64_t>(round));
      REQUIRE(rig.channel->Write({at}, bytes.data(), size, {}).bytes == size);
      std::copy(bytes.begin(), bytes.end(), begin);
    }
  }
  CHECK(rig.server.bytes() == model);
}

TEST_CASE("nbd blocks: any range of a server with blocks of 64 KiB, and little more at a time") {
  Rig rig(BlockSizes{65536, 65536, 131072});
  AnyRange(rig);
}

TEST_CASE("nbd blocks: any range of a server that takes 512 bytes at a time, whole sectors or not") {
  for (const uint32_t minimum : {1u, 512u}) {
    Rig rig(BlockSizes{minimum, 512, 512});
    AnyRange(rig);
    rig.channel->Prefetch({100}, 300000);
    CHECK(rig.channel->Discard({1000}, 300000, {}).status.ok());
    CHECK(rig.channel->Sync().ok());
  }
}

TEST_CASE("nbd blocks: extents of a range that begins and ends inside of blocks of 64 KiB, asked for and cached") {
  std::atomic<int> refused{0}, asked{0};
  NbdTestOptions options = Rig::OptionsOf({65536, 65536, 131072}, 1 << 20);
  options.on_request = [&](const RequestHeader& request) {
    if (request.type != static_cast<uint16_t>(Command::kBlockStatus)) return true;
    asked++;
    refused += request.offset % 65536 != 0 || request.length % 65536 != 0;
    return true;
  };
  Rig rig(std::move(options));
  const std::vector<uint8_t> block(65536, 1);
  CHECK(rig.channel->Write({131072}, block.data(), block.size(), {}).bytes == block.size());
  std::array<MediumExtent, 8> found;
  const auto list = [&](uint64_t begin, uint64_t end) {
    std::vector<std::pair<uint64_t, ExtentType>> ends;
    for (uint64_t at = begin; at < end;) {
      const auto count = rig.channel->Extents({{at}, {end}}, ExtentLayer::kAll, found, {});
      REQUIRE((count.ok() && count.value() > 0));
      for (size_t i = 0; i < count.value(); i++) {
        REQUIRE(found[i].at.value == at);
        at += found[i].size;
        ends.emplace_back(at, found[i].type);
      }
    }
    return ends;
  };
  using Ends = std::vector<std::pair<uint64_t, ExtentType>>;
  const Ends all{{131072, ExtentType::kHole}, {196608, ExtentType::kData}, {262145, ExtentType::kHole}};
  for (int round = 0; round < 2; round++) CHECK(list(70001, 262145) == all);
  const int once = asked;
  CHECK(once > 0);
  CHECK(list(131073, 131074) == Ends{{131074, ExtentType::kData}});
  CHECK(list(70001, 70002) == Ends{{70002, ExtentType::kHole}});
  CHECK(asked == once);
  CHECK(refused == 0);
}

TEST_CASE("nbd blocks: threads that share a block, but no byte, lose nothing") {
  Rig rig({4096, 4096, 65536}, 65536);
  constexpr size_t kThreads = 4, kRounds = 300;
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (size_t t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (size_t round = 1; round <= kRounds; round++) {
        // Each has every fourth stretch of 500 bytes, whatever block that lies in, and one of them whole blocks too.
        for (size_t at = t * 500; at + 500 <= 40000; at += kThreads * 500) {
          const std::vector<uint8_t> bytes(500, static_cast<uint8_t>(round));
          if (rig.channel->Write({at}, bytes.data(), bytes.size(), {}).bytes != 500) failed++;
          if (round % 100 != 0) break;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  const auto bytes = rig.server.bytes();
  for (size_t at = 0; at < 40000; at++) REQUIRE(bytes[at] == static_cast<uint8_t>(kRounds));
}

TEST_CASE("nbd blocks: a last block that is not whole is out of reach") {
  Rig rig({4096, 4096, 65536}, 65536 + 512);
  CHECK(*rig.medium->size() == 65536);
  uint8_t byte = 0;
  CHECK(rig.channel->Read({65536}, &byte, 1, {}).status.err == EIO);
}

TEST_CASE("nbd blocks: zeros and trims that are too long for a server are cut for it") {
  NbdTestOptions options = Rig::OptionsOf({512, 4096, 65536}, 1 << 20);
  options.flags &= static_cast<uint16_t>(~kCanMultiConn);
  std::atomic<int> refused{0};
  options.on_reply = [&](const RequestHeader& request, std::vector<uint8_t>& reply) {
    const auto command = static_cast<Command>(request.type);
    if ((command == Command::kWriteZeroes || command == Command::kTrim) && request.length > 65536) {
      refused++;
      reply = ErrorChunk(request.cookie, kWireInvalid);
    }
  };
  NbdTestServer server(std::move(options));
  NbdSetting setting;
  setting.client.address.path = server.path();
  const auto medium = NbdMedium::Create(std::make_shared<NbdStore>(std::move(setting))).Take();
  Attachment wanted;
  wanted.write = true;
  auto channel = medium->Attach(wanted).Take();
  CHECK(channel->Zero({0}, 1 << 20, {}).bytes == 1 << 20);
  CHECK(channel->Zero({0}, 1 << 20, {}).bytes == 1 << 20);
  CHECK(refused == 1);
  channel.reset();
  CHECK(medium->Detach(wanted).ok());
}

}  // namespace
}  // namespace blk::nbd
