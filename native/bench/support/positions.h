// Positions: where the requests of a native bench go, made before the clock starts. The same patterns as bench/support/
// patterns.mjs, so that a floor and a trial in Node meet the same locality. Plain functions, no state.
#ifndef RUMPBLK_BENCH_SUPPORT_POSITIONS_H_
#define RUMPBLK_BENCH_SUPPORT_POSITIONS_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace blk_bench {

// splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t limit) { return static_cast<uint64_t>((static_cast<__uint128_t>(Next()) * limit) >> 64); }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

// Ranks 0.. of a zipf distribution with exponent 0.99, by the method of Gray et al. that YCSB uses.
class Zipf {
 public:
  explicit Zipf(uint64_t n) : n_(n) {
    for (uint64_t i = 1; i <= n; i++) zeta_ += std::pow(static_cast<double>(i), -kTheta);
    const double zeta2 = 1 + std::pow(0.5, kTheta);
    eta_ = (1 - std::pow(2.0 / static_cast<double>(n), 1 - kTheta)) / (1 - zeta2 / zeta_);
  }
  uint64_t Rank(double u) const {
    const double uz = u * zeta_;
    if (uz < 1) return 0;
    if (uz < 1 + std::pow(0.5, kTheta)) return 1;
    const auto rank = static_cast<uint64_t>(static_cast<double>(n_) * std::pow(eta_ * u - eta_ + 1, 1 / (1 - kTheta)));
    return rank < n_ ? rank : n_ - 1;
  }

 private:
  static constexpr double kTheta = 0.99;
  uint64_t n_;
  double zeta_ = 0;
  double eta_ = 0;
};

// `count` positions in [0, size), multiples of `block`. `pattern`: uniform, zipf (popular blocks lie scattered) or
// sequential (from a random block on, round and round).
inline std::vector<uint64_t> MakePositions(const std::string& pattern, uint64_t size, size_t block, size_t count,
                                           uint64_t seed) {
  const uint64_t blocks = size / block;
  Random random(seed);
  std::vector<uint64_t> positions(count);
  if (pattern == "zipf") {
    const Zipf zipf(blocks);
    for (uint64_t& at : positions) at = Random(zipf.Rank(random.Unit())).Below(blocks) * block;
  } else if (pattern == "sequential") {
    uint64_t next = random.Below(blocks);
    for (uint64_t& at : positions) at = (next++ % blocks) * block;
  } else {
    for (uint64_t& at : positions) at = random.Below(blocks) * block;
  }
  return positions;
}

}  // namespace blk_bench

#endif  // RUMPBLK_BENCH_SUPPORT_POSITIONS_H_
