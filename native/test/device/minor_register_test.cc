// Minor: what may be registered, with which range, and what makes two of them the same.
#include "core/device/minor.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "test/support/check.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::Call;
using test::CreateMinor;
using test::FakeHost;
using test::kMiB;
using test::TempFile;

TEST_CASE("B1: a size that is not given reaches to the end, one that is given is kept") {
  FakeHost host;
  const TempFile file(kMiB);
  CHECK(CreateMinor(host, file.path()).value()->size() == kMiB);
  CHECK(CreateMinor(host, file.path(), 1000).value()->size() == kMiB - 1000);
  CHECK(CreateMinor(host, file.path(), 1000).value()->begin().value == 1000);
  CHECK(CreateMinor(host, file.path(), 1000, 5000).value()->size() == 5000);
  CHECK(CreateMinor(host, file.path(), 0, kMiB).value()->size() == kMiB);
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
    const auto refused = CreateMinor(host, file.path(), offset, size);
    INFO("offset " << offset);
    CHECK(refused.status().err == EINVAL);
    CHECK(refused.status().op == Op::kRegister);
  }
  CHECK(CreateMinor(host, file.path(), kMiB).value()->size() == 0);
  CHECK(CreateMinor(host, file.path(), kMiB, 0).value()->size() == 0);
  const TempFile empty(0);
  CHECK(CreateMinor(host, empty.path()).value()->size() == 0);
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("the largest size that JavaScript can name is the largest there is") {
  FakeHost host;
  const TempFile file(512);
  FakeHost::Node node;
  node.size = static_cast<int64_t>(kMaxSafeInteger);
  host.node = node;
  CHECK(CreateMinor(host, file.path()).value()->size() == kMaxSafeInteger);
  node.size++;
  host.node = node;
  CHECK(CreateMinor(host, file.path()).status().err == EOVERFLOW);
  CHECK(CreateMinor(host, file.path(), 1, kMaxSafeInteger).status().err == EOVERFLOW);
  CHECK(CreateMinor(host, file.path(), 1, kMaxSafeInteger - 1).ok());
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
    const auto refused = CreateMinor(host, path);
    CHECK(refused.status().err == EINVAL);
    CHECK(refused.status().op == Op::kRegister);
  }
  ::close(socket_fd);
  CHECK(host.calls(Call::kOpen) == 0);
}

TEST_CASE("a missing file is the host's ENOENT") {
  FakeHost host;
  const TempFile file;
  const auto refused = CreateMinor(host, file.Sibling("missing"));
  CHECK(refused.status().err == ENOENT);
  CHECK(refused.status().op == Op::kStat);
}

TEST_CASE("a node that does not tell its size needs one") {
  FakeHost host;
  const TempFile file(512);
  host.node = FakeHost::Node{FileType::kCharacter, 0, 0};
  CHECK(CreateMinor(host, file.path()).status().err == EINVAL);
  CHECK(CreateMinor(host, file.path(), 4096, kMiB).value()->size() == kMiB);
  CHECK(CreateMinor(host, file.path(), 4096, kMiB).value()->begin().value == 4096);
  CHECK(CreateMinor(host, file.path(), UINT64_MAX, 2).status().err == EOVERFLOW);
  CHECK(CreateMinor(host, file.path(), 1, kMaxSafeInteger).status().err == EOVERFLOW);
  CHECK(CreateMinor(host, file.path(), 1, kMaxSafeInteger - 1).ok());
  host.node = FakeHost::Node{FileType::kCharacter, -ESPIPE, 0};
  CHECK(CreateMinor(host, file.path(), 0, kMiB).status().err == EINVAL);  // cannot seek: not a disk
  host.node = FakeHost::Node{FileType::kBlock, -EIO, 0};
  const auto refused = CreateMinor(host, file.path());
  CHECK(refused.status().err == EIO);
  CHECK(refused.status().op == Op::kStat);
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("B21: a minor is its file and range, whatever it was called") {
  FakeHost host;
  const TempFile file(kMiB), other(kMiB);
  const auto minor = CreateMinor(host, file.path(), 512, 4096).Take();
  const std::string link = file.Sibling("link"), hard = file.Sibling("hard");
  std::filesystem::create_symlink(file.path(), link);
  std::filesystem::create_hard_link(file.path(), hard);
  for (const std::string& path : {file.path(), link, hard}) {
    CHECK(minor->SameAs(*CreateMinor(host, path, 512, 4096).value()));
  }
  CHECK_FALSE(minor->SameAs(*CreateMinor(host, file.path(), 1024, 4096).value()));
  CHECK_FALSE(minor->SameAs(*CreateMinor(host, file.path(), 512, 8192).value()));
  CHECK_FALSE(minor->SameAs(*CreateMinor(host, other.path(), 512, 4096).value()));
}

}  // namespace
}  // namespace blk
