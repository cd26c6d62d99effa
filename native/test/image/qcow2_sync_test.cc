// qcow2 images on a disk whose sync fails once: the host tells that to the one who asked, and every flush has to say
// it.
#include <string>
#include <vector>

#include "core/image/qcow2_create.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/qcow2.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::OpenQcow2;
using test::TempFile;
using test::Writing;

constexpr uint64_t kSize = 4 << 20, kCluster = 64 * 1024;

Moved WriteSome(Channel& channel, uint64_t at, size_t size) {
  const std::vector<uint8_t> bytes(size, 1);
  return channel.Write({at}, bytes.data(), size, {});
}

// An image over a base that is full of data, so that a part of a cluster is copied, and synced, before it has an entry.
template <typename Body>
void WithImage(Body&& body) {
  FakeHost host;
  const TempFile base(kSize), file(0);
  base.Fill(7);
  {
    auto medium = HostMedium::Create(host, file.path()).Take();
    Qcow2Creation creation{kSize, 16, false, base.path(), "raw"};
    REQUIRE(CreateQcow2(*medium, creation).ok());
    REQUIRE(medium->Close().ok());
  }
  const auto medium = OpenQcow2(host, file.path());
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());
  body(host, *channel.value());
  channel.value().reset();
  static_cast<void>(medium->Detach(Writing()));  // it may say the same once more
}

TEST_CASE("qcow2: a sync inside of a write that fails is told by every flush, of earlier writes too") {
  WithImage([](FakeHost& host, Channel& channel) {
    REQUIRE(WriteSome(channel, 0, kCluster).bytes == kCluster);  // acknowledged, and not durable yet
    host.Fail(Call::kFdatasync, EIO);
    CHECK(WriteSome(channel, kCluster + 512, 512).status.err == EIO);
    // The host has told its error, and would answer that all is well.
    CHECK(channel.Sync().err == EIO);
    CHECK(channel.Sync().err == EIO);
    // No write that needs such a sync goes on as if nothing had been.
    CHECK(WriteSome(channel, 5 * kCluster + 512, 512).status.err == EIO);
    // What needs none does.
    CHECK(WriteSome(channel, 0, 512).status.ok());
  });
}

TEST_CASE("qcow2: so is one of a claim of clusters, and one that a signal ended is none") {
  WithImage([](FakeHost& host, Channel& channel) {
    host.Fail(Call::kFdatasync, EIO);
    CHECK(WriteSome(channel, 0, kCluster).status.err == EIO);
    CHECK(channel.Sync().err == EIO);
  });
  WithImage([](FakeHost& host, Channel& channel) {
    REQUIRE(WriteSome(channel, 0, kCluster).bytes == kCluster);
    host.Fail(Call::kFdatasync, EINTR, 0, 1000000);
    CHECK(channel.Sync().err == EINTR);
    host.Heal();
    CHECK(channel.Sync().ok());
    CHECK(WriteSome(channel, kCluster + 512, 512).status.ok());
  });
}

}  // namespace
}  // namespace blk
