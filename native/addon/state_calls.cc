// States, and memos of what was read of them, as NativeLab of lib/native/binding.ts has them.
#include <cerrno>

#include "addon/define.h"
#include "addon/edge.h"
#include "addon/lab_held.h"
#include "addon/medium_owner.h"
#include "lab/memo.h"
#include "lab/state.h"

namespace blk_addon {
namespace {

using blk::lab::Memo;
using blk::lab::Model;
using blk::lab::State;
using HeldState = std::shared_ptr<State>;

const blk::Status kWrong{EINVAL, blk::Op::kTrack};

const HeldChoice& ChoiceAt(const Args& args, size_t i) { return HeldAt<HeldChoice>(args, i); }

napi_value StateOf(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return ToExternal(env, std::make_unique<HeldState>(std::make_shared<State>(ChoiceAt(args, 0))));
}

// (state, device, name) -> a medium, or a failure.
napi_value StateMediumOf(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const HeldState& state = HeldAt<HeldState>(args, 0);
  const auto device = static_cast<size_t>(args.Int(1));
  if (device >= state->choice().cut().model->recording().parts().size()) return ToFailure(env, kWrong);
  const auto which = static_cast<uint16_t>(device);
  auto store = std::make_shared<blk::lab::StateStore>(state, which, args.Bytes(2), state->SizeOf(which));
  auto owner = std::make_unique<MediumOwner>();
  owner->make = [store = std::move(store)] { return NewMedium(std::make_unique<blk::lab::StateMedium>(store)); };
  return ToMediumExternal(env, std::move(owner));
}

napi_value StateRelease(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  HeldAt<HeldState>(args, 0)->Release();
  return nullptr;
}

napi_value StateWritten(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return Napi::Boolean::New(env, HeldAt<HeldState>(args, 0)->written());
}

napi_value StateReads(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const HeldState& state = HeldAt<HeldState>(args, 0);
  const Model& model = *state->choice().cut().model;
  std::vector<double> rows;
  for (const State::Read& read : state->reads()) {
    const blk::lab::Atom& atom = model.atoms()[read.atom];
    rows.insert(rows.end(), {Num(atom.device), Num(atom.index), Num(read.content)});
  }
  return ToNumbers(env, rows);
}

napi_value NewMemo(napi_env env, napi_callback_info) { return ToExternal(env, std::make_unique<Memo>()); }

// (memo, choice) -> a verdict, or -1.
napi_value MemoFind(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto verdict = HeldAt<Memo>(args, 0).Find(*ChoiceAt(args, 1));
  return ToNumber(env, verdict ? static_cast<double>(*verdict) : -1);
}

// (memo, state, verdict) -> whether it fits what is there.
napi_value MemoAdd(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return Napi::Boolean::New(env, HeldAt<Memo>(args, 0).Add(*HeldAt<HeldState>(args, 1), args.Int(2)));
}

}  // namespace

void DefineStateCalls(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "stateOf", Edge<StateOf>);
  DefineFunction(env, exports, "stateMedium", Edge<StateMediumOf>);
  DefineFunction(env, exports, "stateRelease", Edge<StateRelease>);
  DefineFunction(env, exports, "stateWritten", Edge<StateWritten>);
  DefineFunction(env, exports, "stateReads", Edge<StateReads>);
  DefineFunction(env, exports, "memo", Edge<NewMemo>);
  DefineFunction(env, exports, "memoFind", Edge<MemoFind>);
  DefineFunction(env, exports, "memoAdd", Edge<MemoAdd>);
}

}  // namespace blk_addon
