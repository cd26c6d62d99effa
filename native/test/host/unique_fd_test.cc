#include "core/host/unique_fd.h"

#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Call;

TEST_CASE("closes once, when it goes") {
  test::TempFile file;
  test::FakeHost host;
  {
    UniqueFd fd(host, host.Open(file.path(), {}));
    REQUIRE(fd.valid());
    CHECK(host.open_descriptors() == 1);
  }
  CHECK(host.open_descriptors() == 0);
  CHECK(host.calls(Call::kClose) == 1);
}

TEST_CASE("an empty one closes nothing") {
  { UniqueFd empty; }
  test::FakeHost host;
  {
    UniqueFd failed(host, -1);
    CHECK_FALSE(failed.valid());
    CHECK(failed.Close().ok());
  }
  CHECK(host.calls(Call::kClose) == 0);
}

TEST_CASE("moving hands the descriptor on and closes what the target had") {
  test::TempFile file;
  test::FakeHost host;
  {
    UniqueFd first(host, host.Open(file.path(), {}));
    UniqueFd second(host, host.Open(file.path(), {}));
    const int kept = first.get();
    second = std::move(first);
    CHECK(second.get() == kept);
    CHECK_FALSE(first.valid());
    CHECK(host.open_descriptors() == 1);
    UniqueFd third(std::move(second));
    CHECK(third.get() == kept);
    CHECK(host.open_descriptors() == 1);
    UniqueFd& same = third;
    third = std::move(same);
    CHECK(third.get() == kept);
  }
  CHECK(host.open_descriptors() == 0);
  CHECK(host.misuses() == 0);
}

TEST_CASE("B25: Close reports what close(2) says, and the descriptor is gone either way") {
  test::TempFile file;
  test::FakeHost host;
  UniqueFd fd(host, host.Open(file.path(), {}));
  host.Fail(Call::kClose, EIO);
  const Status status = fd.Close();
  CHECK(status.err == EIO);
  CHECK(status.op == Op::kClose);
  CHECK_FALSE(fd.valid());
  CHECK(fd.Close().ok());
  CHECK(host.calls(Call::kClose) == 1);
  CHECK(host.open_descriptors() == 0);
}

}  // namespace
}  // namespace blk
