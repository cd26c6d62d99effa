#include "core/filter/fault_plan_filter.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/filter/fault_damage.h"
#include "core/request/request.h"
#include "core/request/strategy.h"

namespace blk {
namespace {

std::optional<FaultOp> FaultOpOf(Operation operation) {
  switch (operation) {
    case Operation::kRead: return FaultOp::kRead;
    case Operation::kWrite: return FaultOp::kWrite;
    case Operation::kFlush: return FaultOp::kFlush;
    case Operation::kDiscard: return FaultOp::kDiscard;
    case Operation::kZero: return FaultOp::kZero;
    case Operation::kPrefetch:
    case Operation::kCopy: break;
  }
  return std::nullopt;
}

}  // namespace

void FaultPlanFilter::Admit(Request& request) {
  // Faults are for reads and writes, which a copy has to be made of then.
  if (request.operation == Operation::kCopy) return request.plan.StopAt(0, {{EOPNOTSUPP, Op::kCopy}});
  const auto op = FaultOpOf(request.operation);
  // A hint has nothing to lose.
  if (!op) return;
  const std::shared_ptr<FaultRun> run = plans_.current();
  if (!run) return;
  const uint64_t pieces = *op == FaultOp::kFlush ? 1 : request.pieces();
  std::shared_ptr<FaultDecision> decision;
  const auto decide = [&]() -> FaultDecision& {
    if (!decision) decision = std::make_shared<FaultDecision>(run);
    return *decision;
  };
  // Whoever changes what a flush may lose waits for the medium.
  if (run->loses() && (Mutates(request.operation) || *op == FaultOp::kFlush)) decide();
  uint64_t delay = 0;
  std::optional<uint64_t> tag;
  for (uint64_t i = 0; i < pieces; i++) {
    const size_t at = static_cast<size_t>(i) * request.piece_size();
    FaultSubject subject;
    subject.op = *op;
    subject.minor = place_.minor;
    subject.position = static_cast<uint64_t>(request.position) + at;
    subject.size = std::min(request.piece_size(), std::max(request.plan.reach, at) - at);
    // What lies at the end, or is refused, has no bytes: the seed's generator alone draws for it.
    subject.runs = request.plan.stop_at > at && (subject.size > 0 || *op == FaultOp::kFlush);
    subject.device_size = place_.range.size;
    subject.disk = place_.disk;
    subject.begin = place_.range.begin.value;
    FaultVerdict verdict = run->Decide(subject);
    if (verdict.injected > 0) place_.range.counters->Add(Counter::kFaultsInjected, verdict.injected, request.lane);
    if (verdict.logged > 0) plans_.Ring();
    if (verdict.injected > 0 && !decide().kind) decide().kind = verdict.kind;
    if (verdict.effect) decide().effects.push_back(*verdict.effect);
    delay += verdict.delay;
    if (verdict.tag) tag = verdict.tag;
    if (verdict.stop.ok()) continue;
    request.plan.StopAt(at, {verdict.stop, this});
    break;
  }
  if (delay > 0 || tag || run->has_virtual_clock()) {
    FaultDecision& held = decide();
    held.ticket = run->Ticket(delay, tag);
  }
  request.plan.decided = std::move(decision);
}

Status FaultPlanFilter::AdmitMap(uint64_t position, uint64_t size) {
  const std::shared_ptr<FaultRun> run = plans_.current();
  if (!run) return Status::Ok();
  FaultSubject subject;
  subject.op = FaultOp::kMap;
  subject.minor = place_.minor;
  subject.position = position;
  subject.size = size;
  const FaultVerdict verdict = run->Decide(subject);
  if (verdict.injected > 0) place_.range.counters->Add(Counter::kFaultsInjected, verdict.injected, kSharedLane);
  if (verdict.logged > 0) plans_.Ring();
  return verdict.stop;
}

void FaultPlanFilter::Perform(Piece& piece, Strategy& next) {
  const auto* const decision = static_cast<const FaultDecision*>(piece.decided);
  const FaultEffect* const effect = decision != nullptr ? decision->On(piece.position) : nullptr;
  // A sync at the end of a group of a batch has no decision, and covers all the same.
  if (piece.operation == Operation::kFlush) return DoFlush(effect, piece, next);
  if (decision == nullptr) return next.Submit(piece);
  if (effect == nullptr) return Submit(piece, next, *decision->run);
  Do(*effect, piece, next, *decision->run);
}

void FaultPlanFilter::Do(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run) {
  switch (effect.kind) {
    case FaultKind::kShort:
    case FaultKind::kBudget: {
      const uint64_t most = effect.a > piece.position ? effect.a - piece.position : 0;
      return DoSome(piece, next, run, static_cast<size_t>(std::min<uint64_t>(most, piece.size)), effect.status);
    }
    case FaultKind::kTear: return DoTorn(effect, piece, next, run);
    case FaultKind::kDrop: return Biodone(piece, piece.size, Status::Ok());
    case FaultKind::kCorrupt:
      if (static_cast<FaultDamage>(effect.a) == FaultDamage::kMisdirect) {
        return DoMisdirected(effect, piece, next, run);
      }
      return DoDamaged(effect, piece, next, run);
    default: return Submit(piece, next, run);
  }
}

void FaultPlanFilter::DoSome(Piece& piece, Strategy& next, const FaultRun& run, size_t size, Status behind) {
  if (size == piece.size) return Submit(piece, next, run);
  Piece part = piece;
  part.size = size;
  part.last = true;
  if (size > 0) Submit(part, next, run);
  if (part.nowait && IsUndone(part.status)) return Biodone(piece, 0, part.status);
  Biodone(piece, part.moved, part.status.ok() ? behind : part.status);
}

void FaultPlanFilter::DoTorn(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run) {
  const uint64_t end = piece.position + piece.size;
  bool first = piece.first;
  for (uint64_t at = piece.position; at < end;) {
    const bool there = Reaches(effect, at / kDevBsize);
    uint64_t to = at;
    while (to < end && Reaches(effect, to / kDevBsize) == there) to = std::min(end, (to / kDevBsize + 1) * kDevBsize);
    if (there) {
      Piece part = piece;
      part.position = at;
      part.data = piece.data + (at - piece.position);
      part.size = static_cast<size_t>(to - at);
      part.first = std::exchange(first, false);
      Submit(part, next, run);
      if (!part.status.ok()) return Biodone(piece, static_cast<size_t>(at - piece.position) + part.moved, part.status);
    }
    at = to;
  }
  Biodone(piece, piece.size, Status::Ok());
}

void FaultPlanFilter::DoDamaged(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run) {
  if (piece.operation == Operation::kRead) {
    next.Submit(piece);
    if (!(piece.nowait && IsUndone(piece.status))) Damage(effect, piece.position, piece.data, piece.moved);
    return;
  }
  // The caller's memory is only read from.
  std::vector<uint8_t> copy(piece.data, piece.data + piece.size);
  Damage(effect, piece.position, copy.data(), copy.size());
  Piece damaged = piece;
  damaged.data = copy.data();
  Submit(damaged, next, run);
  Biodone(piece, damaged.moved, damaged.status);
}

void FaultPlanFilter::DoMisdirected(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run) {
  Piece elsewhere = piece;
  elsewhere.position = effect.b + (piece.position - effect.begin);
  Submit(elsewhere, next, run);
  Biodone(piece, elsewhere.moved, elsewhere.status);
}

void FaultPlanFilter::DoFlush(const FaultEffect* effect, Piece& piece, Strategy& next) {
  const auto cover = [&] {
    return place_.unflushed->Cover([&] {
      next.Submit(piece);
      return piece.status;
    });
  };
  if (effect == nullptr) return static_cast<void>(cover());  // the outcome is in the piece
  if (effect->kind == FaultKind::kIgnoreFlush) return Biodone(piece, piece.size, Status::Ok());
  if (effect->kind != FaultKind::kErrno) return static_cast<void>(cover());
  if (effect->keep) return Biodone(piece, 0, effect->status);
  const MediumSpan lost = place_.unflushed->Lose(*place_.channel);
  place_.range.flush->MarkDirty();
  if (!lost.empty()) place_.range.flush->NoteLoss(lost);
  // What it would have covered is covered by no flush from here on, and whoever records is told of that.
  const auto logs = place_.logs->Get();
  const MediumOffset at{place_.range.begin.value + piece.position};
  for (size_t i = 0; logs && i < logs->size(); i++) (*logs)[i]->Begun(piece, at, false);
  Biodone(piece, 0, place_.range.flush->Fail(effect->status));
  if (piece.logged != nullptr) piece.logged->Ended(piece);
}

void FaultPlanFilter::Submit(Piece& piece, Strategy& next, const FaultRun& run) {
  if (!run.loses() || !Mutates(piece.operation) || run.Allows(piece.position, piece.size)) return next.Submit(piece);
  const uint64_t begin = place_.range.begin.value + piece.position;
  const MediumSpan span{{begin}, {begin + piece.size}};
  place_.unflushed->Begin(run.number(), span, place_.disk_span, *place_.channel);
  next.Submit(piece);
  const bool durable = piece.operation == Operation::kWrite && piece.durable && piece.status.ok();
  place_.unflushed->End(run.number(), span, durable ? piece.data : nullptr, piece.moved);
}

}  // namespace blk
