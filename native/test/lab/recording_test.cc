// What a recording hears of real devices: their opens, batches and durable writes, what was there before, what does not
// fit into memory, and threads.
// Over 300 lines: one list of what recordings hear.
#include <thread>

#include "lab/legal.h"
#include "lab/memo.h"
#include "test/lab/lab_rig.h"
#include "test/support/batch_rig.h"

namespace blk::lab {
namespace {

using test::BatchRig;
using test::Call;
using test::Entry;
using test::kMiB;

// Records the disk of a rig from here on.
std::shared_ptr<Recording> Record(test::DeviceRig& rig, Device& device, Recording::Setting setting = {}) {
  auto recording = std::make_shared<Recording>(rig.host, std::move(setting));
  Disk& disk = rig.minor->disk();
  auto base = Base::Open(disk.medium().Again().Take(), disk.span());
  REQUIRE(base.ok());
  const uint16_t domain = recording->AddDomain(base.Take());
  REQUIRE(recording->AddPart({rig.minor->span(), domain}).ok());
  auto log = recording->LogOf(domain);
  REQUIRE(disk.log().Add(log).ok());
  recording->OnEnd([minor = rig.minor, log] { minor->disk().log().Remove(*log); });
  REQUIRE(device.SetLogged(true).ok());
  return recording;
}

std::string TextOf(const Event& event) {
  static constexpr const char* kKinds[] = {"write", "flush", "discard", "zeroes", "mark"};
  static constexpr const char* kPromises[] = {"", " durable", " nothing"};
  std::string text =
      std::string(kKinds[static_cast<size_t>(event.kind)]) + kPromises[static_cast<size_t>(event.promise)];
  if (event.writes()) text += " " + std::to_string(event.at / kUnit) + "+" + std::to_string(event.moved / kUnit);
  return text + " " + std::to_string(event.begin) + ".." + std::to_string(event.end);
}
std::vector<std::string> TextsOf(const Recording& recording) {
  std::vector<std::string> texts;
  for (const Event& event : recording.Events()) texts.push_back(TextOf(event));
  return texts;
}
using Texts = std::vector<std::string>;

constexpr uint8_t kWrite = 1, kFlush = 2;

TEST_CASE("each access is heard, durable writes as such, and the flush of a close") {
  for (const Access access : {Access::kPio, Access::kMmap, Access::kAuto}) {
    test::DeviceRig rig;
    auto device = rig.Open(access);
    const auto recording = Record(rig, *device);
    const std::vector<uint8_t> sector(512, 1);
    CHECK(test::Write(*device, 512, sector).status.ok());
    CHECK(test::Write(*device, 1024, sector, Fua::kOn).status.ok());
    CHECK(recording->Mark() == 5);
    Request zeros = device->RangeRequest(Operation::kZero, 0, 1024, Fua::kByCacheMode);
    device->Run(zeros);
    CHECK(device->Close().ok());
    CHECK(TextsOf(*recording) ==
          Texts{"write 1+1 1..2", "write durable 2+1 3..4", "mark 5..5", "zeroes 0+2 6..7", "flush 8..9"});
  }
}

TEST_CASE("under writethrough a write is durable, under unsafe nothing is covered (M5)") {
  test::DeviceRig rig;
  auto through = rig.Open(Access::kPio, CacheMode::kWritethrough);
  auto unsafe = rig.Open(Access::kPio, CacheMode::kUnsafe);
  const auto recording = Record(rig, *through);
  REQUIRE(unsafe->SetLogged(true).ok());
  const std::vector<uint8_t> sector(512, 1);
  CHECK(test::Write(*through, 0, sector).status.ok());
  CHECK(test::Write(*through, 512, sector, Fua::kOff).status.ok());
  CHECK(test::Write(*unsafe, 1024, sector, Fua::kOn).status.ok());
  CHECK(unsafe->Flush(kSharedLane).ok());
  CHECK(TextsOf(*recording) == Texts{"write durable 0+1 1..2", "write 1+1 3..4", "write nothing 2+1 5..6"});
}

TEST_CASE("the durable writes of a batch are acknowledged behind the sync that they share (M7)") {
  BatchRig rig;
  const auto recording = Record(rig, *rig.device);
  // A plain one, two durable ones apart, one plain one: all begin together.
  REQUIRE(rig.Run({{kWrite, 0, 512, 0}, {kWrite, 4, 512, 512, 1}, {kWrite, 8, 512, 1024, 1}, {kWrite, 12, 512, 1536}}));
  CHECK(rig.host.calls(Call::kFdatasync) == 1);
  CHECK(TextsOf(*recording) == Texts{"write 0+1 1..5", "write durable 4+1 2..9", "write durable 8+1 3..9",
                                     "write 12+1 4..6", "flush nothing 7..8"});
  // The sync is no promise to the plain ones: not covered, whatever the host has done.
  Exploration what;
  what.exhaustive = kNever;
  const auto model = Model::Make(recording, {}).Take();
  what.from = what.to = model->end();
  what.exact = true;
  auto explorer = Explorer::Make(model, what).Take();
  size_t states = 0;
  while (explorer->Next()) states++;
  CHECK(states == 4);
}

TEST_CASE("a flush in a batch covers what stands before it, before anything behind it begins (M7)") {
  BatchRig rig;
  const auto recording = Record(rig, *rig.device);
  REQUIRE(rig.Run({{kWrite, 0, 512, 0}, {kFlush, 0, 0, 0}, {kWrite, 4, 512, 512}}));
  const Texts texts = TextsOf(*recording);
  CHECK(texts == Texts{"write 0+1 1..4", "flush 5..6", "write 4+1 7..8"});
}

TEST_CASE("writes that are merged are one write, and what a batch writes is what a state has") {
  BatchRig rig;
  const auto recording = Record(rig, *rig.device);
  std::fill(rig.arena.begin(), rig.arena.begin() + 512, uint8_t{7});
  std::fill(rig.arena.begin() + 512, rig.arena.begin() + 1024, uint8_t{8});
  REQUIRE(rig.Run({{kWrite, 0, 512, 0}, {kWrite, 1, 512, 512}, {kFlush, 0, 0, 0}}));
  CHECK(recording->requests() == 2);
  const auto model = Model::Make(recording, {}).Take();
  State state(std::make_shared<Choice>(Cut::Make(model, model->end()), std::vector<uint64_t>{}, std::vector<Tear>{}));
  std::vector<uint8_t> bytes(1024);
  REQUIRE(state.ReadBytes(0, 0, bytes.data(), bytes.size()).ok());
  CHECK((bytes[0] == 7 && bytes[511] == 7 && bytes[512] == 8 && bytes[1023] == 8));
}

TEST_CASE("what was there before stays, also of what is written when nothing is recorded any more") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kPio);
  const std::vector<uint8_t> before = test::Read(*device, 0, 16384);
  const auto recording = Record(rig, *device);
  CHECK(test::Write(*device, 700, std::vector<uint8_t>(512, 1)).status.ok());
  CHECK(recording->Stop().ok());
  CHECK(test::Write(*device, 9000, std::vector<uint8_t>(512, 2)).status.ok());
  CHECK(recording->requests() == 1);
  const auto model = Model::Make(recording, {}).Take();
  // All lost, read and written over, in a device as any other.
  auto choice = std::make_shared<Choice>(Cut::Make(model, model->end()), std::vector<uint64_t>{0}, std::vector<Tear>{});
  auto state = std::make_shared<State>(choice);
  auto store = std::make_shared<StateStore>(state, uint16_t{0}, "state", state->SizeOf(0));
  for (int open = 0; open < 2; open++) {
    auto minor = Minor::Create(std::make_unique<StateMedium>(store), {}).Take();
    OpenOptions options;
    options.mode = OpenMode::kReadWrite;
    auto opened = Device::Open(minor, options, rig.context).Take();
    std::vector<uint8_t> wanted = before;
    if (open == 1) std::fill(wanted.begin() + 100, wanted.begin() + 800, uint8_t{5});
    CHECK(test::Read(*opened, 0, before.size()) == wanted);
    if (open == 0) CHECK(test::Write(*opened, 100, std::vector<uint8_t>(700, 5)).status.ok());
    CHECK(opened->Close().ok());
  }
  CHECK(state->written());
  // Of two atoms that were recorded the first was read before it was written, and the second.
  CHECK(state->reads().size() == 2);
  CHECK(test::Read(*device, 700, 512) == std::vector<uint8_t>(512, 1));
}

TEST_CASE("a disk is recorded again once a recording has stopped, and each has what was there before it") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kPio);
  const auto put = [&](uint64_t atom, uint8_t value) {
    CHECK(test::Write(*device, atom * 512, std::vector<uint8_t>(512, value)).status.ok());
  };
  std::vector<std::shared_ptr<Recording>> recordings;
  std::vector<std::vector<uint8_t>> before;
  for (uint8_t i = 1; i <= 3; i++) {
    put(0, i);
    before.push_back(test::Read(*device, 0, 4096));
    recordings.push_back(Record(rig, *device));
    put(0, static_cast<uint8_t>(10 * i));
    put(i, i);
    CHECK(recordings.back()->Stop().ok());
  }
  put(5, 99);
  // One that is let go leaves the others.
  recordings[1] = nullptr;
  put(6, 98);
  for (const size_t i : {size_t{0}, size_t{2}}) {
    CHECK(recordings[i]->requests() == 2);
    const auto model = Model::Make(recordings[i], {}).Take();
    State state(std::make_shared<Choice>(Cut::Make(model, 1), std::vector<uint64_t>{}, std::vector<Tear>{}));
    std::vector<uint8_t> bytes(4096);
    REQUIRE(state.ReadBytes(0, 0, bytes.data(), bytes.size()).ok());
    CHECK(bytes == before[i]);
  }
}

TEST_CASE("what does not fit into memory is in a file, and no room is an error of the recording alone") {
  test::DeviceRig rig(16 * kMiB);
  auto device = rig.Open(Access::kPio);
  Recording::Setting setting;
  setting.memory = 0;
  setting.folder = "/tmp";
  const auto recording = Record(rig, *device, setting);
  std::vector<uint8_t> bytes(kMiB);
  for (uint64_t i = 0; i < 8; i++) {
    std::fill(bytes.begin(), bytes.end(), static_cast<uint8_t>(i + 1));
    CHECK(test::Write(*device, i * kMiB, bytes).status.ok());
  }
  CHECK(recording->store().spilled() > 4 * kMiB);
  CHECK(recording->status().ok());
  for (const Event& event : recording->Events()) {
    CHECK((event.data[0] == event.at / kMiB + 1 && event.data[event.length - 1] == event.data[0]));
  }
  setting.folder = "/nowhere";
  const auto lost = recording;
  CHECK(recording->Stop().ok());
  CHECK(rig.minor->disk().log().Remove(*recording->LogOf(0)));
  const auto second = Record(rig, *device, setting);
  for (uint64_t i = 0; i < 8; i++) CHECK(test::Write(*device, i * kMiB, bytes).status.ok());
  CHECK(second->status().err == ENOENT);
  CHECK(second->Stop().err == ENOENT);
  CHECK(Model::Make(second, {}).status().err == ENOENT);
}

TEST_CASE("a lease is refused while a disk is recorded, and a disk has one log") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kMmap);
  {
    const auto recording = Record(rig, *device);
    CHECK(device->Map(0, 4096).status().err == ENOTSUP);
    CHECK(rig.minor->disk().log().Add(recording->LogOf(0)).err == EBUSY);
    // What a store would change is its base still.
    CHECK(recording->Stop().ok());
    CHECK(device->Map(0, 4096).status().err == ENOTSUP);
    CHECK(rig.minor->disk().log().Add(recording->LogOf(0)).ok());
  }
  CHECK(device->Map(0, 4096).ok());
}

TEST_CASE("stores through a lease are found where they are compared: at a flush, at a mark and at its end (M8)") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kMmap);
  REQUIRE(test::Write(*device, 0, std::vector<uint8_t>(4096, 9)).status.ok());
  REQUIRE(device->Flush(kSharedLane).ok());
  Recording::Setting setting;
  setting.compares = true;
  const auto recording = Record(rig, *device, setting);
  CHECK_FALSE(recording->misses_stores());
  auto lease = device->Map(1000, 2000).Take();  // number 1; from inside of atom 1 to inside of atom 5
  lease->data()[0] = 1;
  lease->data()[600] = 2;
  CHECK(device->Flush(kSharedLane).ok());
  lease->data()[1] = 3;
  recording->Mark();
  recording->Mark();
  lease->data()[1999] = 4;
  CHECK(lease->Release().ok());
  CHECK(recording->misses_stores());
  // Each is between two looks; what stood still is not there.
  CHECK(TextsOf(*recording) == Texts{"write 1+0 1..2", "write 3+1 1..3", "write 1+0 4..7", "flush 5..6", "mark 9..9",
                                     "write 5+0 10..12", "mark 11..11"});
  const auto events = recording->Events();
  CHECK((events[0].stores && events[0].at == 1000 && events[0].length == 24 && events[0].data[0] == 1));
  CHECK((events[1].at == 1536 && events[1].length == 512 && events[1].data[64] == 2));
  CHECK((events[5].at == 2560 && events[5].length == 440 && events[5].data[439] == 4));
  const auto model = Model::Make(recording, {}).Take();
  std::vector<uint8_t> image = test::Read(*device, 0, static_cast<size_t>(4 * kMiB));
  CHECK(IsLegal(*model, {image}, model->end()).value());
  image[2999] = 9;
  image[1001] = 9;
  CHECK(IsLegal(*model, {image}, model->end()).value());
  image[1000] = 9;  // the flush has covered it
  CHECK_FALSE(IsLegal(*model, {image}, model->end()).value());
}

TEST_CASE("a lease that outlives a recording leaves its base alone, and may end behind it (M8)") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kMmap);
  Recording::Setting setting;
  setting.compares = true;
  std::vector<uint8_t> image = test::Read(*device, 0, static_cast<size_t>(4 * kMiB));
  auto recording = Record(rig, *device, setting);
  auto lease = device->Map(0, 4096).Take();
  const uint8_t before = image[0];
  lease->data()[0] = static_cast<uint8_t>(before + 1);
  CHECK(recording->Stop().ok());
  lease->data()[0] = static_cast<uint8_t>(before + 2);
  lease->data()[512]++;
  const auto legal = [&] {
    const auto model = Model::Make(recording, {}).Take();
    return IsLegal(*model, {image}, model->end()).value();
  };
  CHECK(legal());
  image[0]++;
  CHECK(legal());
  image[0]++;
  CHECK_FALSE(legal());
  // It may end before the lease.
  recording.reset();
  CHECK(lease->Release().ok());
}

TEST_CASE("threads write, flush and mark; each write has its data, and the end is legal") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kPio);
  auto recording = Record(rig, *device);
  std::vector<std::thread> threads;
  for (uint8_t t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      for (uint8_t i = 0; i < 100; i++) {
        const std::vector<uint8_t> bytes(4096, static_cast<uint8_t>(t * 50 + i % 50 + 1));
        CHECK(test::Write(*device, ((i * 7 + t) % 64) * 4096, bytes).status.ok());
        if (i % 10 == 0) CHECK(device->Flush(kSharedLane).ok());
        if (i % 25 == 0) recording->Mark();
        if (i % 50 == 0) CHECK(Model::Make(recording, {}).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(recording->requests() == 4 * 110);
  CHECK(recording->marks() == 16);
  for (const Event& event : recording->Events()) {
    if (event.kind == Kind::kWrite) CHECK(event.data[0] == event.data[4095]);
  }
  const auto model = Model::Make(recording, {}).Take();
  CHECK(IsLegal(*model, {test::Read(*device, 0, 4 * kMiB)}, model->end()).value());
  // States on several threads, while it is written on.
  auto explorer = Explorer::Make(model, {}).Take();
  std::vector<std::shared_ptr<State>> states;
  for (int i = 0; i < 8; i++) {
    if (auto choice = explorer->Next()) states.push_back(std::make_shared<State>(choice));
  }
  std::vector<std::thread> readers;
  for (size_t t = 0; t < 4; t++) {
    readers.emplace_back([&] {
      std::vector<uint8_t> bytes(65536);
      for (const auto& state : states) {
        CHECK(state->ReadBytes(0, 0, bytes.data(), bytes.size()).ok());
        CHECK(state->WriteBytes(0, 100, bytes.data(), 1000).ok());
      }
    });
  }
  CHECK(test::Write(*device, kMiB, std::vector<uint8_t>(4096, 9)).status.ok());
  for (std::thread& reader : readers) reader.join();
}

TEST_CASE("a recording lives as long as what it was told of is under way") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kPio);
  auto recording = Record(rig, *device);
  const std::weak_ptr<Recording> weak = recording;
  recording.reset();
  CHECK(weak.expired());
  CHECK(test::Write(*device, 0, std::vector<uint8_t>(512, 1)).status.ok());
}

TEST_CASE("memo: what reads the same goes on the same") {
  LabRig rig({4});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(rig.Write(3, 4, 1, 2));
  const auto cut = Cut::Make(rig.ModelOf(), 5);
  const auto choice = [&](uint64_t kept) {
    return std::make_shared<Choice>(cut, std::vector<uint64_t>{kept}, std::vector<Tear>{});
  };
  Memo memo;
  std::vector<uint8_t> sector(kUnit);
  // Reads the first atom, and the second one if the first was written.
  const auto check = [&](uint64_t kept) {
    State state(choice(kept));
    CHECK(state.ReadBytes(0, 0, sector.data(), kUnit).ok());
    if (sector[0] == 1) CHECK(state.ReadBytes(0, kUnit, sector.data(), kUnit).ok());
    return memo.Add(state, static_cast<int64_t>(kept));
  };
  CHECK_FALSE(memo.Find(*choice(0)).has_value());
  CHECK(check(0));
  CHECK(memo.Find(*choice(0)) == 0);
  CHECK(memo.Find(*choice(2)) == 0);  // what it did not read is all the same
  CHECK_FALSE(memo.Find(*choice(1)).has_value());
  CHECK(check(1));
  CHECK(memo.Find(*choice(1)) == 1);
  CHECK_FALSE(memo.Find(*choice(3)).has_value());
  // Reads nothing, where others have read: not deterministic.
  CHECK_FALSE(memo.Add(State(choice(0)), 5));
}

}  // namespace
}  // namespace blk::lab
