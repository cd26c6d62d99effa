// Minor: registration, identity, ranges, opens. Locks are in minor_lock_test.cc.
#include "core/device/minor.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "test/support/rig.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::kMiB;
using test::TempFile;

Result<std::shared_ptr<Minor>> Create(HostIo& host, const std::string& path, uint64_t offset = 0,
                                      std::optional<uint64_t> size = std::nullopt) {
  HostRange range;
  range.offset = offset;
  range.size = size;
  return Minor::Create(host, path, range);
}

OpenOptions Options(OpenMode mode) {
  OpenOptions options;
  options.mode = mode;
  return options;
}

TEST_CASE("B1: a size that is not given reaches to the end, one that is given is kept") {
  FakeHost host;
  const TempFile file(kMiB);
  CHECK(Create(host, file.path()).value()->size() == kMiB);
  CHECK(Create(host, file.path(), 1000).value()->size() == kMiB - 1000);
  CHECK(Create(host, file.path(), 1000).value()->begin().value == 1000);
  CHECK(Create(host, file.path(), 1000, 5000).value()->size() == 5000);
  CHECK(Create(host, file.path(), 0, kMiB).value()->size() == kMiB);
}

TEST_CASE("B22: ranges outside the file are EINVAL, those that end with it are not") {
  FakeHost host;
  const TempFile file(kMiB);
  for (const auto& [offset, size] : std::vector<std::pair<uint64_t, std::optional<uint64_t>>>{
           {kMiB + 1, std::nullopt},
           {kMiB + 1, 0},
           {0, kMiB + 1},
           {kMiB, 1},
           {512, kMiB},
           {512, UINT64_MAX},  // the sum wraps to less than the file
           {512, UINT64_MAX - 511},
           {UINT64_MAX, 2},
       }) {
    const auto refused = Create(host, file.path(), offset, size);
    INFO("offset " << offset);
    CHECK(refused.status().err == EINVAL);
    CHECK(refused.status().op == Op::kRegister);
  }
  CHECK(Create(host, file.path(), kMiB).value()->size() == 0);
  CHECK(Create(host, file.path(), kMiB, 0).value()->size() == 0);
  const TempFile empty(0);
  CHECK(Create(host, empty.path()).value()->size() == 0);
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("the largest size that JavaScript can name is the largest there is") {
  FakeHost host;
  const TempFile file(512);
  FakeHost::Node node;
  node.size = static_cast<int64_t>(kMaxSafeInteger);
  host.node = node;
  CHECK(Create(host, file.path()).value()->size() == kMaxSafeInteger);
  node.size++;
  host.node = node;
  CHECK(Create(host, file.path()).status().err == EOVERFLOW);
  CHECK(Create(host, file.path(), 1, kMaxSafeInteger).status().err == EOVERFLOW);
  CHECK(Create(host, file.path(), 1, kMaxSafeInteger - 1).ok());
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("what is neither a file nor a node is EINVAL and is not opened") {
  FakeHost host;
  const TempFile file(512);
  const std::string pipe = file.Sibling("pipe"), socket_path = file.Sibling("socket");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int socket_fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(socket_fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0);
  for (const std::string& path : {pipe, socket_path, std::filesystem::path(file.path()).parent_path().string()}) {
    const auto refused = Create(host, path);
    CHECK(refused.status().err == EINVAL);
    CHECK(refused.status().op == Op::kRegister);
  }
  ::close(socket_fd);
  CHECK(host.calls(Call::kOpen) == 0);
}

TEST_CASE("a missing file is the host's ENOENT") {
  FakeHost host;
  const TempFile file;
  const auto refused = Create(host, file.Sibling("missing"));
  CHECK(refused.status().err == ENOENT);
  CHECK(refused.status().op == Op::kStat);
}

TEST_CASE("a node that does not tell its size needs one") {
  FakeHost host;
  const TempFile file(512);
  host.node = FakeHost::Node{FileType::kCharacter, 0, 0};
  CHECK(Create(host, file.path()).status().err == EINVAL);
  CHECK(Create(host, file.path(), 4096, kMiB).value()->size() == kMiB);
  CHECK(Create(host, file.path(), 4096, kMiB).value()->begin().value == 4096);
  CHECK(Create(host, file.path(), UINT64_MAX, 2).status().err == EINVAL);
  CHECK_FALSE(Create(host, file.path(), 1, kMaxSafeInteger).ok());
  host.node = FakeHost::Node{FileType::kCharacter, -ESPIPE, 0};
  CHECK(Create(host, file.path(), 0, kMiB).status().err == EINVAL);  // cannot seek: not a disk
  host.node = FakeHost::Node{FileType::kBlock, -EIO, 0};
  const auto refused = Create(host, file.path());
  CHECK(refused.status().err == EIO);
  CHECK(refused.status().op == Op::kStat);
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("B21: a minor is its file and range, whatever it was called") {
  FakeHost host;
  const TempFile file(kMiB), other(kMiB);
  const auto minor = Create(host, file.path(), 512, 4096).Take();
  const std::string link = file.Sibling("link"), hard = file.Sibling("hard");
  std::filesystem::create_symlink(file.path(), link);
  std::filesystem::create_hard_link(file.path(), hard);
  for (const std::string& path : {file.path(), link, hard}) {
    CHECK(minor->SameAs(*Create(host, path, 512, 4096).value()));
  }
  CHECK_FALSE(minor->SameAs(*Create(host, file.path(), 1024, 4096).value()));
  CHECK_FALSE(minor->SameAs(*Create(host, file.path(), 512, 8192).value()));
  CHECK_FALSE(minor->SameAs(*Create(host, other.path(), 512, 4096).value()));
}

TEST_CASE("B23: a minor stays with its file when the path is given to another one") {
  FakeHost host;
  const TempFile file(kMiB);
  file.Fill(1);
  const auto minor = Create(host, file.path()).Take();
  std::filesystem::rename(file.path(), file.Sibling("old"));
  std::ofstream(file.path()) << "impostor";
  auto opened = minor->Acquire(Options(OpenMode::kReadWrite));
  REQUIRE(opened.ok());
  std::vector<uint8_t> back(512);
  CHECK(opened.value().ReadAll(back.data(), back.size(), {0}, nullptr).bytes == 512);
  CHECK(back == test::Pattern(0, 512, 1));
  CHECK(minor->Release(Options(OpenMode::kReadWrite)).ok());
}

TEST_CASE("an 'r' open opens nothing more, an 'r+' open a second descriptor, the last close frees it") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = Create(host, file.path()).Take();
  minor->SetIndex(0);
  CHECK(host.open_descriptors() == 1);
  const HostFile reader = minor->Acquire(Options(OpenMode::kRead)).Take();
  CHECK(host.open_descriptors() == 1);
  const HostFile writer = minor->Acquire(Options(OpenMode::kReadWrite)).Take();
  const HostFile second = minor->Acquire(Options(OpenMode::kReadWrite)).Take();
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
  FakeHost::Node node;
  node.size = kMiB;
  host.node = node;
  const auto minor = Create(host, file.path()).Take();
  minor->SetIndex(0);
  CHECK_FALSE(host.Journal(Call::kOpen)[0].flags.exclusive);
  REQUIRE(minor->Acquire(Options(OpenMode::kReadWrite)).ok());
  CHECK(host.Journal(Call::kReopen).back().flags.exclusive);
  CHECK(host.Journal(Call::kReopen).back().flags.write);
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

TEST_CASE("a regular file is never opened for sole use") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = Create(host, file.path()).Take();
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
    const auto minor = Create(host, file.path()).Take();
    minor->SetIndex(0);
    OpenOptions options = Options(mode);
    options.direct = true;
    const HostFile opened = minor->Acquire(options).Take();
    CHECK(opened.direct_fd >= 0);
    CHECK(opened.alignment.memory == 64);
    CHECK(opened.alignment.offset == 512);
    CHECK(host.Journal(Call::kReopen).back().flags.direct);
    CHECK(host.Journal(Call::kReopen).back().flags.write == (mode == OpenMode::kReadWrite));
    const HostFile plain = minor->Acquire(Options(mode)).Take();
    CHECK(plain.direct_fd == -1);
    CHECK(minor->Release(Options(mode)).ok());
    CHECK(minor->Release(options).ok());
    CHECK(host.open_descriptors() == 1);

    host.Fail(Call::kReopen, EINVAL, mode == OpenMode::kReadWrite ? 1 : 0);
    const HostFile without = minor->Acquire(options).Take();
    CHECK(without.direct_fd == -1);
    CHECK(minor->Release(options).ok());
  }
}

TEST_CASE("Retire bars opens and lets go of the file, but not while it is open") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = Create(host, file.path()).Take();
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
  const auto minor = Create(host, file.path()).Take();
  CHECK(minor->index() == kPrivateMinor);
  REQUIRE(minor->Acquire(Options(OpenMode::kRead)).ok());
  CHECK(minor->Release(Options(OpenMode::kRead)).ok());
  CHECK(host.open_descriptors() == 0);
  CHECK(minor->Acquire(Options(OpenMode::kRead)).status().err == ENXIO);
}

TEST_CASE("a file that no longer reaches to the end of the range is EIO") {
  FakeHost host;
  const TempFile file(kMiB);
  const auto minor = Create(host, file.path(), 4096, 8192).Take();
  CHECK(minor->CheckHostSize().ok());
  file.Truncate(4096 + 8192);
  CHECK(minor->CheckHostSize().ok());
  file.Truncate(4096 + 8191);
  CHECK(minor->CheckHostSize().err == EIO);
  CHECK(minor->CheckHostSize().op == Op::kFlush);
  host.Fail(Call::kStat, ENOMEM);
  CHECK(minor->CheckHostSize().err == ENOMEM);
}

}  // namespace
}  // namespace blk
