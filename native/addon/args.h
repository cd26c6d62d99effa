// Args: the positional arguments of one call, read as what lib/binding.ts says they are. lib has checked types and
// ranges; what does not fit all the same reads as zero or empty and reaches the bounds check as such.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_ARGS_H_
#define RUMPBLK_ADDON_ARGS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "addon/napi_setup.h"

namespace blk_addon {

// The bytes of an ArrayBufferView as they lie right now: valid until JavaScript runs again.
struct ViewBytes {
  uint8_t* data = nullptr;
  size_t size = 0;
};

// Empty for what is no view, and for one whose memory was taken away.
inline ViewBytes BytesOf(napi_env env, napi_value view) {
  void* data = nullptr;
  size_t size = 0;
  if (napi_get_buffer_info(env, view, &data, &size) != napi_ok) return {};
  return {static_cast<uint8_t*>(data), size};
}

class Args {
 public:
  // Positional arguments of the longest call, openPath.
  static constexpr size_t kMax = 10;

  Args(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = kMax;
    napi_get_cb_info(env, info, &count, values_, &self_, nullptr);
  }

  napi_env env() const { return env_; }
  napi_value self() const { return self_; }
  napi_value at(size_t i) const { return values_[i]; }

  // The native object behind `this`, or null for a foreign one.
  template <typename T>
  T* Self() const {
    void* native = nullptr;
    return napi_unwrap(env_, self_, &native) == napi_ok ? static_cast<T*>(native) : nullptr;
  }
  // 0 and false for what is no number and no boolean.
  double Number(size_t i) const {
    double value = 0;
    napi_get_value_double(env_, values_[i], &value);
    return value;
  }
  int64_t Int(size_t i) const { return static_cast<int64_t>(Number(i)); }
  bool Bool(size_t i) const {
    bool value = false;
    napi_get_value_bool(env_, values_[i], &value);
    return value;
  }
  ViewBytes View(size_t i) const { return BytesOf(env_, values_[i]); }
  // [offset, offset + length) of the view, cut to what the view holds.
  ViewBytes Part(size_t view, size_t offset, size_t length) const;
  // A copy of the bytes of a view: a host path, which need not be UTF-8.
  std::string Bytes(size_t i) const {
    const ViewBytes view = View(i);
    return std::string(reinterpret_cast<const char*>(view.data), view.size);
  }
  // A string, as UTF-8.
  std::string Text(size_t i) const;
  // Not set for undefined.
  std::optional<uint64_t> OptionalNumber(size_t i) const;

 private:
  napi_env env_;
  napi_value self_ = nullptr;
  napi_value values_[kMax] = {};
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_ARGS_H_
