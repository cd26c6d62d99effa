// Draws of fault plans: pure functions of what they are drawn for, so that nobody else's draws move them.
// Source: splitmix64 by Sebastiano Vigna, public domain.
#ifndef RUMPBLK_CORE_FILTER_FAULT_DRAW_H_
#define RUMPBLK_CORE_FILTER_FAULT_DRAW_H_

#include <cstdint>

namespace blk {

// A number of which every bit depends on every bit of `x`.
constexpr uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
constexpr uint64_t Mix(uint64_t a, uint64_t b) { return Mix(Mix(a) ^ b); }

// [0, 1), of 53 bits.
constexpr double ToUnit(uint64_t draw) { return static_cast<double>(draw >> 11) * 0x1.0p-53; }

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_DRAW_H_
