// Scarce: operator new that finds no memory at one chosen call of this thread. To be included by one file of a program,
// since it replaces operator new.
#ifndef RUMPBLK_TEST_SUPPORT_SCARCE_MEMORY_H_
#define RUMPBLK_TEST_SUPPORT_SCARCE_MEMORY_H_

#include <cstdint>
#include <cstdlib>
#include <new>

namespace blk::test {

// Allocations of this thread while a Scarce lives; the one that is numbered `fails` finds no memory.
struct Allocations {
  bool counted = false;
  uint64_t made = 0;
  uint64_t fails = UINT64_MAX;
};
inline thread_local Allocations t_allocations;

// From here to the end of the scope allocation number `nth`, counted from 0, fails.
class Scarce {
 public:
  explicit Scarce(uint64_t nth) { t_allocations = {true, 0, nth}; }
  ~Scarce() { t_allocations = {}; }
  Scarce(const Scarce&) = delete;
  Scarce& operator=(const Scarce&) = delete;
  // False when there were not as many allocations.
  bool struck() const { return t_allocations.made > t_allocations.fails; }
};

// Within a Scarce: not counted, for what the test does itself.
class Plenty {
 public:
  Plenty() : before_(t_allocations.counted) { t_allocations.counted = false; }
  ~Plenty() { t_allocations.counted = before_; }
  Plenty(const Plenty&) = delete;
  Plenty& operator=(const Plenty&) = delete;

 private:
  const bool before_;
};

inline void* AllocateOrNull(size_t size, size_t alignment = 16) {
  Allocations& now = t_allocations;
  if (now.counted && now.made++ == now.fails) return nullptr;
  return std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
}

}  // namespace blk::test

void* operator new(size_t size) {
  void* const memory = blk::test::AllocateOrNull(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, std::align_val_t alignment) {
  void* const memory = blk::test::AllocateOrNull(size, static_cast<size_t>(alignment));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return blk::test::AllocateOrNull(size); }
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

#endif  // RUMPBLK_TEST_SUPPORT_SCARCE_MEMORY_H_
