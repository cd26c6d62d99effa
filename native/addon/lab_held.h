// What the externals of the laboratory hold. JavaScript thread only; what they point at is used by any thread.
#ifndef RUMPBLK_ADDON_LAB_HELD_H_
#define RUMPBLK_ADDON_LAB_HELD_H_

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "addon/args.h"
#include "addon/napi_setup.h"
#include "addon/outcome.h"
#include "lab/cut.h"
#include "lab/model.h"
#include "lab/recording.h"

namespace blk_addon {

// A recording, or one with events left out, and the models that were made of it.
class HeldRecording {
 public:
  using Shared = std::shared_ptr<const blk::lab::Model>;

  explicit HeldRecording(std::shared_ptr<blk::lab::Recording> recording)
      : recording_(std::move(recording)), whole_(std::make_shared<Models>()), own_(whole_) {}
  // The same with one event more left out.
  HeldRecording(const HeldRecording& other, uint32_t ignored)
      : recording_(other.recording_), whole_(other.whole_), own_(std::make_shared<Models>()), ignored_(other.ignored_) {
    ignored_.push_back(ignored);
  }

  blk::lab::Recording& recording() const { return *recording_; }

  // As it is now; the same one again while nothing has come. `setting.ignored` is this object's.
  blk::Result<Shared> Model(blk::lab::Model::Setting setting = {}) {
    setting.ignored = ignored_;
    return ModelIn(*own_, std::move(setting));
  }
  // With nothing left out.
  blk::Result<Shared> Whole(blk::lab::Model::Setting setting) { return ModelIn(*whole_, std::move(setting)); }

  // By the numbers of MODEL, which cross from lib.
  static blk::lab::Model::Setting SettingOf(int64_t bits) {
    blk::lab::Model::Setting setting;
    setting.process = (bits & 1) != 0;
    setting.discards_any = (bits & 2) != 0;
    setting.collateral = (bits & 4) != 0;
    return setting;
  }

 private:
  using Models = std::array<std::optional<std::pair<uint64_t, Shared>>, 8>;

  blk::Result<Shared> ModelIn(Models& models, blk::lab::Model::Setting setting) {
    recording_->Compare();
    const uint64_t version = recording_->version();
    auto& made = models[(setting.process ? 1 : 0) + (setting.discards_any ? 2 : 0) + (setting.collateral ? 4 : 0)];
    if (made && made->first == version) return made->second;
    auto model = blk::lab::Model::Make(recording_, std::move(setting));
    if (!model.ok()) return model.status();
    made.emplace(version, model.Take());
    return made->second;
  }

  const std::shared_ptr<blk::lab::Recording> recording_;
  const std::shared_ptr<Models> whole_, own_;
  std::vector<uint32_t> ignored_;
};

// What the external of a choice holds.
using HeldChoice = std::shared_ptr<const blk::lab::Choice>;

// The object that an external of ToExternal() holds. lib hands over nothing else.
template <typename T>
T& HeldAt(const Args& args, size_t i) {
  void* held = nullptr;
  napi_get_value_external(args.env(), args.at(i), &held);
  return *static_cast<T*>(held);
}

template <typename T>
napi_value ToExternal(napi_env env, std::unique_ptr<T> held) {
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<T*>(data); };
  napi_value external = nullptr;
  if (napi_create_external(env, held.get(), drop, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(held.release());  // the external's
  return external;
}

// Numbers as a Float64Array.
inline napi_value ToNumbers(napi_env env, const std::vector<double>& numbers) {
  Napi::Float64Array array = Napi::Float64Array::New(env, numbers.size());
  if (array.IsEmpty()) return nullptr;  // the thread is being terminated
  std::copy(numbers.begin(), numbers.end(), array.Data());
  return array;
}

// The numbers of a Float64Array, in place.
struct Numbers {
  double* data = nullptr;
  size_t size = 0;
};
inline Numbers NumbersAt(const Args& args, size_t i) {
  const ViewBytes view = args.View(i);
  return {reinterpret_cast<double*>(view.data), view.size / sizeof(double)};
}

inline double Num(uint64_t n) { return static_cast<double>(n); }

// Sets the functions of NativeLab of lib/native/binding.ts in exports: those of recordings, of choices and of states.
void DefineLabCalls(napi_env env, napi_value exports);
void DefineChoiceCalls(napi_env env, napi_value exports);
void DefineStateCalls(napi_env env, napi_value exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_LAB_HELD_H_
