// The copy kernels, each by itself and exhaustively: every small size at every pair of alignments, the sizes around the
// first at which they use their own loops the same way, larger ones at odd alignments, and reads up to the last byte of
// a page behind which there is nothing.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/host/copy.h"
#include "test/support/check.h"

namespace blk {
namespace {

constexpr size_t kAlignments = 64;
constexpr size_t kMargin = 64;
constexpr uint8_t kGuard = 0xee;

std::vector<CopyKernel> Supported() {
  size_t count = 0;
  const CopyKernel* kernels = CopyKernels(&count);
  std::vector<CopyKernel> supported;
  std::copy_if(kernels, kernels + count, std::back_inserter(supported),
               [](const CopyKernel& kernel) { return kernel.supported(); });
  return supported;
}

// No byte is the guard, and none is like those 1 to 255 places away.
std::vector<uint8_t> Source(size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<uint8_t>((i + i / 255 * 7) % 0xed);
  return bytes;
}

// Memory that begins at a multiple of kAlignments.
class Area {
 public:
  explicit Area(size_t size) : bytes_(size + kAlignments), skip_(SkipOf(bytes_.data())) {}
  uint8_t* data() { return bytes_.data() + skip_; }

 private:
  static size_t SkipOf(const uint8_t* at) {
    return (kAlignments - reinterpret_cast<uintptr_t>(at) % kAlignments) % kAlignments;
  }
  std::vector<uint8_t> bytes_;
  const size_t skip_;
};

// Copies `size` bytes to every alignment of `to` from every one of `from`, and counts the copies that left the bytes
// asked for, or one of the guards around them, other than they must be.
class Checker {
 public:
  explicit Checker(size_t largest)
      : from_(largest + kAlignments),
        to_(largest + kAlignments + 2 * kMargin),
        expected_(largest + kAlignments + 2 * kMargin, kGuard) {
    const std::vector<uint8_t> source = Source(largest + kAlignments);
    std::copy(source.begin(), source.end(), from_.data());
    std::memset(to_.data(), kGuard, largest + kAlignments + 2 * kMargin);
  }

  uint64_t Wrong(const CopyKernel& kernel, size_t size, size_t src, size_t dst) {
    uint8_t* const to = to_.data() + kMargin + dst;
    const uint8_t* const from = from_.data() + src;
    kernel.copy(to, from, size);
    std::memcpy(expected_.data() + kMargin, from, size);
    const bool same = std::memcmp(to - kMargin, expected_.data(), size + 2 * kMargin) == 0;
    std::memset(to - kMargin, kGuard, size + 2 * kMargin);
    std::memset(expected_.data() + kMargin, kGuard, size);
    return same ? 0 : 1;
  }
  uint64_t WrongAtAnyAlignment(const CopyKernel& kernel, size_t size) {
    uint64_t wrong = 0;
    for (size_t src = 0; src < kAlignments; src++) {
      for (size_t dst = 0; dst < kAlignments; dst++) wrong += Wrong(kernel, size, src, dst);
    }
    return wrong;
  }

 private:
  Area from_;
  Area to_;
  std::vector<uint8_t> expected_;
};

TEST_CASE("sizes 0 to 512 at every pair of alignments") {
  Checker checker(512);
  for (const CopyKernel& kernel : Supported()) {
    for (size_t size = 0; size <= 512; size++) {
      INFO(kernel.name << " size " << size);
      REQUIRE(checker.WrongAtAnyAlignment(kernel, size) == 0);
    }
  }
}

// 1024 bytes is where the kernels' own loops begin; 128 is the most that one turn of these moves.
TEST_CASE("sizes 1008 to 1312 at every pair of alignments") {
  Checker checker(1312);
  for (const CopyKernel& kernel : Supported()) {
    for (size_t size = 1008; size <= 1312; size++) {
      INFO(kernel.name << " size " << size);
      REQUIRE(checker.WrongAtAnyAlignment(kernel, size) == 0);
    }
  }
}

// 16 KiB is where a copy in two halves begins, which moves 256 bytes a turn.
TEST_CASE("sizes around 16 KiB at every pair of alignments") {
  constexpr size_t kHuge = 16384;
  Checker checker(kHuge + 512);
  for (const CopyKernel& kernel : Supported()) {
    for (size_t size = kHuge - 1; size <= kHuge + 512; size += 19) {
      INFO(kernel.name << " size " << size);
      REQUIRE(checker.WrongAtAnyAlignment(kernel, size) == 0);
    }
  }
}

TEST_CASE("larger sizes at odd alignments") {
  const std::vector<size_t> sizes = {
      2047, 4095, 4096, 4097, 65535, 65536 + 63, 262144 + 1, (1u << 20) - 1, (1u << 22) + 4093};
  Checker checker(sizes.back());
  for (const CopyKernel& kernel : Supported()) {
    for (const size_t size : sizes) {
      for (const size_t src : {0u, 1u, 7u, 31u, 33u, 63u}) {
        for (const size_t dst : {0u, 1u, 15u, 17u, 31u, 32u, 47u, 63u}) {
          INFO(kernel.name << " size " << size << " src +" << src << " dst +" << dst);
          REQUIRE(checker.Wrong(kernel, size, src, dst) == 0);
        }
      }
    }
  }
}

// A page between two that cannot be touched: one byte too far, either way, ends the program.
class Fenced {
 public:
  Fenced() : page_(static_cast<size_t>(::sysconf(_SC_PAGESIZE))) {
    void* const all = ::mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(all != MAP_FAILED);
    base_ = static_cast<uint8_t*>(all);
    REQUIRE(::mprotect(base_ + page_, page_, PROT_READ | PROT_WRITE) == 0);
  }
  ~Fenced() { ::munmap(base_, 3 * page_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  uint8_t* begin() const { return base_ + page_; }
  uint8_t* end() const { return base_ + 2 * page_; }

 private:
  const size_t page_;
  uint8_t* base_;
};

#if defined(__x86_64__) && defined(__GLIBC__)
// musl has no room for the compiler's own look at the processor, so core has one of its own.
TEST_CASE("what the processor has, by the compiler's word") {
  const std::vector<CopyKernel> supported = Supported();
  const auto has = [&](const char* name) {
    return std::any_of(supported.begin(), supported.end(),
                       [&](const CopyKernel& kernel) { return std::strcmp(kernel.name, name) == 0; });
  };
  REQUIRE(has("avx2") == (__builtin_cpu_supports("avx2") != 0));
  REQUIRE(has("avx512") == (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vbmi2")));
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool fsrm = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & (1u << 4)) != 0;
  REQUIRE(HasSlowAlignments() == (__builtin_cpu_is("amd") && fsrm));
}
#endif

TEST_CASE("nothing outside the two ranges is touched") {
  const Fenced from;
  const Fenced to;
  const std::vector<uint8_t> source = Source(static_cast<size_t>(from.end() - from.begin()));
  std::copy(source.begin(), source.end(), from.begin());
  for (const CopyKernel& kernel : Supported()) {
    for (size_t size = 0; size <= source.size(); size += size < 1400 ? 1 : 127) {
      INFO(kernel.name << " size " << size);
      kernel.copy(to.end() - size, from.begin(), size);
      REQUIRE(std::equal(to.end() - size, to.end(), from.begin()));
      kernel.copy(to.begin(), from.end() - size, size);
      REQUIRE(std::equal(to.begin(), to.begin() + size, from.end() - size));
    }
  }
}

}  // namespace
}  // namespace blk
