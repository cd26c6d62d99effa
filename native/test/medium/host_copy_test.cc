// Copies that the host makes between two files: what it is asked for, what is left to reads and writes, and what an end
// that fails leaves behind.
#include "core/medium/host_copy.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "core/medium/host_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/holes.h"
#include "test/support/media.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::Pattern;
using test::TempFile;

constexpr uint64_t kSize = 4 << 20;
// Of the source, which is data on both sides of it.
constexpr uint64_t kHoleBegin = 1 << 20, kHoleEnd = 3 << 20;

struct End {
  End(FakeHost& host, const TempFile& file) : wanted(test::Writer()) {
    wanted.range = {{0}, {kSize}};
    medium = HostMedium::Create(host, file.path()).Take();
    channel = medium->Attach(wanted).Take();
  }
  ~End() {
    CHECK(medium->Detach(wanted).ok());
    channel.reset();
    CHECK(medium->Close().ok());
  }

  Attachment wanted;
  std::unique_ptr<HostMedium> medium;
  std::unique_ptr<Channel> channel;
};

struct Trial {
  Trial() : from_file(kSize), to_file(kSize), from(host, from_file), to(host, to_file), expected(Pattern(0, kSize)) {
    test::NeedHoles();
    from_file.Fill();
    REQUIRE(from.channel->Zero({kHoleBegin}, kHoleEnd - kHoleBegin, {}).status.ok());
    punched = host.calls(Call::kPunchHole);
    std::fill(expected.begin() + kHoleBegin, expected.begin() + kHoleEnd, uint8_t{0});
    host.ClearJournal();
  }
  Moved Copy(uint64_t at, uint64_t begin, uint64_t size, const PieceRules& rules = {}) {
    source.channel = from.channel.get();
    source.at = {begin};
    return to.channel->Copy({at}, size, source, rules);
  }
  std::vector<uint8_t> Found() {
    std::vector<uint8_t> all(kSize);
    REQUIRE(to.channel->Read({0}, all.data(), kSize, {}).status.ok());
    return all;
  }
  FakeHost host;
  uint64_t punched = 0;  // to make the hole
  const TempFile from_file;
  const TempFile to_file;
  End from;
  End to;
  std::vector<uint8_t> expected;
  CopySource source;
};

TEST_CASE("a copy by the host: data by its calls, holes not at all, and what lay in them is gone") {
  Trial trial;
  trial.to_file.Fill(1);
  trial.host.FailAlways(Call::kCloneRange, EOPNOTSUPP);
  CHECK(trial.Copy(0, 0, kSize).bytes == kSize);
  CHECK(trial.source.holes == kHoleEnd - kHoleBegin);
  CHECK(trial.source.cloned == 0);
  CHECK(trial.host.calls(Call::kPread) == 0);
  CHECK(trial.host.calls(Call::kPwrite) == 0);
  CHECK(trial.host.calls(Call::kCopyRange) == 2);
  CHECK(trial.host.calls(Call::kPunchHole) == trial.punched + 1);
  CHECK(trial.Found() == trial.expected);
}

TEST_CASE("a copy by the host: a hole of the target is left alone, and so is all of one that is said to be zeros") {
  Trial trial;
  CHECK(trial.Copy(0, 0, kSize).status.ok());
  CHECK(trial.host.calls(Call::kPunchHole) == trial.punched);
  CHECK(trial.Found() == trial.expected);
  Trial believed;
  believed.to_file.Fill(1);
  believed.source.target_is_zero = true;
  CHECK(believed.Copy(0, 0, kSize).status.ok());
  CHECK(believed.host.calls(Call::kPunchHole) == believed.punched);
  CHECK(believed.Found() != believed.expected);
}

TEST_CASE("a copy by the host: any place, to the byte") {
  struct Place {
    uint64_t at, begin, size;
  };
  for (const auto& [at, begin, size] : {Place{0, 1, 1 << 20},
                                        {12345, 777, 3'000'001},
                                        {4095, 4095, 2'500'000},
                                        {1 << 20, 2 << 20, 2 << 20},
                                        {5, kHoleBegin + 5, 100},
                                        {0, 0, 0}}) {
    Trial trial;
    trial.to_file.Fill(1);
    std::vector<uint8_t> wanted = trial.Found();
    std::copy_n(trial.expected.begin() + static_cast<ptrdiff_t>(begin), size,
                wanted.begin() + static_cast<ptrdiff_t>(at));
    CHECK(trial.Copy(at, begin, size).bytes == size);
    CHECK(trial.Found() == wanted);
  }
}

TEST_CASE("a copy by the host: what it cannot do is left, without a byte changed") {
  for (const int err : {EXDEV, EOPNOTSUPP, ENOSYS, EINVAL, EPERM, EACCES, EIO, ETXTBSY}) {
    Trial trial;
    trial.host.FailAlways(Call::kCopyRange, err);
    const std::vector<uint8_t> before = trial.Found();
    const Moved moved = trial.Copy(0, 0, kSize);
    CHECK(moved.bytes == 0);
    CHECK(moved.status.err == EOPNOTSUPP);
    CHECK(trial.Found() == before);
  }
  Trial trial;
  trial.host.Fail(Call::kCopyRange, EXDEV, 1);
  const Moved moved = trial.Copy(0, 0, kSize);
  CHECK(moved.bytes == kHoleEnd);
  CHECK(moved.status.err == EOPNOTSUPP);
  CHECK(trial.source.holes == kHoleEnd - kHoleBegin);
}

TEST_CASE("a copy by the host: no room is told as what it is, with what was copied before") {
  for (const int err : {ENOSPC, EDQUOT, EFBIG}) {
    Trial trial;
    trial.host.Fail(Call::kCopyRange, err, 1);
    const Moved moved = trial.Copy(0, 0, kSize);
    CHECK(moved.bytes == kHoleEnd);
    CHECK(moved.status.err == err);
  }
}

TEST_CASE("a copy by the host: a signal is no failure") {
  Trial trial;
  trial.host.Fail(Call::kCopyRange, EINTR, 0, 3);
  trial.host.Fail(Call::kCloneRange, EINTR);
  CHECK(trial.Copy(0, 0, kSize).status.ok());
  CHECK(trial.Found() == trial.expected);
}

TEST_CASE("a copy by the host: blocks that must be shared, or nothing") {
  Trial trial;
  trial.host.FailAlways(Call::kCloneRange, EOPNOTSUPP);
  trial.source.clone_only = true;
  CHECK(trial.Copy(0, 0, kSize).status.err == EOPNOTSUPP);
  CHECK(trial.host.calls(Call::kCopyRange) == 0);
  CHECK(trial.Found() == std::vector<uint8_t>(kSize));
}

TEST_CASE("a copy by the host: an end that has become shorter") {
  Trial trial;
  REQUIRE(::truncate(trial.from_file.path().c_str(), 1 << 20) == 0);
  CHECK(trial.Copy(0, 0, kSize).status.err == EOPNOTSUPP);
  CHECK(trial.Copy(0, 0, 1 << 20).status.ok());
  Trial other;
  REQUIRE(::truncate(other.to_file.path().c_str(), 1 << 20) == 0);
  CHECK(other.Copy(0, 0, kSize).status.err == EIO);
  CHECK(other.to_file.Size() == 1 << 20);
}

TEST_CASE("a copy by the host: called off between two calls") {
  Trial trial;
  std::atomic<bool> cancel{false};
  trial.host.before = [&](const auto& record) {
    if (record.call == Call::kCopyRange) cancel = true;
  };
  PieceRules rules;
  rules.cancel = &cancel;
  const Moved moved = trial.Copy(0, 0, kSize, rules);
  CHECK(moved.status.err == ECANCELED);
  CHECK(moved.bytes < kSize);
}

TEST_CASE("a copy by the host: out of a medium that is no host file there is none") {
  Trial trial;
  const auto store = MemoryMedium::CreateStore(kSize, "memory", 512).Take();
  MemoryMedium memory(store);
  const Attachment wanted = test::Writer();
  const auto channel = memory.Attach(wanted).Take();
  trial.source.channel = channel.get();
  CHECK(trial.to.channel->Copy({0}, kSize, trial.source, {}).status.err == EOPNOTSUPP);
  CHECK(channel->Copy({0}, kSize, trial.source, {}).status.err == EOPNOTSUPP);
  CHECK(memory.Detach(wanted).ok());
}

}  // namespace
}  // namespace blk
