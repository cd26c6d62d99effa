#include "core/filter/filter_chain.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/request/request.h"

namespace blk {

// Filters in front of the strategy that does the pieces.
class FilterChain::Stack final : public Strategy {
 public:
  // `filters` from the inside to the outside.
  Stack(Strategy& path, std::vector<Filter*> filters) : path_(path), filters_(std::move(filters)) {
    for (Filter* filter : filters_) {
      traits_ = traits_.With(filter->traits());
      if (filter->traits().may_refuse_pieces) refusing_.insert(refusing_.begin(), filter);
      if (filter->traits().watches_pieces) watching_.push_back(filter);
    }
  }

  FilterTraits filters() const override { return traits_; }

  void Admit(Request& request) override {
    for (Filter* filter : filters_) filter->Admit(request);
  }

  void Submit(Piece& piece) override {
    const Status why = Refuses(piece);
    if (!why.ok()) return Biodone(piece, 0, why);
    Begins(piece);
    path_.Submit(piece);
    Ends(piece);
  }

  void Start(StartedPiece& piece) override {
    const Status why = Refuses(piece);
    if (!why.ok()) {
      Biodone(piece, 0, why);
      return piece.finish(piece);
    }
    if (watching_.empty()) return path_.Start(piece);
    Begins(piece);
    piece.chain = this;
    piece.filtered = std::exchange(piece.finish, Finished);
    path_.Start(piece);
  }

  void Expect(const Piece& piece) override { path_.Expect(piece); }
  bool expects() const override { return path_.expects(); }

 private:
  // A piece that was started is complete.
  static void Finished(StartedPiece& piece) {
    static_cast<const Stack*>(piece.chain)->Ends(piece);
    piece.finish = piece.filtered;
    piece.finish(piece);
  }
  void Begins(Piece& piece) const {
    for (Filter* filter : watching_) filter->Begins(piece);
  }
  void Ends(Piece& piece) const {
    for (Filter* filter : watching_) filter->Ends(piece);
  }
  Status Refuses(const Piece& piece) const {
    for (Filter* filter : refusing_) {
      const Status why = filter->Refuses(piece);
      if (!why.ok()) return why;
    }
    return Status::Ok();
  }

  Strategy& path_;
  const std::vector<Filter*> filters_;  // from the inside to the outside, as plans are looked at
  std::vector<Filter*> refusing_;       // from the outside to the inside, as pieces pass
  std::vector<Filter*> watching_;       // in any order
  FilterTraits traits_;
};

FilterChain::FilterChain(Strategy& path, const std::vector<Link>& links) : path_(path), entry_(&path) {
  for (const Link& link : links) {
    if (link.switched) switched_.push_back(link.filter);
  }
  stacks_.resize(size_t{1} << switched_.size());
  for (size_t on = 0; on < stacks_.size(); on++) {
    std::vector<Filter*> filters;
    size_t bit = 1;
    for (const Link& link : links) {
      if (!link.switched || (on & bit) != 0) filters.push_back(link.filter);
      if (link.switched) bit <<= 1;
    }
    if (!filters.empty()) stacks_[on] = std::make_unique<Stack>(path, std::move(filters));
  }
  if (stacks_[0]) entry_.store(stacks_[0].get(), std::memory_order_release);
}

FilterChain::~FilterChain() = default;

void FilterChain::Switch(const Filter& filter, bool on) {
  const auto found = std::find(switched_.begin(), switched_.end(), &filter);
  assert(found != switched_.end());
  const size_t bit = size_t{1} << (found - switched_.begin());
  on_ = on ? on_ | bit : on_ & ~bit;
  Strategy* const stack = stacks_[on_].get();
  entry_.store(stack != nullptr ? stack : &path_, std::memory_order_release);
}

}  // namespace blk
