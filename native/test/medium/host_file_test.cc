#include "core/medium/host_file.h"

#include "core/base/aligned_buffer.h"
#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::Call;
using test::kKiB;
using test::kMiB;
using test::Pattern;
using test::Rig;

// A rig whose file is open a second time, as if with O_DIRECT, for 512-byte offsets and 64-byte memory.
struct DirectRig : Rig {
  DirectRig() : Rig(kMiB) {
    file.Fill();
    direct_fd = UniqueFd(host, host.Reopen(fd.get(), file.path(), Writing()));
    host_file.direct_fd = direct_fd.get();
    host_file.alignment = {64, 512};
    host.ClearJournal();
  }
  static OpenFlags Writing() {
    OpenFlags flags;
    flags.write = true;
    return flags;
  }
  // Descriptors that transfers of this kind went through.
  std::vector<int> Through(Call call) const {
    std::vector<int> fds;
    for (const auto& record : host.Journal(call)) fds.push_back(record.fd);
    return fds;
  }
  UniqueFd direct_fd;
};

TEST_CASE("reads and writes whole ranges at their offset") {
  Rig rig(kMiB);
  rig.file.Fill();
  std::vector<uint8_t> back(5000);
  Moved moved = rig.host_file.ReadAll(back.data(), back.size(), {12345}, nullptr);
  CHECK(moved.bytes == 5000);
  CHECK(moved.status.ok());
  CHECK(back == Pattern(12345, 5000));
  const auto other = Pattern(0, 5000, 1);
  moved = rig.host_file.WriteAll(other.data(), other.size(), {777}, nullptr);
  CHECK(moved.bytes == 5000);
  CHECK(rig.file.Read(777, 5000) == other);
  CHECK(rig.file.Read(776, 1) == Pattern(776, 1));
  CHECK(rig.file.Read(5777, 1) == Pattern(5777, 1));
}

TEST_CASE("B40: short transfers and EINTR lose and repeat nothing") {
  Rig rig(kMiB);
  rig.file.Fill();
  rig.host.Shorten(1000);
  for (const Call call : {Call::kPread, Call::kPwrite, Call::kPwriteDurable}) {
    rig.host.Fail(call, EINTR, 0, 2);
    rig.host.Fail(call, EINTR, 3, 1);
  }
  std::vector<uint8_t> back(4500);
  CHECK(rig.host_file.ReadAll(back.data(), back.size(), {100}, nullptr).status.ok());
  CHECK(back == Pattern(100, 4500));
  CHECK(rig.host.calls(Call::kPread) == 5 + 3);
  const auto other = Pattern(0, 4500, 1);
  CHECK(rig.host_file.WriteAll(other.data(), other.size(), {100}, nullptr).status.ok());
  CHECK(rig.file.Read(100, 4500) == other);
  const auto third = Pattern(0, 4500, 2);
  const Moved moved = rig.host_file.WriteAllDurable(third.data(), third.size(), {100}, nullptr);
  if (moved.status.err != EOPNOTSUPP && moved.status.err != ENOSYS && moved.status.err != EINVAL) {
    CHECK(moved.status.ok());
    CHECK(rig.file.Read(100, 4500) == third);
  }
}

TEST_CASE("a file that ends before the range is EIO, with the bytes before the end") {
  Rig rig(kMiB);
  rig.file.Truncate(3000);
  std::vector<uint8_t> back(4096);
  const Moved moved = rig.host_file.ReadAll(back.data(), back.size(), {0}, nullptr);
  CHECK(moved.bytes == 3000);
  CHECK(moved.status.err == EIO);
  CHECK(moved.status.op == Op::kPread);
}

TEST_CASE("errors carry the name of the call") {
  Rig rig(kMiB);
  std::vector<uint8_t> bytes(512);
  rig.host.Fail(Call::kPread, EIO);
  CHECK(rig.host_file.ReadAll(bytes.data(), 512, {0}, nullptr).status.op == Op::kPread);
  rig.host.Fail(Call::kPwrite, ENOSPC);
  const Moved moved = rig.host_file.WriteAll(bytes.data(), 512, {0}, nullptr);
  CHECK(moved.status.err == ENOSPC);
  CHECK(moved.status.op == Op::kPwrite);
}

TEST_CASE("destinations that the kernel copies to slowly get the same bytes as others") {
  Rig rig(kMiB);
  rig.file.Fill();
  AlignedBuffer memory(512 * kKiB + 8192);
  REQUIRE(memory.data() != nullptr);
  for (const size_t shift : {0, 1, 16, 31, 32}) {
    for (const size_t size : {2047, 2048, 65536, 65537, 300000}) {
      uint8_t* const to = memory.data() + shift;
      to[size] = 0xa5;
      const Moved moved = rig.host_file.ReadAll(to, size, {8192}, nullptr);
      INFO("shift " << shift << " size " << size);
      CHECK(moved.bytes == size);
      CHECK(std::vector<uint8_t>(to, to + size) == Pattern(8192, size));
      CHECK(to[size] == 0xa5);
      CHECK(rig.host_file.ReadNow(to, size, {8192}).status.err != EIO);
    }
  }
}

TEST_CASE("a read that will not wait moves all or nothing") {
  Rig rig(kMiB);
  rig.file.Fill();
  std::vector<uint8_t> back(4096);
  Moved moved;
  for (const int err : {EOPNOTSUPP, ENOSYS}) {
    rig.host.Fail(Call::kPreadNowait, err);
    moved = rig.host_file.ReadNow(back.data(), back.size(), {0});
    CHECK(moved.bytes == 0);
    CHECK(moved.status.err == EOPNOTSUPP);
  }
  rig.host.Shorten(1000);
  rig.host.Fail(Call::kPreadNowait, EAGAIN, 2);
  moved = rig.host_file.ReadNow(back.data(), back.size(), {0});
  CHECK(moved.bytes == 0);
  CHECK(moved.status.err == EAGAIN);
  CHECK(rig.host.calls(Call::kPread) == 0);
}

TEST_CASE("B38: what fits the alignment goes through O_DIRECT") {
  DirectRig rig;
  AlignedBuffer memory(8192);
  CHECK(rig.host_file.ReadAll(memory.data(), 4096, {512}, nullptr).bytes == 4096);
  CHECK(std::vector<uint8_t>(memory.data(), memory.data() + 4096) == Pattern(512, 4096));
  CHECK(rig.host_file.WriteAll(memory.data() + 64, 512, {4096}, nullptr).bytes == 512);
  CHECK(rig.Through(Call::kPread) == std::vector<int>{rig.direct_fd.get()});
  CHECK(rig.Through(Call::kPwrite) == std::vector<int>{rig.direct_fd.get()});
}

TEST_CASE("B38, issue 13: a read that does not fit goes through O_DIRECT by way of aligned memory") {
  DirectRig rig;
  AlignedBuffer memory(200 * kKiB);
  struct Shape {
    size_t shift;
    size_t size;
    uint64_t offset;
  };
  // Offset, size, memory, one byte, over several blocks of the memory in between, up to the end of the file.
  for (const Shape& shape : {Shape{0, 512, 513}, Shape{0, 511, 512}, Shape{1, 512, 512}, Shape{3, 1, 70001},
                             Shape{0, 150001, 511}, Shape{0, 100, kMiB - 100}}) {
    INFO("shift " << shape.shift << " size " << shape.size << " offset " << shape.offset);
    rig.host.ClearJournal();
    uint8_t* const to = memory.data() + shape.shift;
    to[shape.size] = 0xa5;
    CHECK(rig.host_file.ReadAll(to, shape.size, {shape.offset}, nullptr).bytes == shape.size);
    CHECK(std::vector<uint8_t>(to, to + shape.size) == Pattern(shape.offset, shape.size));
    CHECK(to[shape.size] == 0xa5);
    for (const auto& record : rig.host.Journal(Call::kPread)) {
      CHECK(record.fd == rig.direct_fd.get());
      CHECK(record.offset % 512 == 0);
      CHECK(record.size % 512 == 0);
    }
  }
}

TEST_CASE("B38: a file that ends off the grid is EIO from there on, by O_DIRECT too") {
  DirectRig rig;
  rig.file.Truncate(3000);
  AlignedBuffer memory(4096);
  const Moved moved = rig.host_file.ReadAll(memory.data() + 1, 4000, {100}, nullptr);
  CHECK(moved.bytes == 2900);
  CHECK(moved.status.err == EIO);
  CHECK(std::vector<uint8_t>(memory.data() + 1, memory.data() + 2901) == Pattern(100, 2900));
}

TEST_CASE("B38: a write that does not fit goes through the page cache, and all does where the host cannot") {
  DirectRig rig;
  AlignedBuffer memory(8192);
  const int cached = rig.fd.get();
  CHECK(rig.host_file.WriteAll(memory.data(), 512, {513}, nullptr).bytes == 512);
  CHECK(rig.host_file.WriteAll(memory.data(), 511, {512}, nullptr).bytes == 511);
  CHECK(rig.host_file.WriteAll(memory.data() + 1, 512, {512}, nullptr).bytes == 512);
  CHECK(rig.Through(Call::kPwrite) == std::vector<int>{cached, cached, cached});
  rig.host_file.alignment = {0, 0};
  CHECK(rig.host_file.WriteAll(memory.data(), 512, {512}, nullptr).bytes == 512);
  CHECK(rig.host_file.ReadAll(memory.data(), 512, {512}, nullptr).bytes == 512);
  CHECK(rig.Through(Call::kPwrite).back() == cached);
  CHECK(rig.Through(Call::kPread) == std::vector<int>{cached});
}

TEST_CASE("issue 13: with O_DIRECT a read always says that it would wait, and asks the page cache nothing") {
  DirectRig rig;
  AlignedBuffer memory(4096);
  for (const size_t size : {512, 511}) {
    const Moved moved = rig.host_file.ReadNow(memory.data(), size, {0});
    CHECK(moved.bytes == 0);
    CHECK(moved.status.err == EAGAIN);
  }
  CHECK(rig.host.calls(Call::kPreadNowait) == 0);
}

TEST_CASE("B38: where O_DIRECT says EINVAL the page cache serves, and other errors stand") {
  DirectRig rig;
  AlignedBuffer memory(8192);
  rig.host.Fail(Call::kPread, EINVAL);
  CHECK(rig.host_file.ReadAll(memory.data(), 4096, {512}, nullptr).bytes == 4096);
  CHECK(std::vector<uint8_t>(memory.data(), memory.data() + 4096) == Pattern(512, 4096));
  CHECK(rig.Through(Call::kPread) == std::vector<int>{rig.direct_fd.get(), rig.fd.get()});
  rig.host.Fail(Call::kPwrite, EINVAL);
  CHECK(rig.host_file.WriteAll(memory.data(), 4096, {512}, nullptr).bytes == 4096);
  CHECK(rig.Through(Call::kPwrite) == std::vector<int>{rig.direct_fd.get(), rig.fd.get()});
  rig.host.Fail(Call::kPwrite, EIO);
  CHECK(rig.host_file.WriteAll(memory.data(), 4096, {512}, nullptr).status.err == EIO);
  CHECK(rig.host.calls(Call::kPwrite) == 3);
}

TEST_CASE("B38: the rest of a short O_DIRECT read that fits no more goes on by O_DIRECT") {
  DirectRig rig;
  AlignedBuffer memory(8192);
  rig.host.Shorten(1000);
  CHECK(rig.host_file.ReadAll(memory.data(), 1536, {0}, nullptr).bytes == 1536);
  CHECK(std::vector<uint8_t>(memory.data(), memory.data() + 1536) == Pattern(0, 1536));
  for (const int fd : rig.Through(Call::kPread)) CHECK(fd == rig.direct_fd.get());
}

TEST_CASE("Sync asks again after EINTR, and passes on other errors") {
  Rig rig(kMiB);
  rig.host.Fail(Call::kFdatasync, EINTR, 0, 2);
  CHECK(rig.host_file.Sync().ok());
  CHECK(rig.host.calls(Call::kFdatasync) == 3);
  rig.host.FailAlways(Call::kFdatasync, EINTR);
  CHECK(rig.host_file.Sync().err == EINTR);
  rig.host.Heal();
  rig.host.Fail(Call::kFdatasync, EIO);
  const Status status = rig.host_file.Sync();
  CHECK(status.err == EIO);
  CHECK(status.op == Op::kFdatasync);
}

TEST_CASE("EINVAL of a sync is fine on a character node and an error elsewhere") {
  Rig rig(kMiB);
  rig.host.Fail(Call::kFdatasync, EINVAL, 0, 2);
  CHECK(rig.host_file.Sync().err == EINVAL);
  rig.host_file.character = true;
  CHECK(rig.host_file.Sync().ok());
}

}  // namespace
}  // namespace blk
