// Bitmaps of qcow2 images: those that QEMU made and marked are read and kept, ours are QEMU's, and what is damaged or
// unknown is left alone and trusted by nobody.
#include <string>
#include <vector>

#include "core/base/byte_order.h"
#include "core/image/qcow2_bitmap_directory.h"
#include "core/image/qcow2_bitmap_header.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/kept.h"
#include "test/support/qcow2.h"
#include "test/support/qemu.h"

namespace blk {
namespace {

using test::CheckImage;
using test::GetFile;
using test::HasQemu;
using test::Kept;
using test::Listed;
using test::Pattern;
using test::PutFile;
using test::Run;
using test::Runs;
using test::RunsOf;
using test::TempFile;
using test::Writing;

constexpr uint64_t kMiB = 1 << 20;

// An image at a path of its own, in a folder that goes with it.
class Image {
 public:
  explicit Image(const std::string& options, const std::string& size = "4M") : folder_(0) {
    Do("qemu-img create -q -f qcow2 " + options + " " + path() + " " + size);
  }
  std::string path() const { return folder_.Sibling("image.qcow2"); }
  void Do(const std::string& command) const {
    const auto ran = Run(command);
    if (ran.code != 0) FAIL(command << ": " << ran.output);
  }
  void Bitmap(const std::string& arguments) const { Do("qemu-img bitmap " + arguments); }
  void Write(const std::string& what) const { Do("qemu-io -f qcow2 -c '" + what + "' " + path()); }
  // As `qemu-img info` names them.
  std::string Info() const { return Run("qemu-img info -U -f qcow2 --output=json " + path()).output; }

 private:
  const TempFile folder_;
};

// The image while it is written.
class Session {
 public:
  explicit Session(const std::string& path) : medium_(test::OpenQcow2(host_, path)) {
    auto channel = medium_->Attach(Writing());
    if (!channel.ok()) FAIL("attach: errno " << channel.status().err << " " << WhyText(channel.status().why));
    channel_ = channel.Take();
  }
  ~Session() {
    if (channel_) Close();
  }
  void Close() {
    channel_.reset();
    CHECK(medium_->Detach(Writing()).ok());
  }
  void Write(uint64_t at, size_t size) {
    const auto bytes = Pattern(at, size, at + 1);
    REQUIRE(channel_->Write({at}, bytes.data(), size, {}).bytes == size);
  }
  Channel& channel() { return *channel_; }
  Medium& medium() { return *medium_; }

 private:
  test::FakeHost host_;
  std::unique_ptr<Medium> medium_;
  std::unique_ptr<Channel> channel_;
};

// Of what QEMU's programs cannot say here there is nothing to test.
bool NoQemu() { return !HasQemu(); }

TEST_CASE("bitmaps: what QEMU marked is read, of any granularity, and what we write is marked beside it") {
  if (NoQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  for (const std::string options :
       {"-o cluster_size=512", "-o cluster_size=64k", "-o cluster_size=2M", "-o extended_l2=on,cluster_size=64k"}) {
    INFO("options " << options);
    const Image image(options);
    for (const std::string granularity : {"512", "4k", "64k", "1M", "2G"}) {
      image.Bitmap("--add -g " + granularity + " " + image.path() + " b" + granularity);
    }
    image.Write("write 3000 200000");
    image.Write("write 3M 1");
    {
      Session session(image.path());
      CHECK((RunsOf(*Kept(session.medium(), "b512")->map()) == Runs{{2560, 203264}, {3 * kMiB, 3 * kMiB + 512}}));
      CHECK((RunsOf(*Kept(session.medium(), "b64k", 16)->map()) == Runs{{0, 4 * 65536}, {3 * kMiB, 3 * kMiB + 65536}}));
      CHECK((RunsOf(*Kept(session.medium(), "b2G")->map()) == Runs{{0, 4 * kMiB}}));
      CHECK(Kept(session.medium(), "b4k")->consistent());
      session.Write(2 * kMiB + 5, 10);
    }
    CHECK(CheckImage(image.path()).code == 0);
    CHECK(image.Info().find("in-use") == std::string::npos);
    image.Write("write 4000k 1k");
    Session session(image.path());
    const Runs marked = RunsOf(*Kept(session.medium(), "b512")->map());
    CHECK((marked == Runs{{2560, 203264}, {2 * kMiB, 2 * kMiB + 512}, {3 * kMiB, 3 * kMiB + 512}, {4096000, 4097024}}));
  }
}

TEST_CASE("bitmaps: ours is made, found again, taken, cleared, merged and removed; QEMU marks it meanwhile") {
  if (NoQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  TempFile base(kMiB);
  for (const std::string& options : {std::string("-o cluster_size=4k"), std::string("-o cluster_size=64k"),
                                     "-F raw -b " + base.path() + " -o cluster_size=64k"}) {
    INFO("options " << options);
    const Image image(options);
    {
      Session session(image.path());
      const auto kept = Kept(session.medium(), "ours", 12);
      CHECK(kept->consistent());
      CHECK(kept->map()->bytes() == 0);
      session.Write(5000, 1);
      CHECK(session.channel().Zero({kMiB}, 4096, {}).status.ok());
      CHECK(session.channel().Discard({2 * kMiB}, 8192, {}).status.ok());
      CHECK((RunsOf(*kept->map()) == Runs{{4096, 8192}, {kMiB, kMiB + 4096}, {2 * kMiB, 2 * kMiB + 8192}}));
      CHECK(image.Info().find("in-use") != std::string::npos);
    }
    CHECK(CheckImage(image.path()).code == 0);
    CHECK(image.Info().find("in-use") == std::string::npos);
    image.Write("write 3M 4k");
    {
      Session session(image.path());
      const auto kept = Kept(session.medium(), "ours");
      CHECK(Kept(session.medium(), "ours", 12) == kept);
      ChangeMap taken(kept->map()->span(), kept->map()->shift());
      CHECK(kept->Take(taken).value());
      CHECK(taken.bytes() == 5 * 4096);
      CHECK(kept->map()->bytes() == 0);
      CHECK(kept->Merge(taken, true).ok());
      CHECK(kept->map()->bytes() == 5 * 4096);
      CHECK(kept->Clear().ok());
      session.Write(0, 512);
      CHECK(Kept(session.medium(), "second")->map()->shift() == 16);
    }
    CHECK(CheckImage(image.path()).code == 0);
    {
      Session session(image.path());
      const auto kept = Kept(session.medium(), "ours");
      CHECK((RunsOf(*kept->map()) == Runs{{0, 4096}}));
      CHECK(session.medium().RemoveKept("ours").value());
      CHECK(!session.medium().RemoveKept("ours").value());
      CHECK(kept->Clear().err == EBADF);
      CHECK(session.medium().ListKept().value().size() == 1);
    }
    CHECK(CheckImage(image.path()).code == 0);
    {
      Session session(image.path());
      CHECK(session.medium().RemoveKept("second").value());
      CHECK(session.medium().ListKept().value().empty());
    }
    CHECK(CheckImage(image.path()).code == 0);
    CHECK(image.Info().find("bitmaps") == std::string::npos);
    image.Bitmap("--add " + image.path() + " qemu");
    CHECK(CheckImage(image.path()).code == 0);
  }
}

TEST_CASE("bitmaps: after the last close nothing is merged or taken in silence") {
  if (NoQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const Image image("");
  Session session(image.path());
  const auto kept = Kept(session.medium(), "ours");
  session.Write(0, 1);
  session.Close();
  ChangeMap other(kept->map()->span(), kept->map()->shift());
  CHECK(kept->Take(other).status().err == EBADF);
  CHECK(kept->Clear().err == EBADF);
  CHECK(kept->Merge(other, true).err == EBADF);
  CHECK(kept->map()->bytes() == 65536);
  CHECK(session.medium().KeepChanges("ours", {}).status().err == EACCES);
}

TEST_CASE("bitmaps: of an image that was not closed all counts as changed, until it is cleared or taken") {
  if (NoQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const Image image("");
  const std::string copy = image.path() + ".killed";
  {
    Session session(image.path());
    Kept(session.medium(), "ours");
    session.Write(0, 1);
    PutFile(copy, GetFile(image.path()));
  }
  for (const bool takes : {false, true}) {
    const std::vector<uint8_t> killed = GetFile(copy);
    PutFile(image.path(), killed);
    CHECK(CheckImage(image.path()).code != 2);
    {
      Session session(image.path());
      CHECK(!Listed(session.medium(), "ours")->consistent);
      const auto kept = Kept(session.medium(), "ours");
      CHECK(!kept->consistent());
      CHECK(kept->map()->bytes() == 4 * kMiB);
    }
    // Closed, it is what it was.
    {
      Session session(image.path());
      const auto kept = Kept(session.medium(), "ours");
      CHECK(!kept->consistent());
      if (takes) {
        ChangeMap taken(kept->map()->span(), kept->map()->shift());
        CHECK(!kept->Take(taken).value());
        CHECK(taken.bytes() == 4 * kMiB);
      } else {
        CHECK(kept->Clear().ok());
      }
      CHECK(kept->consistent());
      session.Write(kMiB, 1);
    }
    CHECK(image.Info().find("in-use") == std::string::npos);
    Session session(image.path());
    CHECK(Kept(session.medium(), "ours")->consistent());
    CHECK((RunsOf(*Kept(session.medium(), "ours")->map()) == Runs{{kMiB, kMiB + 65536}}));
  }
}

TEST_CASE("bitmaps: what is off stays as it is, and is not gone on with") {
  if (NoQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const Image image("");
  image.Bitmap("--add " + image.path() + " off");
  image.Write("write 1M 1");
  image.Bitmap("--disable " + image.path() + " off");
  image.Bitmap("--add " + image.path() + " on --enable --merge off");
  {
    Session session(image.path());
    CHECK(session.medium().KeepChanges("off", {}).status().why == Why::kBitmapOff);
    CHECK(session.medium().KeepChanges("on", 12).status().why == Why::kBitmapGranularity);
    CHECK(session.medium().KeepChanges("tiny", 9).ok());
    session.Write(0, 1);
    const auto off = *Listed(session.medium(), "off");
    CHECK((off.consistent && !off.on && off.shift == 16));
  }
  image.Bitmap("--enable " + image.path() + " off");
  Session session(image.path());
  CHECK((RunsOf(*Kept(session.medium(), "off")->map()) == Runs{{kMiB, kMiB + 65536}}));
  CHECK((RunsOf(*Kept(session.medium(), "on")->map()) == Runs{{0, 65536}, {kMiB, kMiB + 65536}}));
}

TEST_CASE("bitmaps: those that come while others look are kept as well, whatever was open before") {
  if (NoQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const Image image("");
  test::FakeHost host;
  const auto medium = test::OpenQcow2(host, image.path());
  auto reader = medium->Attach(Writing(false));
  REQUIRE(reader.ok());
  for (int round = 0; round < 3; round++) {
    auto writer = medium->Attach(Writing());
    REQUIRE(writer.ok());
    CHECK(Kept(*medium, "b" + std::to_string(round))->consistent());
    CHECK(Kept(*medium, "b0")->map()->bytes() == static_cast<uint64_t>(round) * 65536);
    const uint8_t byte = 1;
    CHECK(writer.value()->Write({static_cast<uint64_t>(round) * kMiB}, &byte, 1, {}).status.ok());
    writer.value().reset();
    CHECK(medium->Detach(Writing()).ok());
    CHECK(medium->ListKept().value().size() == static_cast<size_t>(round) + 1);
    CHECK(CheckImage(image.path()).code == 0);
  }
  reader.value().reset();
  CHECK(medium->Detach(Writing(false)).ok());
}

}  // namespace
}  // namespace blk
