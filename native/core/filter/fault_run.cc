#include "core/filter/fault_run.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "core/base/units.h"
#include "core/filter/fault_draw.h"

namespace blk {
namespace {

SectorSpan SectorsOf(uint64_t position, uint64_t size) {
  return {position / kDevBsize, (position + size + kDevBsize - 1) / kDevBsize};
}

bool Meet(const std::vector<SectorSpan>& spans, SectorSpan sectors) {
  return std::any_of(spans.begin(), spans.end(),
                     [&](const SectorSpan& span) { return span.begin < sectors.end && sectors.begin < span.end; });
}

// Whether a rule about sectors and `allow` look at where it lies.
bool HasPlace(FaultOp op) { return op != FaultOp::kFlush && op != FaultOp::kOpen; }

Op OpOf(FaultOp op) {
  switch (op) {
    case FaultOp::kFlush: return Op::kFlush;
    case FaultOp::kDiscard: return Op::kDiscard;
    case FaultOp::kZero: return Op::kZero;
    case FaultOp::kOpen: return Op::kOpen;
    case FaultOp::kMap: return Op::kMap;
    default: return Op::kStrategy;
  }
}

bool DecidesOutcome(FaultKind kind) {
  return kind != FaultKind::kDelay && kind != FaultKind::kHang && kind != FaultKind::kStall &&
         kind != FaultKind::kEnter;
}

}  // namespace

FaultRun::FaultRun(FaultPlan plan, std::shared_ptr<HoldLine> line)
    : plan_(std::move(plan)),
      line_(std::move(line)),
      virtual_(line_->is_virtual()),
      began_(line_->now()),
      rules_(plan_.rules.size()) {
  for (size_t i = 0; i < plan_.rules.size(); i++) {
    const FaultRule& rule = plan_.rules[i];
    rules_[i].budget = rule.a;
    rules_[i].generator = static_cast<uint32_t>(plan_.seed);
    const bool flush = (rule.ops & (1u << static_cast<unsigned>(FaultOp::kFlush))) != 0;
    if (rule.kind == FaultKind::kErrno && flush && rule.b == 0) loses_ = true;
    (rule.n ? by_number_[*rule.n] : any_number_).push_back(static_cast<uint32_t>(i));
  }
  candidates_.reserve(plan_.rules.size());
}

const std::vector<uint32_t>& FaultRun::RulesFor(uint64_t n) {
  const auto found = by_number_.find(n);
  if (found == by_number_.end()) return any_number_;
  candidates_.clear();
  std::merge(any_number_.begin(), any_number_.end(), found->second.begin(), found->second.end(),
             std::back_inserter(candidates_));
  return candidates_;
}

bool FaultRun::Allows(uint64_t position, uint64_t size) const { return Meet(plan_.allow, SectorsOf(position, size)); }

bool FaultRun::Takes(const FaultRule& rule, const FaultSubject& subject) const {
  if ((rule.ops & (1u << static_cast<unsigned>(subject.op))) == 0) return false;
  if (rule.minor && *rule.minor != subject.minor) return false;
  if (rule.state && *rule.state != state_) return false;
  // The seed's generator fails what mode or bounds refuse, too, and so does the rule that repeats that.
  const bool repeats = rule.n && rule.kind == FaultKind::kErrno;
  if (!subject.runs && rule.kind != FaultKind::kGenerator && !repeats) return false;
  if (!HasPlace(subject.op)) return true;
  const SectorSpan sectors = SectorsOf(subject.position, subject.size);
  if (!rule.sectors.empty() && !Meet(rule.sectors, sectors)) return false;
  // One sector is written as a whole.
  if (rule.kind == FaultKind::kTear) return sectors.end - sectors.begin > 1;
  if (rule.kind == FaultKind::kShort) return subject.size > rule.a;
  return true;
}

bool FaultRun::Hits(size_t i, const FaultSubject& subject, uint64_t* key) {
  const FaultRule& rule = plan_.rules[i];
  RuleState& state = rules_[i];
  state.taken++;
  const uint64_t n = ++state.draws[{subject.minor, subject.op}];
  const uint64_t of =
      (static_cast<uint64_t>(static_cast<uint32_t>(subject.minor)) << 8) | static_cast<uint64_t>(subject.op);
  const uint64_t draw = Mix(Mix(Mix(plan_.seed, i), of), n);
  *key = rule.key ? *rule.key : Mix(draw);
  if (rule.kind == FaultKind::kGenerator) {
    // gimmerand, as FaultInjector has it: a stream, of all that the rule takes.
    state.generator = state.generator * 1103515245u + 12345u;
    if (state.generator % 0x80000000u % kBlkfailMax >= rule.a) return false;
  }
  if (state.taken <= rule.after || (state.taken - rule.after) % rule.every != 0 || state.hit >= rule.times)
    return false;
  if (rule.probability < 1 && ToUnit(draw) >= rule.probability) return false;
  return true;
}

FaultVerdict FaultRun::Decide(const FaultSubject& subject) {
  const uint64_t now = line_->now() - began_;
  FaultVerdict verdict;
  MutexLock lock(mu_);
  const uint64_t n = ++seen_[{subject.minor, subject.op}];
  if (HasPlace(subject.op) && Allows(subject.position, subject.size)) return verdict;
  bool decided = false;
  FaultEvent seen;
  seen.n = n;
  seen.op = subject.op;
  seen.minor = subject.minor;
  seen.blkno = HasPlace(subject.op) ? subject.position / kDevBsize : 0;
  seen.bcount = HasPlace(subject.op) ? subject.size : 0;
  // Room before the first draw, so that a request that finds no memory has drawn nothing.
  const size_t most = log_.size() + plan_.rules.size() + 1;
  if (log_.capacity() < most) log_.reserve(std::max(most, 2 * log_.capacity()));
  if (const auto bad = BadBy(subject)) {
    decided = true;
    verdict.stop = {EIO, OpOf(subject.op), Why::kInjected};
    FaultEvent event = seen;
    event.rule = *bad;
    event.kind = FaultKind::kBadUntilWritten;
    log_.push_back(event);
    verdict.kind = event.kind;
    verdict.injected++;
    verdict.logged++;
  }
  for (const uint32_t i : RulesFor(n)) {
    const FaultRule& rule = plan_.rules[i];
    if (!Takes(rule, subject)) continue;
    uint64_t key = 0;
    if (!Hits(i, subject, &key)) continue;
    // Of those that decide what becomes of it the first one does.
    if (decided && DecidesOutcome(rule.kind)) continue;
    FaultEvent event = seen;
    event.rule = i;
    event.kind = rule.kind;
    event.a = rule.a;
    event.b = rule.b;
    event.key = key;
    if (!Act(i, subject, key, now, &event, &verdict)) continue;
    decided = decided || DecidesOutcome(rule.kind);
    rules_[i].hit++;
    log_.push_back(event);
    verdict.logged++;
    if (rule.kind == FaultKind::kEnter) continue;
    if (verdict.injected++ == 0) verdict.kind = rule.kind;
  }
  const bool reaches = verdict.stop.ok() && (!verdict.effect || verdict.effect->kind != FaultKind::kDrop);
  if (reaches && subject.runs && (subject.op == FaultOp::kWrite || subject.op == FaultOp::kZero)) Heal(subject);
  return verdict;
}

bool FaultRun::Act(size_t i, const FaultSubject& subject, uint64_t key, uint64_t now, FaultEvent* event,
                   FaultVerdict* verdict) {
  const FaultRule& rule = plan_.rules[i];
  FaultEffect effect;
  effect.begin = subject.position;
  effect.end = subject.position + subject.size;
  effect.kind = rule.kind;
  effect.key = key;
  switch (rule.kind) {
    case FaultKind::kErrno: {
      const Status status{static_cast<int>(rule.a), OpOf(subject.op), Why::kInjected};
      if (subject.op != FaultOp::kFlush) return verdict->stop = status, true;
      effect.status = status;
      effect.keep = rule.b != 0;
      break;
    }
    case FaultKind::kGenerator: return verdict->stop = {EIO, Op::kStrategy, Why::kInjected}, true;
    case FaultKind::kDelay:
    case FaultKind::kHang:
    case FaultKind::kStall: return ActInTime(rule, key, now, event, verdict);
    case FaultKind::kEnter:
      if (state_ == rule.a) return false;
      return state_ = static_cast<uint32_t>(rule.a), true;
    case FaultKind::kShort: effect.a = subject.position + rule.a; break;
    case FaultKind::kTear:
      if (!Tear(rule, key, event, &effect)) return false;
      break;
    case FaultKind::kCorrupt:
      if (!Corrupt(i, subject, event, &effect)) return false;
      break;
    case FaultKind::kDrop:
    case FaultKind::kIgnoreFlush: break;
    case FaultKind::kBudget: {
      uint64_t& left = rules_[i].budget;
      const uint64_t fits = std::min(left, subject.size);
      left -= fits;
      if (fits == subject.size) return false;
      event->a = fits;
      effect.a = subject.position + fits;
      effect.status = {ENOSPC, OpOf(subject.op), Why::kInjected};
      break;
    }
    case FaultKind::kBadUntilWritten: {
      const SectorSpan sectors = SectorsOf(subject.begin + subject.position, subject.size);
      for (uint64_t sector = sectors.begin; sector < sectors.end; sector++) {
        bad_[{subject.disk, sector}] = static_cast<uint32_t>(i);
      }
      return verdict->stop = {EIO, Op::kStrategy, Why::kInjected}, true;
    }
  }
  verdict->effect = effect;
  return true;
}

bool FaultRun::ActInTime(const FaultRule& rule, uint64_t key, uint64_t now, FaultEvent* event, FaultVerdict* verdict) {
  if (rule.kind == FaultKind::kHang) return verdict->tag = rule.a, true;
  uint64_t delay = rule.a;
  if (rule.kind == FaultKind::kStall) {
    const uint64_t at = now % rule.a;
    if (at < rule.a - rule.b) return false;
    delay = rule.a - at;
  } else if (rule.d != 0) {
    const double unit = ToUnit(key);
    const double drawn = rule.d == 1 ? -std::log1p(-unit) * static_cast<double>(rule.a)
                                     : static_cast<double>(rule.b) + unit * static_cast<double>(rule.c - rule.b);
    delay = std::clamp(static_cast<uint64_t>(drawn), rule.b, rule.c);
  }
  verdict->delay += delay;
  event->a = delay;
  return true;
}

bool FaultRun::Tear(const FaultRule& rule, uint64_t key, FaultEvent* event, FaultEffect* effect) const {
  const SectorSpan sectors = SectorsOf(effect->begin, effect->end - effect->begin);
  const uint64_t count = sectors.end - sectors.begin;
  effect->a = rule.a;
  // From 1 to count - 1: something is there, and something is not.
  const uint64_t kept = rule.b != 0 ? std::min(rule.b - 1, count) : 1 + key % (count - 1);
  event->b = kept + 1;
  const bool suffix = static_cast<FaultTear>(rule.a) == FaultTear::kSuffix;
  effect->b = suffix ? sectors.end - kept : sectors.begin + kept;
  return true;
}

bool FaultRun::Corrupt(size_t i, const FaultSubject& subject, FaultEvent* event, FaultEffect* effect) const {
  const FaultRule& rule = plan_.rules[i];
  effect->a = rule.a;
  effect->b = rule.b;
  // By the place, not by the count: who reads it again reads the same damage.
  event->key = effect->key = rule.key ? *rule.key : Mix(plan_.seed, i);
  if (static_cast<FaultDamage>(rule.a) != FaultDamage::kMisdirect) return true;
  const SectorSpan sectors = SectorsOf(subject.position, subject.size);
  const uint64_t count = sectors.end - sectors.begin;
  const uint64_t end = subject.device_size / kDevBsize;
  if (end < 2 * count) return false;
  for (uint64_t trial = 0; trial < 16; trial++) {
    const bool named = rule.b != 0;
    const uint64_t at = named ? rule.b - 1 : Mix(Mix(effect->key, sectors.begin), trial) % (end - count + 1);
    const bool overlaps = at < sectors.end && sectors.begin < at + count;
    if (at <= end - count && !overlaps && !Meet(plan_.allow, {at, at + count})) {
      event->b = at + 1;
      effect->b = at * kDevBsize + subject.position % kDevBsize;
      return true;
    }
    if (named) return false;
  }
  return false;
}

std::optional<uint32_t> FaultRun::BadBy(const FaultSubject& subject) const {
  if (subject.op != FaultOp::kRead || bad_.empty() || subject.size == 0 || !subject.runs) return std::nullopt;
  const SectorSpan sectors = SectorsOf(subject.begin + subject.position, subject.size);
  const auto found = bad_.lower_bound({subject.disk, sectors.begin});
  if (found == bad_.end() || found->first.first != subject.disk || found->first.second >= sectors.end) {
    return std::nullopt;
  }
  return found->second;
}

void FaultRun::Heal(const FaultSubject& subject) {
  if (bad_.empty()) return;
  // Whole sectors: a part of one cannot be written without reading the rest.
  const uint64_t at = subject.begin + subject.position;
  const uint64_t first = (at + kDevBsize - 1) / kDevBsize, end = (at + subject.size) / kDevBsize;
  if (first >= end) return;
  bad_.erase(bad_.lower_bound({subject.disk, first}), bad_.lower_bound({subject.disk, end}));
}

std::vector<FaultEvent> FaultRun::Log(size_t from) const {
  MutexLock lock(mu_);
  return {log_.begin() + static_cast<ptrdiff_t>(std::min(from, log_.size())), log_.end()};
}

}  // namespace blk
