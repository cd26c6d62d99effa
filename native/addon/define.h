// What classes and exports are made of: raw Node-API callbacks, not those of node-addon-api, which cost some 25 ns more
// a call. JavaScript thread only.
#ifndef RUMPBLK_ADDON_DEFINE_H_
#define RUMPBLK_ADDON_DEFINE_H_

#include "addon/napi_setup.h"

namespace blk_addon {

// A method of a class, for DefineClass().
inline napi_property_descriptor Property(const char* name, napi_callback method) {
  return {name, nullptr, method, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

// Sets exports.name to a function. Fails only in a thread that is being terminated, which loads nothing any more.
inline void DefineFunction(napi_env env, napi_value exports, const char* name, napi_callback call) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_DEFINE_H_
