#include "addon/fault_calls.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "addon/bell.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/outcome.h"

namespace blk_addon {
namespace {

// The numbers of a plan, in the order of lib/faults/encode.ts: one after the other.
class Numbers {
 public:
  explicit Numbers(ViewBytes view) : view_(view) {}
  double Next() {
    double value = 0;
    // Copied out, since nothing says where the view begins. Behind its end all are 0.
    if (at_ + sizeof value <= view_.size) std::memcpy(&value, view_.data + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  // Infinity, and a negative one, are the largest.
  uint64_t Whole() {
    const double value = Next();
    return value >= 0 && value <= static_cast<double>(blk::kMaxSafeInteger) ? static_cast<uint64_t>(value) : UINT64_MAX;
  }
  std::vector<blk::SectorSpan> Spans() {
    std::vector<blk::SectorSpan> spans;
    for (uint64_t count = Whole(); count > 0 && at_ < view_.size; count--) {
      const uint64_t begin = Whole();
      spans.push_back({begin, Whole()});
    }
    return spans;
  }

 private:
  const ViewBytes view_;
  size_t at_ = 0;
};

blk::FaultRule RuleOf(Numbers& numbers) {
  blk::FaultRule rule;
  rule.ops = static_cast<uint32_t>(numbers.Whole());
  const double minor = numbers.Next();
  if (!std::isnan(minor)) rule.minor = static_cast<int>(minor);
  const double state = numbers.Next();
  if (state >= 0) rule.state = static_cast<uint32_t>(state);
  rule.probability = numbers.Next();
  rule.every = numbers.Whole();
  rule.after = numbers.Whole();
  rule.times = numbers.Whole();
  const uint64_t n = numbers.Whole();
  if (n != 0) rule.n = n;
  rule.kind = static_cast<blk::FaultKind>(numbers.Whole());
  rule.a = numbers.Whole();
  rule.b = numbers.Whole();
  rule.c = numbers.Whole();
  rule.d = numbers.Whole();
  const bool has_key = numbers.Whole() != 0;
  const uint64_t high = numbers.Whole(), low = numbers.Whole();
  if (has_key) rule.key = (high << 32) | low;
  rule.sectors = numbers.Spans();
  return rule;
}

blk::FaultPlan PlanOf(Numbers numbers) {
  blk::FaultPlan plan;
  plan.seed = numbers.Whole();
  plan.allow = numbers.Spans();
  for (uint64_t count = numbers.Whole(); count > 0; count--) plan.rules.push_back(RuleOf(numbers));
  return plan;
}

using Clock = std::shared_ptr<blk::HoldLine>;

Clock ClockAt(const Args& args, size_t i) {
  void* clock = nullptr;
  if (napi_get_value_external(args.env(), args.at(i), &clock) != napi_ok) return nullptr;
  return *static_cast<Clock*>(clock);
}

// (start) -> a clock
napi_value MakeClock(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return OrNoMemory(env, [&] {
    auto held = std::make_unique<Clock>(
        std::make_shared<blk::HoldLine>(blk::HoldLine::Clock::kVirtual, static_cast<uint64_t>(args.Int(0))));
    const auto drop = [](napi_env, void* data, void*) { delete static_cast<Clock*>(data); };
    napi_value made = nullptr;
    if (napi_create_external(env, held.get(), drop, nullptr, &made) == napi_ok) held.release();
    return made;
  });
}

// (clock) -> [now, when the next is due or -1, waiting, quiet]
napi_value ClockInfo(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const Clock clock = ClockAt(args, 0);
  if (!clock) return nullptr;
  const auto next = clock->NextDue();
  Napi::Array answer = Napi::Array::New(env, 4);
  answer.Set(uint32_t{0}, static_cast<double>(clock->now()));
  answer.Set(uint32_t{1}, next ? static_cast<double>(*next) : -1.0);
  answer.Set(uint32_t{2}, static_cast<double>(clock->waiting()));
  answer.Set(uint32_t{3}, clock->quiet());
  return answer;
}

// (clock, until) -> whether one was let go
napi_value AdvanceClock(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const Clock clock = ClockAt(args, 0);
  if (!clock) return nullptr;
  napi_value answer = nullptr;
  napi_get_boolean(env, clock->Advance(static_cast<uint64_t>(args.Int(1))), &answer);
  return answer;
}

}  // namespace

// (numbers, clock or undefined)
napi_value SetPlan(const Args& args, const std::shared_ptr<DriverState>& state) {
  Clock clock = ClockAt(args, 1);
  if (!clock) clock = std::make_shared<blk::HoldLine>(blk::HoldLine::Clock::kReal);
  auto run = std::make_shared<blk::FaultRun>(PlanOf(Numbers(args.View(0))), std::move(clock));
  return ToOutcome(args.env(), state->driver.SetPlan(std::move(run)));
}

// (from) -> rows of 11 numbers, as lib/faults/log.ts has them
napi_value FaultLog(const Args& args, const std::shared_ptr<DriverState>& state) {
  constexpr size_t kRow = 11;
  const auto run = state->driver.last_plan();
  std::vector<blk::FaultEvent> log;
  if (run) log = run->Log(static_cast<size_t>(args.Int(0)));
  Napi::Float64Array rows = Napi::Float64Array::New(args.env(), log.size() * kRow);
  if (rows.IsEmpty()) return nullptr;  // the thread is being terminated
  double* to = rows.Data();
  for (const blk::FaultEvent& event : log) {
    const double row[kRow] = {static_cast<double>(event.n),
                              static_cast<double>(event.rule),
                              static_cast<double>(event.op),
                              static_cast<double>(event.minor),
                              static_cast<double>(event.blkno),
                              static_cast<double>(event.bcount),
                              static_cast<double>(event.kind),
                              static_cast<double>(event.a),
                              static_cast<double>(event.b),
                              static_cast<double>(event.key >> 32),
                              static_cast<double>(event.key & 0xffffffffu)};
    to = std::copy(row, row + kRow, to);
  }
  return rows;
}

// (tag) -> requests that were let go
napi_value ReleaseFaults(const Args& args, const std::shared_ptr<DriverState>& state) {
  const auto run = state->driver.plan();
  return ToNumber(args.env(), run ? static_cast<double>(run->Release(static_cast<uint64_t>(args.Int(0)))) : 0);
}

// () -> a promise that comes when something is logged from here on.   REQUIRES: the one before has come.
napi_value AwaitFault(const Args& args, const std::shared_ptr<DriverState>& state) {
  if (!state->fault_bell) {
    state->fault_bell = std::make_shared<Bell>(EnvState::Of(args.env()).completion);
    state->driver.SetFaultBell([bell = state->fault_bell] { bell->Ring(); });
  }
  return state->fault_bell->Wait(args.env());
}

void DefineFaultFunctions(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "makeClock", MakeClock);
  DefineFunction(env, exports, "clockInfo", ClockInfo);
  DefineFunction(env, exports, "advanceClock", AdvanceClock);
}

}  // namespace blk_addon
