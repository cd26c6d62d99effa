// MediumOwner: what the external of a medium holds, as JavaScript keeps it. JavaScript thread only, but for what `make`
// and the others point at.
#ifndef RUMPBLK_ADDON_MEDIUM_OWNER_H_
#define RUMPBLK_ADDON_MEDIUM_OWNER_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "addon/args.h"
#include "addon/napi_setup.h"
#include "core/medium/late_medium.h"
#include "core/medium/medium.h"
#include "core/medium/overlay.h"
#include "core/nbd/nbd_medium.h"

namespace blk_addon {

// Makes media of one identity, any number of them; of a server it waits for that, and may fail. Keeps what they share,
// so its last copy may be what frees a disk in memory. Any thread.
using MediumMaker = std::function<blk::Result<std::unique_ptr<blk::Medium>>()>;

// What such a maker returns.
inline blk::Result<std::unique_ptr<blk::Medium>> NewMedium(std::unique_ptr<blk::Medium> medium) { return medium; }

struct MediumOwner {
  MediumMaker make;
  int64_t weight = 0;                       // bytes
  std::shared_ptr<blk::LateAnswers> late;   // of a late one
  std::shared_ptr<blk::Overlay> overlay;    // of an overlay
  std::shared_ptr<blk::nbd::NbdStore> nbd;  // of an export of a server
  bool uses_overlay = false;                // it is a user of it, until a device is open on it
};

// What the garbage collector is told that a disk in memory weighs: no more than 64 MiB, since nobody knows how much of
// it will be written, and enough for it to look for disks that are gone before many of them fill the memory.
inline int64_t WeightOf(uint64_t size) { return static_cast<int64_t>(std::min(size, uint64_t{64} << 20)); }

// The same of an overlay, which gives its memory back when its device is closed: a weight that is noticed when many are
// forgotten, and not one that brings a collection with each that is made.
inline constexpr int64_t kOverlayWeight = int64_t{1} << 20;

// Null for what is no medium of this addon.
inline MediumOwner* MediumOwnerAt(const Args& args, size_t i) {
  void* owner = nullptr;
  if (napi_get_value_external(args.env(), args.at(i), &owner) != napi_ok) return nullptr;
  return static_cast<MediumOwner*>(owner);
}

inline void Weigh(napi_env env, int64_t change) {
  int64_t weight = 0;
  napi_adjust_external_memory(env, change, &weight);
}

// An overlay belongs to the devices that are open on it from here on: the last one to close lets go of the base, on the
// thread that closes it, and hears how that went.
inline void HandOverOverlay(MediumOwner& owner) {
  // With a device open on it this is not the last user; without one nobody is left to be told.
  if (std::exchange(owner.uses_overlay, false)) static_cast<void>(owner.overlay->Leave());
}

inline void ForgetOverlay(napi_env env, MediumOwner& owner) {
  if (owner.overlay == nullptr) return;
  HandOverOverlay(owner);
  owner.make = nullptr;
  owner.overlay = nullptr;
  Weigh(env, -std::exchange(owner.weight, 0));
}

// JavaScript thread, when the external was collected or its thread ends.
inline void FreeMediumOwner(napi_env env, void* data, void*) {
  const std::unique_ptr<MediumOwner> owner(static_cast<MediumOwner*>(data));
  ForgetOverlay(env, *owner);
  Weigh(env, -owner->weight);
}

inline napi_value ToMediumExternal(napi_env env, std::unique_ptr<MediumOwner> owner) {
  napi_value external = nullptr;
  const int64_t weight = owner->weight;
  if (napi_create_external(env, owner.get(), FreeMediumOwner, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(owner.release());  // the external's
  Weigh(env, weight);
  return external;
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_MEDIUM_OWNER_H_
