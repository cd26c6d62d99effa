#include "core/filter/filter_chain.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

#include "core/base/no_memory.h"
#include "core/request/request.h"

namespace blk {

// Filters in front of the strategy that does the pieces. Below the outermost one that performs pieces lies a stack of
// those inside it.
class FilterChain::Stack final : public Strategy {
 public:
  // `filters` from the inside to the outside.
  Stack(Strategy& path, std::span<Filter* const> filters)
      : filters_(filters.begin(), filters.end()), path_(path), next_(&path) {
    size_t outside = filters.size();
    while (outside > 0 && !filters[outside - 1]->traits().performs_pieces) outside--;
    if (outside > 0) performs_ = filters[outside - 1];
    if (outside > 1) {
      below_ = std::make_unique<Stack>(path, filters.first(outside - 1));
      next_ = below_.get();
    }
    for (Filter* filter : filters_) traits_ = traits_.With(filter->traits());
    all_ = LookersOf(filters);
    own_ = LookersOf(filters.subspan(outside > 0 ? outside - 1 : 0));
  }

  FilterTraits filters() const override { return traits_; }

  void Admit(Request& request) override {
    for (Filter* filter : filters_) filter->Admit(request);
  }

  void Submit(Piece& piece) override {
    const Status why = own_.Refuse(piece);
    if (!why.ok()) return Biodone(piece, 0, why);
    own_.Begin(piece);
    if (performs_ != nullptr) {
      performs_->Perform(piece, *next_);
    } else {
      next_->Submit(piece);
    }
    own_.End(piece);
  }

  bool Starts(const Piece& piece) override { return piece.decided == nullptr && path_.Starts(piece); }

  void Start(StartedPiece& piece) override {
    // What has a decision waits for its medium.
    if (piece.decided != nullptr) return Strategy::Start(piece);
    // Nobody performs it in another way, so all that look at it are this stack's.
    const Status why = all_.Refuse(piece);
    if (!why.ok()) {
      Biodone(piece, 0, why);
      return piece.finish(piece);
    }
    if (all_.watching.empty()) return path_.Start(piece);
    all_.Begin(piece);
    piece.chain = this;
    piece.filtered = std::exchange(piece.finish, Finished);
    path_.Start(piece);
  }

  void Kick() override { path_.Kick(); }

  void Expect(const Piece& piece) override { next_->Expect(piece); }
  bool expects() const override { return next_->expects(); }

 private:
  // Who looks at pieces.
  struct Lookers {
    std::vector<Filter*> refusing;  // from the outside to the inside, as pieces pass
    std::vector<Filter*> watching;  // in any order

    void Begin(Piece& piece) const {
      for (Filter* filter : watching) filter->Begins(piece);
    }
    void End(Piece& piece) const {
      for (Filter* filter : watching) filter->Ends(piece);
    }
    Status Refuse(const Piece& piece) const {
      for (Filter* filter : refusing) {
        const Status why = filter->Refuses(piece);
        if (!why.ok()) return why;
      }
      return Status::Ok();
    }
  };

  // A piece that was started is complete.
  static void Finished(StartedPiece& piece) {
    static_cast<const Stack*>(piece.chain)->all_.End(piece);
    piece.finish = piece.filtered;
    piece.finish(piece);
  }
  static Lookers LookersOf(std::span<Filter* const> filters) {
    Lookers lookers;
    for (Filter* filter : filters) {
      if (filter->traits().may_refuse_pieces) lookers.refusing.insert(lookers.refusing.begin(), filter);
      if (filter->traits().watches_pieces) lookers.watching.push_back(filter);
    }
    return lookers;
  }

  const std::vector<Filter*> filters_;  // all of them, from the inside to the outside, as plans are looked at
  Strategy& path_;
  std::unique_ptr<Stack> below_;
  Strategy* next_;              // below_, or the path
  Filter* performs_ = nullptr;  // pieces go through it to next_
  Lookers own_, all_;           // down to performs_, and down to the path
  FilterTraits traits_;
};

void Filter::Perform(Piece& piece, Strategy& next) { next.Submit(piece); }

FilterChain::FilterChain(Strategy& path, const std::vector<Link>& links) : links_(links), path_(path), entry_(&path) {
  for (const Link& link : links) {
    if (link.switched) switched_.push_back(link.filter);
  }
  stacks_.resize(size_t{1} << switched_.size());
  entry_.store(&EntryOf(0), std::memory_order_release);
}

FilterChain::~FilterChain() = default;

Strategy& FilterChain::EntryOf(size_t on) {
  if (stacks_[on]) return *stacks_[on];
  std::vector<Filter*> filters;
  size_t bit = 1;
  for (const Link& link : links_) {
    if (!link.switched || (on & bit) != 0) filters.push_back(link.filter);
    if (link.switched) bit <<= 1;
  }
  if (filters.empty()) return path_;
  stacks_[on] = std::make_unique<Stack>(path_, filters);
  return *stacks_[on];
}

Status FilterChain::Switch(const Filter& filter, bool on) {
  const auto found = std::find(switched_.begin(), switched_.end(), &filter);
  assert(found != switched_.end());
  const size_t bit = size_t{1} << (found - switched_.begin());
  const size_t next = on ? on_ | bit : on_ & ~bit;
  Strategy* entry = nullptr;
  if (!HadMemory([&] { entry = &EntryOf(next); })) return on ? Status{ENOMEM, Op::kStrategy} : Status::Ok();
  on_ = next;
  entry_.store(entry, std::memory_order_release);
  return Status::Ok();
}

}  // namespace blk
