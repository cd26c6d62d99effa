// Args: the positional arguments of one call, read as what lib/native/binding.ts says they are. lib has checked types
// and ranges; what does not fit all the same reads as zero or empty and reaches the bounds check as such. JavaScript
// thread only.
#ifndef RUMPBLK_ADDON_ARGS_H_
#define RUMPBLK_ADDON_ARGS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "addon/napi_setup.h"

namespace blk_addon {

// The bytes of an ArrayBufferView as they lie right now: valid until JavaScript runs again, which may detach, transfer
// or resize what is behind the view. Nobody keeps one over a call into JavaScript or past the return to it.
struct ViewBytes {
  uint8_t* data = nullptr;
  size_t size = 0;
};

// Where the bytes of `view` lie.
// Shape: empty for what is no view, and for one whose memory was taken away; data may also be null for an empty view.
inline ViewBytes BytesOf(napi_env env, napi_value view) {
  void* data = nullptr;
  size_t size = 0;
  if (napi_get_buffer_info(env, view, &data, &size) != napi_ok) return {};
  return {static_cast<uint8_t*>(data), size};
}

// Lives on the stack of one call into native code; the values are valid in that call's scope.
class Args {
 public:
  // Positional arguments of the longest call, openPath.
  static constexpr size_t kMax = 13;

  // Arguments up to `most` that were not given read as undefined, which the runtime sees to; those beyond are dropped,
  // and not to be read. A short call says how many it has: to fill in the others takes longer than to read its own.
  Args(napi_env env, napi_callback_info info, size_t most = kMax) : env_(env), given_(most) {
    napi_get_cb_info(env, info, &given_, values_, &self_, nullptr);
  }

  napi_env env() const { return env_; }
  napi_value self() const { return self_; }
  napi_value at(size_t i) const { return values_[i]; }
  // Whether there are more than `i` arguments.
  bool Has(size_t i) const { return i < given_; }

  // The native object behind `this`, or null for an object that has none. Which class made it is not looked at: lib
  // keeps native objects to itself and calls their methods on nothing else.
  template <typename T>
  T* Self() const {
    void* native = nullptr;
    return napi_unwrap(env_, self_, &native) == napi_ok ? static_cast<T*>(native) : nullptr;
  }
  // A number as it is; 0 and false for what is no number and no boolean. i < kMax, for all of these.
  double Number(size_t i) const {
    double value = 0;
    napi_get_value_double(env_, values_[i], &value);
    return value;
  }
  // Whole numbers up to 2^53 cross as doubles without loss. lib lets nothing else through: the cast of a NaN or of one
  // beyond 64 bits would be undefined.
  int64_t Int(size_t i) const { return static_cast<int64_t>(Number(i)); }
  bool Bool(size_t i) const {
    bool value = false;
    napi_get_value_bool(env_, values_[i], &value);
    return value;
  }
  ViewBytes View(size_t i) const { return BytesOf(env_, values_[i]); }
  // [offset, offset + length) of the view, cut to what the view holds: whatever the numbers are, nothing outside the
  // view is touched. All three are indices of arguments.
  ViewBytes Part(size_t view, size_t offset, size_t length) const;
  // A copy of the bytes of a view: a host path, which need not be UTF-8.
  std::string Bytes(size_t i) const {
    const ViewBytes view = View(i);
    return std::string(reinterpret_cast<const char*>(view.data), view.size);
  }
  // A string, as UTF-8; empty for what is none.
  std::string Text(size_t i) const;
  // Not set for undefined, as for everything else that is no number.
  std::optional<uint64_t> OptionalNumber(size_t i) const;

 private:
  napi_env env_;
  napi_value self_ = nullptr;
  size_t given_;             // to begin with how many there is room for
  napi_value values_[kMax];  // set by the constructor: zeros before that cost a tenth of a whole request
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_ARGS_H_
