// ZeroedArray: sole owner of an array of atomics that begin at zero. The host gives its pages when they are first
// touched: a large array costs nothing until it is used, and then only where it is. Move-only.
// Errors: std::bad_alloc, as new has it.
#ifndef RUMPBLK_CORE_BASE_ZEROED_ARRAY_H_
#define RUMPBLK_CORE_BASE_ZEROED_ARRAY_H_

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace blk {

template <typename T>
class ZeroedArray {
  static_assert(std::is_integral_v<T> && sizeof(std::atomic<T>) == sizeof(T), "zero bytes are the value 0");

 public:
  // Owns nothing.
  ZeroedArray() = default;
  explicit ZeroedArray(size_t count) : items_(static_cast<std::atomic<T>*>(std::calloc(count, sizeof(T)))) {
    if (items_ == nullptr) throw std::bad_alloc();
  }

  explicit operator bool() const { return items_ != nullptr; }
  std::atomic<T>& operator[](size_t i) const { return items_.get()[i]; }

 private:
  struct Free {
    void operator()(std::atomic<T>* items) const { std::free(static_cast<void*>(items)); }
  };
  std::unique_ptr<std::atomic<T>, Free> items_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_ZEROED_ARRAY_H_
