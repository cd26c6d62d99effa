// CallerView: the part of a caller's view that a queued request reads into or writes from. It is looked up anew each
// time: since the call was made the view may have been detached, and its memory may be somebody else's.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_CALLER_VIEW_H_
#define RUMPBLK_ADDON_CALLER_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "addon/args.h"
#include "core/host/copy.h"

namespace blk_addon {

class CallerView {
 public:
  // Bytes of `view` from `offset` on; all positions below count from there.
  CallerView(napi_env env, napi_value view, size_t offset) : env_(env), view_(view), offset_(offset) {}
  ~CallerView() { Drop(); }
  CallerView(const CallerView&) = delete;
  CallerView& operator=(const CallerView&) = delete;

  // For use after the call that made this has returned: keeps the view, even if the caller keeps nothing but the
  // promise.
  void Keep() { napi_create_reference(env_, view_, 1, &kept_); }
  bool kept() const { return kept_ != nullptr; }
  void Drop() {
    if (kept_ != nullptr) napi_delete_reference(env_, std::exchange(kept_, nullptr));
  }

  // -> `size` bytes from `at` on, or null when the view no longer holds them. Valid until JavaScript runs again.
  // REQUIRES: kept.   Leaves a handle in the scope of whoever calls.
  uint8_t* Bytes(size_t at, size_t size) const {
    napi_value view = nullptr;
    napi_get_reference_value(env_, kept_, &view);
    const ViewBytes bytes = BytesOf(env_, view);
    const size_t begin = offset_ + at;
    const bool holds = bytes.data != nullptr && bytes.size >= begin && bytes.size - begin >= size;
    return holds ? bytes.data + begin : nullptr;
  }

  // Copies `size` bytes from `at` on to `data`, or the other way. -> false when the view no longer holds them.
  bool CopyTo(uint8_t* data, size_t at, size_t size) const {
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    const uint8_t* const from = Bytes(at, size);
    if (from != nullptr) blk::CopyBytes(data, from, size);
    napi_close_handle_scope(env_, scope);
    return from != nullptr;
  }
  bool CopyFrom(const uint8_t* data, size_t at, size_t size) const {
    uint8_t* const to = Bytes(at, size);
    if (to != nullptr) blk::CopyBytes(to, data, size);
    return to != nullptr;
  }

 private:
  const napi_env env_;
  const napi_value view_;  // valid in the call that made this
  const size_t offset_;
  napi_ref kept_ = nullptr;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_CALLER_VIEW_H_
