// RingContender: reads by io_uring, as many under way as asked for.
#ifndef RUMPBLK_BENCH_SUPPORT_RING_CONTENDER_H_
#define RUMPBLK_BENCH_SUPPORT_RING_CONTENDER_H_

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/support/contender.h"
#include "core/host/ring.h"

namespace blk_bench {

// `depth` reads under way by io_uring: each that is answered makes room for the next, and one call hands over all that
// have come together. The least that an asynchronous read costs.
class RingContender final : public Contender {
 public:
  explicit RingContender(const Setting& s)
      : block_(s.block), depth_(std::min<size_t>(s.depth, blk::Ring::kEntries)), fd_(s.file, s.direct ? O_DIRECT : 0) {
    const int opened = ring_.Open();
    if (opened < 0) Fail(opened);
    memory_.reset(static_cast<uint8_t*>(std::aligned_alloc(4096, (depth_ * block_ + 4095) & ~size_t{4095})));
    if (memory_ == nullptr) Die("memory");
  }
  Times Run(const uint64_t* at, const std::vector<size_t>& marks, uint8_t*, blk::Lane) override {
    Times times;
    const size_t all = marks.back();
    auto mark = marks.begin();
    size_t next = 0;
    const double start = Now();
    for (; next < std::min(depth_, all); next++) Put(at[next], next);
    for (size_t done = 0; done < all;) {
      const int taken = ring_.Enter(1);
      if (taken < 0 && taken != -EINTR) Fail(taken);
      for (; ring_.HasAnswer(); done++) {
        const blk::Ring::Answer answer = ring_.Take();
        if (answer.result != static_cast<int32_t>(block_)) Fail(answer.result);
        uint64_t stamp;
        std::memcpy(&stamp, &memory_.get()[answer.tag * block_], sizeof stamp);
        times.sum += stamp;
        if (next < all) Put(at[next++], answer.tag);
      }
      for (; mark != marks.end() && *mark <= done; ++mark) times.at_mark.push_back(Now() - start);
    }
    return times;
  }

 private:
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };

  void Put(uint64_t at, size_t lane) {
    ring_.Put(blk::Ring::Opcode::kRead, fd_.get(), &memory_.get()[lane * block_], static_cast<uint32_t>(block_), at,
              lane);
  }
  [[noreturn]] static void Fail(int error) {
    errno = error < 0 ? -error : EIO;
    Die("io_uring");
  }

  const size_t block_, depth_;
  Fd fd_;
  std::unique_ptr<uint8_t, Free> memory_;
  // Last: what is under way is called off before its memory goes.
  blk::Ring ring_;
};

}  // namespace blk_bench

#endif  // RUMPBLK_BENCH_SUPPORT_RING_CONTENDER_H_
