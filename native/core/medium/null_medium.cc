#include "core/medium/null_medium.h"

#include <cstring>

namespace blk {
namespace {

class NullChannel final : public Channel {
 public:
  explicit NullChannel(uint64_t size) : size_(size) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    const Moved moved = Move(Op::kPread, at, size, rules);
    std::memset(data, 0, moved.bytes);
    return moved;
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    static_cast<void>(data);
    return Move(Op::kPwrite, at, size, rules);
  }
  Status Sync() override { return Status::Ok(); }
  MediumFeatures Features() override { return {true, true, true}; }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return Move(Op::kDiscard, at, static_cast<size_t>(size), rules);
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return Move(Op::kZero, at, static_cast<size_t>(size), rules);
  }
  Result<size_t> Extents(MediumSpan within, ExtentLayer, std::span<MediumExtent> found,
                         const PieceRules& rules) override {
    if (IsCancelled(rules.cancel)) return Status{ECANCELED, Op::kExtents};
    found[0] = {within.begin, within.end.value - within.begin.value, ExtentType::kHole};
    return size_t{1};
  }

 private:
  Moved Move(Op op, MediumOffset at, size_t size, const PieceRules& rules) const {
    if (IsCancelled(rules.cancel)) return {0, {ECANCELED, op}};
    const uint64_t rest = at.value < size_ ? size_ - at.value : 0;
    if (size > rest) return {static_cast<size_t>(rest), {EIO, op}};
    return {size, Status::Ok()};
  }

  const uint64_t size_;
};

}  // namespace

std::unique_ptr<Channel> NullMedium::MakeChannel() { return std::make_unique<NullChannel>(*size()); }

}  // namespace blk
