#include "addon/source.h"

#include <chrono>
#include <utility>

#include "addon/define.h"
#include "addon/edge.h"
#include "addon/medium_owner.h"
#include "addon/outcome.h"
#include "core/medium/host_medium.h"
#include "core/medium/late_medium.h"
#include "core/medium/memory_medium.h"
#include "core/medium/null_medium.h"

namespace blk_addon {
namespace {

// (size, sectorSize, name) -> an external, or a failure: those of blk::MemoryMedium::CreateStore().
napi_value MakeMemoryMedium(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto size = static_cast<uint64_t>(args.Int(0));
  auto store = blk::MemoryMedium::CreateStore(size, args.Bytes(2), static_cast<uint64_t>(args.Int(1)));
  if (!store.ok()) return ToFailure(env, store.status());
  auto owner = std::make_unique<MediumOwner>();
  owner->make = [store = store.Take()] { return NewMedium(std::make_unique<blk::MemoryMedium>(store)); };
  owner->weight = WeightOf(size);
  return ToMediumExternal(env, std::move(owner));
}

// (size, name) -> an external.
napi_value MakeNullMedium(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  auto store = std::make_shared<blk::VolatileStore>(static_cast<uint64_t>(args.Int(0)), args.Bytes(1), blk::kDevBsize);
  auto owner = std::make_unique<MediumOwner>();
  owner->make = [store = std::move(store)] { return NewMedium(std::make_unique<blk::NullMedium>(store)); };
  return ToMediumExternal(env, std::move(owner));
}

// (medium, most, seed, held) -> an external of a late medium over `medium`. Delays in microseconds.
napi_value MakeLateMedium(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto most = std::chrono::microseconds(args.Int(1));
  auto owner = std::make_unique<MediumOwner>();
  owner->late = std::make_shared<blk::LateAnswers>(most, static_cast<uint64_t>(args.Int(2)), args.Bool(3));
  owner->make = [under = MediumOwnerAt(args, 0)->make, late = owner->late] {
    auto medium = under();
    if (!medium.ok()) return medium;
    return NewMedium(std::make_unique<blk::LateMedium>(medium.Take(), late));
  };
  return ToMediumExternal(env, std::move(owner));
}

// (medium, held) -> transfers under way, and the most that ever were. `held` is optional.
napi_value LateState(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  blk::LateAnswers& late = *MediumOwnerAt(args, 0)->late;
  if (args.Has(1)) args.Bool(1) ? late.Hold() : late.Release();
  Napi::Array state = Napi::Array::New(env, 2);
  state.Set(0u, static_cast<double>(late.under_way()));
  state.Set(1u, static_cast<double>(late.peak()));
  return state;
}

}  // namespace

Source Source::At(const Args& args, size_t i, size_t format) {
  const MediumOwner* owner = MediumOwnerAt(args, i);
  return {owner == nullptr ? From(args.Bytes(i)) : From(owner->make), static_cast<blk::ImageFormat>(args.Int(format))};
}

blk::Result<std::unique_ptr<blk::Medium>> Source::MakeMedium() const {
  std::unique_ptr<blk::Medium> medium;
  if (const auto* path = std::get_if<std::string>(&from_)) {
    auto file = blk::HostMedium::Create(blk::PosixHostIo(), *path);
    if (!file.ok()) return file.status();
    medium = file.Take();
  } else {
    auto made = std::get<MediumMaker>(from_)();
    if (!made.ok()) return made.status();
    medium = made.Take();
  }
  return blk::OpenImage(blk::PosixHostIo(), std::move(medium), format_);
}

blk::Result<int> Source::Register(blk::Driver& driver, const blk::MediumRange& range) const {
  const auto* path = std::get_if<std::string>(&from_);
  if (path != nullptr && format_ == blk::ImageFormat::kRaw) return driver.Register(*path, range);
  auto medium = MakeMedium();
  if (!medium.ok()) return medium.status();
  return driver.Register(medium.Take(), range);
}

blk::Result<std::shared_ptr<blk::Device>> Source::OpenPrivate(blk::Driver& driver, const blk::MediumRange& range,
                                                              const std::string& partition,
                                                              const blk::OpenOptions& options, int* holder) const {
  const auto* path = std::get_if<std::string>(&from_);
  if (path != nullptr && format_ == blk::ImageFormat::kRaw) {
    return driver.OpenPrivate(*path, range, partition, options, holder);
  }
  auto medium = MakeMedium();
  if (!medium.ok()) return medium.status();
  return driver.OpenPrivate(medium.Take(), range, partition, options, holder);
}

void DefineMediumFunctions(Napi::Env env, Napi::Object exports) {
  DefineFunction(env, exports, "memoryMedium", Edge<MakeMemoryMedium>);
  DefineFunction(env, exports, "nullMedium", Edge<MakeNullMedium>);
  DefineFunction(env, exports, "lateMedium", Edge<MakeLateMedium>);
  DefineFunction(env, exports, "lateState", Edge<LateState>);
}

}  // namespace blk_addon
