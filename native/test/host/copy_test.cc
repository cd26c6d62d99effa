#include "core/host/copy.h"

#include <algorithm>
#include <vector>

#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

std::vector<CopyKernel> Supported() {
  size_t count = 0;
  const CopyKernel* kernels = CopyKernels(&count);
  std::vector<CopyKernel> supported;
  for (size_t i = 0; i < count; i++) {
    if (kernels[i].supported()) supported.push_back(kernels[i]);
  }
  return supported;
}

TEST_CASE("the last kernel runs everywhere") {
  size_t count = 0;
  const CopyKernel* kernels = CopyKernels(&count);
  REQUIRE(count >= 1);
  CHECK(kernels[count - 1].supported());
}

// Every combination of small misalignments, around the sizes at which a kernel changes its way of working.
TEST_CASE("every kernel copies exactly the bytes asked for, at every alignment") {
  constexpr uint8_t kGuard = 0xee;
  constexpr size_t kMargin = 64;
  const std::vector<size_t> sizes = {0,    1,    15,   16,   17,   31,   32,   63,   64,   127,      512,
                                     1023, 1024, 1025, 1151, 1152, 1153, 4095, 4096, 4097, 65536 + 3};
  std::vector<uint8_t> to(kMargin * 2 + 64 + 65536 + 4096);
  for (const CopyKernel& kernel : Supported()) {
    for (const size_t size : sizes) {
      const std::vector<uint8_t> from = test::Pattern(0, size + kMargin);
      for (size_t src = 0; src < 33; src += 11) {
        for (size_t dst = 0; dst < 33; dst++) {
          const auto begin = to.begin() + static_cast<ptrdiff_t>(kMargin + dst);
          const auto end = begin + static_cast<ptrdiff_t>(size);
          std::fill(begin - 32, end + 32, kGuard);
          kernel.copy(&*begin, from.data() + src, size);
          INFO(kernel.name << " size " << size << " src +" << src << " dst +" << dst);
          REQUIRE(std::equal(begin, end, from.begin() + static_cast<ptrdiff_t>(src)));
          REQUIRE(std::all_of(begin - 32, begin, [](uint8_t byte) { return byte == kGuard; }));
          REQUIRE(std::all_of(end, end + 32, [](uint8_t byte) { return byte == kGuard; }));
        }
      }
    }
  }
}

TEST_CASE("CopyBytes copies, whichever kernel it chose") {
  for (const size_t size : {size_t{0}, size_t{100}, size_t{5000}, size_t{1} << 20}) {
    const std::vector<uint8_t> from = test::Pattern(3, size);
    std::vector<uint8_t> to(size);
    CopyBytes(to.data(), from.data(), size);
    CHECK(to == from);
  }
}

TEST_CASE("a destination is slow for the kernel 1 to 31 bytes behind the source, modulo a page") {
  const auto at = [](uintptr_t address) { return reinterpret_cast<const void*>(address); };
  CHECK_FALSE(IsSlowForKernel(at(0x10000), 0));
  CHECK(IsSlowForKernel(at(0x10001), 0));
  CHECK(IsSlowForKernel(at(0x1001f), 4096));
  CHECK_FALSE(IsSlowForKernel(at(0x10020), 0));
  CHECK_FALSE(IsSlowForKernel(at(0x10010), 0x10));
  CHECK(IsSlowForKernel(at(0x10000), 0xff0));
  CHECK_FALSE(IsSlowForKernel(at(0x10000), 0x10));
}

}  // namespace
}  // namespace blk
