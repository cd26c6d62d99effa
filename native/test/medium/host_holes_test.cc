// Holes of host files and nodes: the ladders of what is asked of the host, what it refuses, and where it says data
// lies.
// Over 300 lines: a case for each step of the ladders.
#include "core/medium/host_holes.h"

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "core/host/mapping.h"
#include "core/medium/host_medium.h"
#include "core/medium/medium_windows.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/holes.h"
#include "test/support/loop_device.h"
#include "test/support/media.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::LoopDevice;
using test::Pattern;
using test::TempFile;

constexpr uint64_t kSize = 1 << 20;

// A channel that writes to a filled file, or to a node over one.
struct Trial {
  explicit Trial(bool node_wanted = false, uint64_t size = kSize)
      : file(size), node(node_wanted ? std::make_unique<LoopDevice>(file, false) : nullptr), wanted(test::Writer()) {
    test::NeedHoles();
    if (node && node->path().empty()) SKIP("no loop device to be had (needs root and a free /dev/loopN)");
    file.Fill();
    wanted.range = {{0}, {size}};
    medium = HostMedium::Create(host, node ? node->path() : file.path()).Take();
    channel = medium->Attach(wanted).Take();
    host.ClearJournal();
  }
  ~Trial() {
    CHECK(medium->Detach(wanted).ok());
    channel.reset();
    CHECK(medium->Close().ok());
    CHECK(host.open_descriptors() == 0);
    CHECK(host.misuses() == 0);
  }
  // What was asked of the host that changes bytes.
  std::vector<Call> Asked() const {
    std::vector<Call> calls;
    for (const auto& record : host.Journal()) {
      const Call call = record.call;
      if (call == Call::kPwrite || (call >= Call::kPunchHole && call <= Call::kNodeZero)) calls.push_back(call);
    }
    return calls;
  }
  // Bytes on the disk of the file.
  uint64_t Room() const {
    struct stat st = {};
    REQUIRE(::stat(file.path().c_str(), &st) == 0);
    return static_cast<uint64_t>(st.st_blocks) * 512;
  }
  Moved Zero(uint64_t at, uint64_t size, bool keep_room, bool fast = false) {
    PieceRules rules;
    rules.keep_room = keep_room;
    rules.fast = fast;
    return channel->Zero({at}, size, rules);
  }
  bool ZerosOnly(uint64_t at, size_t size) {
    std::vector<uint8_t> all(kSize), wanted_bytes = Pattern(0, kSize);
    REQUIRE(channel->Read({0}, all.data(), kSize, {}).status.ok());
    std::fill_n(wanted_bytes.begin() + static_cast<ptrdiff_t>(at), size, uint8_t{0});
    return all == wanted_bytes;
  }

  FakeHost host;
  const TempFile file;
  const std::unique_ptr<LoopDevice> node;
  Attachment wanted;
  std::unique_ptr<HostMedium> medium;
  std::unique_ptr<Channel> channel;
};

using Calls = std::vector<Call>;

TEST_CASE("zeros of a file: a punch where room may go, a range of zeros or a write where it stays") {
  Trial trial;
  const uint64_t room = trial.Room();
  CHECK(trial.Zero(1000, 200'000, false).bytes == 200'000);
  CHECK(trial.Asked() == Calls{Call::kPunchHole});
  CHECK(trial.ZerosOnly(1000, 200'000));
  CHECK(trial.Room() < room);
  trial.host.ClearJournal();
  CHECK(trial.Zero(1000, HostHoles::kWorthZeroing - 1, true).bytes == HostHoles::kWorthZeroing - 1);
  CHECK(trial.Asked() == Calls{Call::kPwrite});
  trial.host.ClearJournal();
  CHECK(trial.Zero(300'000, HostHoles::kWorthZeroing, true).status.ok());
  // tmpfs has none, and is written to.
  CHECK(trial.Asked().front() == Call::kZeroRange);
  CHECK(trial.file.Size() == kSize);
}

TEST_CASE("zeros of a file: what is refused for good is asked once, the next step of the ladder does it") {
  for (const int err : {EOPNOTSUPP, ENOSYS, ENOTTY}) {
    Trial trial;
    trial.host.FailAlways(Call::kPunchHole, err);
    CHECK(trial.Zero(0, 200'000, false).status.ok());
    trial.host.FailAlways(Call::kZeroRange, err);
    CHECK(trial.Zero(200'000, 200'000, false).status.ok());
    CHECK(trial.Zero(400'000, 4096, false).status.ok());
    CHECK(trial.host.calls(Call::kPunchHole) == 1);
    CHECK(trial.host.calls(Call::kZeroRange) <= 2);
    CHECK(trial.ZerosOnly(0, 404'096));
    // By another channel, too.
    const uint64_t asked = trial.host.calls(Call::kZeroRange);
    Attachment unlocked = trial.wanted;
    unlocked.lock = false;
    const auto other = trial.medium->Attach(unlocked).Take();
    CHECK(other->Zero({0}, 200'000, {}).status.ok());
    CHECK(other->Discard({0}, 200'000, {}).bytes == 0);
    CHECK(trial.host.calls(Call::kPunchHole) == 1);
    CHECK(trial.host.calls(Call::kZeroRange) == asked);
    CHECK(trial.medium->Detach(unlocked).ok());
  }
}

TEST_CASE("zeros of a file: what is refused for the moment, or of such a range, is asked again") {
  for (const int err : {EBUSY, EPERM, EACCES, EINVAL}) {
    Trial trial;
    trial.host.FailAlways(Call::kPunchHole, err);
    trial.host.FailAlways(Call::kZeroRange, err);
    CHECK(trial.Zero(1001, 100'000, false).status.ok());
    CHECK(trial.Zero(101'001, 100'000, false).status.ok());
    CHECK(trial.host.calls(Call::kPunchHole) == 2);
    CHECK(trial.ZerosOnly(1001, 200'000));
    // A range of whole granules is another matter.
    CHECK(trial.Zero(0, 409'600, false).status.ok());
    CHECK(trial.Zero(0, 409'600, false).status.ok());
    CHECK(trial.host.calls(Call::kPunchHole) == (err == EINVAL ? 3 : 4));
  }
}

TEST_CASE("zeros of a file: another error is told, and nothing is written behind it") {
  Trial trial;
  trial.host.Fail(Call::kPunchHole, EIO);
  const Moved moved = trial.Zero(0, 200'000, false);
  CHECK(moved.bytes == 0);
  CHECK(moved.status.err == EIO);
  CHECK(trial.host.calls(Call::kPwrite) == 0);
  CHECK(trial.ZerosOnly(0, 0));
}

TEST_CASE("zeros of a file: fast ones are one call or none") {
  Trial trial;
  CHECK(trial.Zero(1000, 512, false, true).bytes == 512);
  CHECK(trial.Asked() == Calls{Call::kPunchHole});
  CHECK(trial.ZerosOnly(1000, 512));
  trial.host.FailAlways(Call::kPunchHole, EOPNOTSUPP);
  trial.host.FailAlways(Call::kZeroRange, EOPNOTSUPP);
  for (const bool keep_room : {false, true}) {
    const Moved moved = trial.Zero(0, 200'000, keep_room, true);
    CHECK(moved.bytes == 0);
    CHECK(moved.status.err == EOPNOTSUPP);
  }
  CHECK(trial.host.calls(Call::kPwrite) == 0);
  CHECK(trial.ZerosOnly(1000, 512));
}

TEST_CASE("zeros of a file that was cut: EIO, and it does not grow") {
  Trial trial;
  trial.file.Truncate(500'000);
  const Moved moved = trial.Zero(450'000, 100'000, false);
  CHECK(moved.bytes == 0);
  CHECK(moved.status.err == EIO);
  CHECK(trial.Zero(450'000, 100'000, true).status.err == EIO);
  CHECK(trial.channel->Discard({450'000}, 100'000, {}).status.ok());
  CHECK(trial.file.Size() == 500'000);
}

TEST_CASE("zeros and discards look at their cancel flag between steps") {
  test::NeedHoles();
  constexpr uint64_t kLarge = 3 * HostHoles::kStep + 4096;
  FakeHost host;
  const TempFile file(kLarge);
  std::atomic<bool> cancel{false};
  host.before = [&](const test::CallRecord& record) {
    if (record.call == Call::kPunchHole && record.offset >= HostHoles::kStep) cancel = true;
  };
  const auto medium = HostMedium::Create(host, file.path()).Take();
  const Attachment wanted = test::Writer({{0}, {kLarge}});
  const auto channel = medium->Attach(wanted).Take();
  PieceRules rules;
  rules.cancel = &cancel;
  Moved moved = channel->Zero({0}, kLarge, rules);
  CHECK(moved.status.err == ECANCELED);
  CHECK(moved.bytes == 2 * HostHoles::kStep);
  cancel = false;
  moved = channel->Discard({0}, kLarge, rules);
  CHECK(moved.status.err == ECANCELED);
  CHECK(moved.bytes == 2 * HostHoles::kStep);
  cancel = false;
  CHECK(channel->Discard({0}, HostHoles::kStep, rules).bytes == HostHoles::kStep);
  CHECK(medium->Detach(wanted).ok());
}

TEST_CASE("a discard of a file takes whole granules, and no other byte") {
  Trial trial;
  for (const uint64_t granule : {4096, 65'536, 3000}) {
    Trial other;
    other.host.granule = granule;
    CHECK(other.channel->Discard({4095}, 300'000, {}).bytes == 300'000);
    const auto punched = other.host.Journal(Call::kPunchHole);
    REQUIRE(punched.size() == 1);
    CHECK(punched[0].offset == (4095 + granule - 1) / granule * granule);
    CHECK(punched[0].offset + punched[0].size == 304'095 / granule * granule);
    CHECK(other.ZerosOnly(punched[0].offset, static_cast<size_t>(punched[0].size)));
  }
  CHECK(trial.channel->Discard({1}, 4095, {}).bytes == 4095);
  CHECK(trial.Asked().empty());
  trial.host.Fail(Call::kPunchHole, EIO);
  CHECK(trial.channel->Discard({0}, 4096, {}).status.err == EIO);
  trial.host.Fail(Call::kPunchHole, EBUSY);
  const Moved busy = trial.channel->Discard({0}, 4096, {});
  CHECK(busy.bytes == 0);
  CHECK(busy.status.ok());
  CHECK(trial.channel->Discard({0}, 4096, {}).bytes == 4096);
  CHECK(trial.ZerosOnly(0, 4096));
}

TEST_CASE("a node is discarded, punched and zeroed by sectors, its ends are written") {
  Trial trial(true);
  const auto bytes = Pattern(0, kSize);
  // Dirty in memory: who has the node to himself may have it discarded all the same.
  REQUIRE(trial.channel->Write({0}, bytes.data(), kSize, {}).status.ok());
  const uint64_t room = trial.Room();
  trial.host.ClearJournal();
  CHECK(trial.Zero(1001, 300'000, false).bytes == 300'000);
  CHECK(trial.Asked() == Calls{Call::kPunchHole, Call::kPwrite, Call::kPwrite});
  CHECK(trial.ZerosOnly(1001, 300'000));
  CHECK(trial.Room() < room);
  trial.host.ClearJournal();
  CHECK(trial.Zero(1024, 131'072, true).status.ok());
  CHECK(trial.Asked() == Calls{Call::kNodeZero});
  CHECK(trial.Zero(1024, 131'072, true, true).status.err == EOPNOTSUPP);
  CHECK(trial.Zero(1, 510, false, true).status.err == EOPNOTSUPP);
  CHECK(trial.ZerosOnly(1001, 300'000));
  trial.host.ClearJournal();
  const uint64_t before = trial.Room();
  CHECK(trial.channel->Discard({400'000}, 300'000, {}).bytes == 300'000);
  CHECK(trial.Asked() == Calls{Call::kNodeDiscard});
  CHECK(trial.Room() < before);
  trial.host.FailAlways(Call::kPunchHole, EOPNOTSUPP);
  trial.host.FailAlways(Call::kNodeZero, EOPNOTSUPP);
  trial.host.FailAlways(Call::kNodeDiscard, EOPNOTSUPP);
  trial.host.ClearJournal();
  CHECK(trial.Zero(0, 4096, false).status.ok());
  CHECK(trial.Asked() == Calls{Call::kPunchHole, Call::kNodeZero, Call::kPwrite});
  CHECK(trial.channel->Discard({0}, 4096, {}).bytes == 0);
}

std::vector<MediumExtent> Listed(Channel& channel, MediumSpan within = {{0}, {kSize}}) {
  std::vector<MediumExtent> found(64);
  const auto count = channel.Extents(within, ExtentLayer::kAll, found, {});
  REQUIRE(count.ok());
  found.resize(count.value());
  return found;
}

TEST_CASE("extents of a file: holes and data where they are, on a descriptor of its own") {
  Trial trial;
  CHECK(trial.channel->Discard({65'536}, 131'072, {}).status.ok());
  CHECK(trial.channel->Discard({kSize - 65'536}, 65'536, {}).status.ok());
  trial.host.ClearJournal();
  const auto found = Listed(*trial.channel);
  REQUIRE(found.size() == 4);
  CHECK(found[0].type == ExtentType::kData);
  CHECK(found[1].at.value == 65'536);
  CHECK(found[1].size == 131'072);
  CHECK(found[1].type == ExtentType::kHole);
  CHECK(found[2].type == ExtentType::kData);
  CHECK(found[3].at.value == kSize - 65'536);
  CHECK(found[3].type == ExtentType::kHole);
  const auto opened = trial.host.Journal(Call::kReopen);
  REQUIRE(opened.size() == 1);
  CHECK_FALSE(opened[0].flags.write);
  for (const auto& seek : trial.host.Journal(Call::kSeekData)) CHECK(seek.fd == opened[0].result);
  static_cast<void>(Listed(*trial.channel));
  CHECK(trial.host.Journal(Call::kReopen).size() == 1);
}

TEST_CASE("extents of a file: whatever the host does not tell, or what makes no sense, is data") {
  for (const auto& [call, answer] : std::vector<std::pair<Call, int>>{{Call::kSeekData, EINVAL},
                                                                      {Call::kSeekData, EOPNOTSUPP},
                                                                      {Call::kSeekData, EIO},
                                                                      {Call::kSeekData, -5},
                                                                      {Call::kSeekHole, ENXIO},
                                                                      {Call::kSeekHole, -5},
                                                                      {Call::kReopen, EMFILE}}) {
    Trial trial;
    CHECK(trial.channel->Discard({65'536}, kSize - 65'536, {}).status.ok());
    trial.host.Fail(call, answer);
    const auto found = Listed(*trial.channel, {{4096}, {kSize}});
    REQUIRE(found.size() == 1);
    CHECK(found[0].type == ExtentType::kData);
    CHECK(found[0].size == kSize - 4096);
    // What it cannot it cannot; a failure may pass.
    const bool for_good = answer == EINVAL || answer == EOPNOTSUPP;
    CHECK(Listed(*trial.channel).size() == (for_good ? 1 : 2));
  }
}

TEST_CASE("features of a file: a seek that is refused says no extents, one that fails says nothing") {
  for (const auto& [answer, extents] : std::vector<std::pair<int, bool>>{
           {EINVAL, false}, {EOPNOTSUPP, false}, {EIO, true}, {ENOMEM, true}, {ENXIO, true}}) {
    Trial trial;
    trial.host.Fail(Call::kSeekData, answer);
    CHECK(trial.channel->Features().extents == extents);
    // Nothing is remembered of a question.
    CHECK(trial.channel->Features().extents);
  }
}

TEST_CASE("extents of a file that was cut: behind its end nothing is known") {
  Trial trial;
  CHECK(trial.channel->Discard({0}, 65'536, {}).status.ok());
  trial.file.Truncate(65'536);
  const auto found = Listed(*trial.channel);
  REQUIRE(found.size() == 2);
  CHECK(found[0].type == ExtentType::kHole);
  CHECK(found[1].at.value == 65'536);
  CHECK(found[1].type == ExtentType::kData);
}

TEST_CASE("extents of a file: what is stored through a map is data at once") {
  Trial trial;
  CHECK(trial.channel->Discard({0}, kSize, {}).status.ok());
  {
    const Mapping mapping = trial.channel->windows()->Map({65'536}, 4096, MapMode::kReadWrite).Take();
    *mapping.data() = 1;
    const auto found = Listed(*trial.channel);
    REQUIRE(found.size() == 3);
    CHECK(found[1].at.value <= 65'536);
    CHECK(found[1].type == ExtentType::kData);
  }
}

}  // namespace
}  // namespace blk
