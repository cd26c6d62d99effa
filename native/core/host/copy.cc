#include "core/host/copy.h"

#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace blk {
namespace {

bool Always() { return true; }
void CopyPortable(void* dst, const void* src, size_t size) {
  if (size > 0) std::memcpy(dst, src, size);  // of nothing, the pointers may be null
}

#if defined(__x86_64__)

// Below this the C library uses vector moves itself, and its entry is cheaper than ours.
constexpr size_t kSmall = 1024;
// From here on the widest vectors pay; before, 4 KiB in the cache take a tenth longer with them.
constexpr size_t kHuge = 16 * 1024;

// Four vectors a turn, stores aligned: the first and the last vector overlap their neighbours instead of a byte loop.
// Both are loaded before anything is stored. The casts are those that the intrinsics are made for: vector types may
// alias everything.
// REQUIRES: size >= kSmall, and a processor with AVX2, which this one function is compiled for.
__attribute__((target("avx2"))) void CopyLargeAvx2(uint8_t* dst, const uint8_t* src, size_t size) {
  const __m256i head = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src));
  const __m256i tail = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src + size - 32));
  uint8_t* const last = dst + size - 32;
  // 1 to 32: what `head` covers, at least a byte of it, so that `to` is aligned.
  const size_t skip = 32 - (reinterpret_cast<uintptr_t>(dst) & 31);
  uint8_t* to = dst + skip;
  const uint8_t* from = src + skip;
  size_t left = size - skip;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst), head);
  for (; left >= 128; left -= 128, to += 128, from += 128) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
    const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 64));
    const __m256i d = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 96));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), a);
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + 32), b);
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + 64), c);
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + 96), d);
  }
  for (; left >= 32; left -= 32, to += 32, from += 32) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(last), tail);
}

void CopyAvx2(void* dst, const void* src, size_t size) {
  if (size < kSmall) return CopyPortable(dst, src, size);
  CopyLargeAvx2(static_cast<uint8_t*>(dst), static_cast<const uint8_t*>(src), size);
}

// As above with 64-byte vectors, and in two halves at once: a copy out of memory then waits for two streams of cache
// misses together.
// REQUIRES: size >= kHuge, and a processor with AVX-512F.
__attribute__((target("avx512f"))) void CopyLargeAvx512(uint8_t* dst, const uint8_t* src, size_t size) {
  const __m512i head = _mm512_loadu_si512(src);
  const __m512i tail = _mm512_loadu_si512(src + size - 64);
  uint8_t* const last = dst + size - 64;
  const size_t skip = 64 - (reinterpret_cast<uintptr_t>(dst) & 63);
  uint8_t* to = dst + skip;
  const uint8_t* from = src + skip;
  size_t left = size - skip;
  _mm512_storeu_si512(dst, head);
  const size_t half = left / 256 * 128;
  for (size_t i = 0; i < half; i += 128) {
    const __m512i a = _mm512_loadu_si512(from + i);
    const __m512i b = _mm512_loadu_si512(from + i + 64);
    const __m512i c = _mm512_loadu_si512(from + half + i);
    const __m512i d = _mm512_loadu_si512(from + half + i + 64);
    _mm512_store_si512(to + i, a);
    _mm512_store_si512(to + i + 64, b);
    _mm512_store_si512(to + half + i, c);
    _mm512_store_si512(to + half + i + 64, d);
  }
  to += 2 * half;
  from += 2 * half;
  left -= 2 * half;
  for (; left >= 64; left -= 64, to += 64, from += 64) _mm512_store_si512(to, _mm512_loadu_si512(from));
  _mm512_storeu_si512(last, tail);
}

void CopyAvx512(void* dst, const void* src, size_t size) {
  if (size < kHuge) return CopyAvx2(dst, src, size);
  CopyLargeAvx512(static_cast<uint8_t*>(dst), static_cast<const uint8_t*>(src), size);
}

// The same with 16-byte vectors, which every x86-64 has.
void CopySse2(void* dst, const void* src, size_t size) {
  if (size < kSmall) return CopyPortable(dst, src, size);
  uint8_t* to = static_cast<uint8_t*>(dst);
  const uint8_t* from = static_cast<const uint8_t*>(src);
  const __m128i head = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m128i tail = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + size - 16));
  uint8_t* const last = to + size - 16;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), head);
  const size_t skip = 16 - (reinterpret_cast<uintptr_t>(to) & 15);
  to += skip;
  from += skip;
  for (size_t left = size - skip; left >= 16; left -= 16, to += 16, from += 16) {
    _mm_store_si128(reinterpret_cast<__m128i*>(to), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(last), tail);
}

// Asked of the processor itself: the compiler's own __builtin_cpu_supports() needs a part of its runtime that cannot be
// linked into a shared library for musl.
struct Processor {
  bool avx2 = false;
  bool avx512 = false;
  bool amd_with_fsrm = false;
};

Processor AskProcessor() {
  constexpr unsigned kXsave = 1u << 27, kAvx2 = 1u << 5, kAvx512F = 1u << 16, kVbmi2 = 1u << 6, kFsrm = 1u << 4;
  constexpr unsigned kWide = 0x06, kWidest = 0xe6;  // of XCR0: what the system saves of 32-byte and 64-byte vectors
  constexpr unsigned kAuth = 0x68747541;            // the begin of "AuthenticAMD"
  Processor found;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) == 0) return found;
  const bool amd = b == kAuth;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return found;
  unsigned saved = 0;
  if ((c & kXsave) != 0) {
    unsigned high = 0;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  found.avx2 = (saved & kWide) == kWide && (b & kAvx2) != 0;
  // VBMI2 came with the processors that such vectors do not slow down: Ice Lake, and Zen 4.
  found.avx512 = (saved & kWidest) == kWidest && (b & kAvx512F) != 0 && (c & kVbmi2) != 0;
  found.amd_with_fsrm = amd && (d & kFsrm) != 0;
  return found;
}

const Processor kProcessor = AskProcessor();

bool HasAvx512() { return kProcessor.avx512; }
bool HasAvx2() { return kProcessor.avx2; }
bool IsAmdWithFsrm() { return kProcessor.amd_with_fsrm; }

constexpr CopyKernel kKernels[] = {{"avx512", CopyAvx512, HasAvx512},
                                   {"avx2", CopyAvx2, HasAvx2},
                                   {"sse2", CopySse2, Always},
                                   {"portable", CopyPortable, Always}};
#else
bool IsAmdWithFsrm() { return false; }

constexpr CopyKernel kKernels[] = {{"portable", CopyPortable, Always}};
#endif

// The first that the processor has; the last one of the list always is.
const CopyKernel& Fastest() {
  const CopyKernel* kernel = kKernels;
  while (!kernel->supported()) kernel++;
  return *kernel;
}

// Chosen before any thread starts, and never changed: one load a copy, no lock. A namespace-scope constant, not state.
void (*const kCopy)(void*, const void*, size_t) = Fastest().copy;
const bool kSlowAlignments = IsAmdWithFsrm();

}  // namespace

void CopyBytes(void* dst, const void* src, size_t size) { kCopy(dst, src, size); }

bool HasSlowAlignments() { return kSlowAlignments; }

const CopyKernel* CopyKernels(size_t* count) {
  *count = sizeof kKernels / sizeof kKernels[0];
  return kKernels;
}

}  // namespace blk
