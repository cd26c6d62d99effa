// Minor: its opens and its end. Registration is in minor_register_test.cc, locks are in minor_lock_test.cc.
#include "core/device/minor.h"

#include <filesystem>
#include <fstream>

#include "core/medium/host_channel.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::Call;
using test::CreateMinor;
using test::FakeHost;
using test::kMiB;
using test::TempFile;

OpenOptions Options(OpenMode mode) {
  OpenOptions options;
  options.mode = mode;
  return options;
}

FakeHost::Node BlockNode() {
  FakeHost::Node node;
  node.size = kMiB;
  return node;
}

// The descriptors of an open that goes on until it is released.
HostFile Acquired(Minor& minor, const OpenOptions& options) {
  const auto channel = minor.Acquire(options);
  test::Must(channel.ok(), "open of a minor");
  return static_cast<const HostChannel&>(*channel.value()).file();
}

TEST_CASE("B23: a minor stays with its file when the path is given to another one") {
  FakeHost host;
  const TempFile file(kMiB);
  file.Fill(1);
  const auto minor = CreateMinor(host, file.path()).Take();
  std::filesystem::rename(file.path(), file.Sibling("old"));
  std::ofstream(file.path()) << "impostor";
  auto opened = minor->Acquire(Options(OpenMode::kReadWrite));
  REQUIRE(opened.ok());
  std::vector<uint8_t> back(512);
  CHECK(opened.value()->Read({0}, back.data(), back.size(), {}).bytes == 512);
  CHECK(back == test::Pattern(0, 512, 1));
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());
}

TEST_CASE("an 'r' open opens nothing more, an 'r+' open a second descriptor, the last close frees it") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = CreateMinor(host, file.path()).Take();
  minor->SetIndex(0);
  CHECK(host.open_descriptors() == 1);
  const HostFile reader = Acquired(*minor, Options(OpenMode::kRead));
  CHECK(host.open_descriptors() == 1);
  const HostFile writer = Acquired(*minor, Options(OpenMode::kReadWrite));
  const HostFile second = Acquired(*minor, Options(OpenMode::kReadWrite));
  CHECK(host.open_descriptors() == 2);
  CHECK(writer.fd == second.fd);
  CHECK(writer.fd != reader.fd);
  CHECK(minor->open_count() == 3);
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());
  CHECK(minor->Release(Options(OpenMode::kRead)).ok());
  CHECK(host.open_descriptors() == 2);  // B16: the one that is open still has its file
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());
  CHECK(host.open_descriptors() == 1);
  CHECK(minor->open_count() == 0);
}

TEST_CASE("a block node is asked whether it takes writes, and for sole use when locked") {
  FakeHost host;
  const TempFile file(kMiB);
  FakeHost::Node node = BlockNode();
  host.node = node;
  const auto minor = CreateMinor(host, file.path()).Take();
  minor->SetIndex(0);
  CHECK_FALSE(host.Journal(Call::kOpen)[0].flags.exclusive);
  REQUIRE(minor->Acquire(Options(OpenMode::kReadWrite)).ok());
  const auto reopened = host.Journal(Call::kReopen);
  REQUIRE(reopened.size() == 2);
  CHECK(reopened[0].flags.write);
  CHECK_FALSE(reopened[0].flags.exclusive);
  CHECK(reopened[1].flags.exclusive);  // the claim
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());

  OpenOptions unlocked = Options(OpenMode::kReadWrite);
  unlocked.lock = false;
  REQUIRE(minor->Acquire(unlocked).ok());
  CHECK_FALSE(host.Journal(Call::kReopen).back().flags.exclusive);
  CHECK(minor->Release(unlocked).ok());

  node.read_only = 1;
  host.node = node;
  const auto refused = minor->Acquire(Options(OpenMode::kReadWrite));
  CHECK(refused.status().err == EROFS);
  CHECK(refused.status().op == Op::kOpen);
  CHECK(host.open_descriptors() == 1);
  CHECK(minor->Acquire(Options(OpenMode::kRead)).ok());
  CHECK(minor->Release(Options(OpenMode::kRead)).ok());
}

TEST_CASE("a locked 'r+' open of a block node asks for sole use behind an unlocked one too, and gives it back first") {
  FakeHost host;
  const TempFile file(kMiB);
  host.node = BlockNode();
  const auto minor = CreateMinor(host, file.path()).Take();
  minor->SetIndex(0);
  OpenOptions unlocked = Options(OpenMode::kReadWrite);
  unlocked.lock = false;
  REQUIRE(minor->Acquire(unlocked).ok());
  REQUIRE(minor->Acquire(Options(OpenMode::kReadWrite)).ok());
  CHECK(host.Journal(Call::kReopen).back().flags.exclusive);
  CHECK(host.open_descriptors() == 3);
  REQUIRE(minor->Acquire(Options(OpenMode::kReadWrite)).ok());
  CHECK(host.open_descriptors() == 3);  // one claim for all writers of the minor
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());
  CHECK(host.open_descriptors() == 3);
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());
  CHECK(host.open_descriptors() == 2);  // the claim is gone, the unlocked writer is not
  CHECK(minor->Release(unlocked).ok());
  CHECK(host.open_descriptors() == 1);
}

TEST_CASE("a block node that somebody else has claimed is EBUSY, and nothing is kept") {
  FakeHost host;
  const TempFile file(kMiB);
  host.node = BlockNode();
  const auto minor = CreateMinor(host, file.path()).Take();
  minor->SetIndex(0);
  REQUIRE(minor->Acquire(Options(OpenMode::kRead)).ok());
  host.Fail(Call::kReopen, EBUSY, 1);
  const auto refused = minor->Acquire(Options(OpenMode::kReadWrite));
  CHECK(refused.status().err == EBUSY);
  CHECK(refused.status().op == Op::kOpen);
  CHECK(minor->open_count() == 1);
  CHECK(minor->Release(Options(OpenMode::kRead)).ok());
  CHECK(host.open_descriptors() == 1);
}

TEST_CASE("a writer who is refused the lock gives the claim back, and so does one whose unlock fails") {
  FakeHost host;
  const TempFile file(kMiB);
  host.node = BlockNode();
  const auto minor = CreateMinor(host, file.path()).Take();
  minor->SetIndex(0);
  OpenOptions unlocked = Options(OpenMode::kRead);
  unlocked.lock = false;
  REQUIRE(minor->Acquire(unlocked).ok());  // keeps the minor open, so that nothing goes with its last close
  host.Fail(Call::kLock, EAGAIN);
  CHECK(minor->Acquire(Options(OpenMode::kReadWrite)).status().err == EBUSY);
  CHECK(host.open_descriptors() == 2);  // registration and writer
  REQUIRE(minor->Acquire(Options(OpenMode::kReadWrite)).ok());
  CHECK(host.open_descriptors() == 3);
  host.Fail(Call::kLock, ENOLCK);
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).err == ENOLCK);
  CHECK(host.open_descriptors() == 2);
  CHECK(minor->Release(unlocked).ok());
}

TEST_CASE("a regular file is never opened for sole use") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = CreateMinor(host, file.path()).Take();
  REQUIRE(minor->Acquire(Options(OpenMode::kReadWrite)).ok());
  CHECK_FALSE(host.Journal(Call::kReopen).back().flags.exclusive);
  CHECK(host.calls(Call::kNodeReadOnly) == 0);
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());
}

TEST_CASE("B18: O_DIRECT is a descriptor more, freed with the rest; a host without it is no error") {
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadWrite}) {
    FakeHost host;
    host.direct = DirectAlignment{64, 512};
    const TempFile file(kMiB);
    const auto minor = CreateMinor(host, file.path()).Take();
    minor->SetIndex(0);
    OpenOptions options = Options(mode);
    options.direct = true;
    const HostFile opened = Acquired(*minor, options);
    CHECK(opened.direct_fd >= 0);
    CHECK(opened.alignment.memory == 64);
    CHECK(opened.alignment.offset == 512);
    CHECK(host.Journal(Call::kReopen).back().flags.direct);
    CHECK(host.Journal(Call::kReopen).back().flags.write == (mode == OpenMode::kReadWrite));
    const HostFile plain = Acquired(*minor, Options(mode));
    CHECK(plain.direct_fd == -1);
    CHECK(minor->Release(Options(mode)).ok());
    CHECK(minor->Release(options).ok());
    CHECK(host.open_descriptors() == 1);

    host.Fail(Call::kReopen, EINVAL, mode == OpenMode::kReadWrite ? 1 : 0);
    const HostFile without = Acquired(*minor, options);
    CHECK(without.direct_fd == -1);
    CHECK(minor->Release(options).ok());
  }
}

TEST_CASE("Retire bars opens and lets go of the file, but not while it is open") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = CreateMinor(host, file.path()).Take();
  minor->SetIndex(3);
  REQUIRE(minor->Acquire(Options(OpenMode::kRead)).ok());
  CHECK(minor->Retire().err == EBUSY);
  CHECK(minor->Retire().op == Op::kDeregister);
  CHECK(minor->Release(Options(OpenMode::kRead)).ok());
  CHECK(minor->Retire().ok());
  CHECK(host.open_descriptors() == 0);
  const auto refused = minor->Acquire(Options(OpenMode::kRead));
  CHECK(refused.status().err == ENXIO);
  CHECK(refused.status().op == Op::kOpen);
  CHECK(minor->Retire().err == ENXIO);
  CHECK(minor->open_count() == 0);
}

TEST_CASE("a private minor lets go of its file with its last close") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = CreateMinor(host, file.path()).Take();
  CHECK(minor->index() == kPrivateMinor);
  REQUIRE(minor->Acquire(Options(OpenMode::kRead)).ok());
  CHECK(minor->Release(Options(OpenMode::kRead)).ok());
  CHECK(host.open_descriptors() == 0);
  CHECK(minor->Acquire(Options(OpenMode::kRead)).status().err == ENXIO);
}

TEST_CASE("a file that no longer reaches to the end of the range is EIO") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = CreateMinor(host, file.path(), 4096, 8192).Take();
  CHECK(minor->disk().CheckReaches(minor->span()).ok());
  file.Truncate(4096 + 8192);
  CHECK(minor->disk().CheckReaches(minor->span()).ok());
  file.Truncate(4096 + 8191);
  CHECK(minor->disk().CheckReaches(minor->span()).err == EIO);
  CHECK(minor->disk().CheckReaches(minor->span()).op == Op::kFlush);
  host.Fail(Call::kStat, ENOMEM);
  CHECK(minor->disk().CheckReaches(minor->span()).err == ENOMEM);
}

}  // namespace
}  // namespace blk
