// bare_call: the least that a sync read from Node can cost. An addon for the bench alone: no validation, no bounds, no
// guard, no counters; a call with four arguments that copies out of a map of the whole file. JavaScript thread only.
#include <fcntl.h>
#include <node_api.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "core/host/copy.h"

namespace {

struct Map {
  const uint8_t* data = nullptr;
};

// copy(view, offset, length, position) -> length. The map is the callback's data.
napi_value Copy(napi_env env, napi_callback_info info) {
  size_t argc = 4;
  napi_value argv[4];
  void* map = nullptr;
  napi_get_cb_info(env, info, &argc, argv, nullptr, &map);
  void* data = nullptr;
  size_t size = 0;
  napi_get_buffer_info(env, argv[0], &data, &size);
  double offset = 0, length = 0, position = 0;
  napi_get_value_double(env, argv[1], &offset);
  napi_get_value_double(env, argv[2], &length);
  napi_get_value_double(env, argv[3], &position);
  blk::CopyBytes(static_cast<uint8_t*>(data) + static_cast<size_t>(offset),
                 static_cast<Map*>(map)->data + static_cast<size_t>(position), static_cast<size_t>(length));
  napi_value result = nullptr;
  napi_create_double(env, length, &result);
  return result;
}

// nothing(): an empty call.
napi_value Nothing(napi_env, napi_callback_info) { return nullptr; }

// skew(view) -> how many bytes into a page its memory begins.
napi_value Skew(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  void* data = nullptr;
  size_t size = 0;
  napi_get_buffer_info(env, argv[0], &data, &size);
  napi_value result = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(reinterpret_cast<uintptr_t>(data) & 4095), &result);
  return result;
}

// open(path) -> copy, bound to a map of the file. Undefined when the file cannot be mapped.
napi_value Open(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  char path[4096];
  size_t length = 0;
  napi_get_value_string_utf8(env, argv[0], path, sizeof path, &length);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat st = {};
  fstat(fd, &st);
  void* data = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (data == MAP_FAILED) return nullptr;
  // Both stay until the process ends, which is soon.
  napi_value function = nullptr;
  napi_create_function(env, "copy", NAPI_AUTO_LENGTH, Copy, new Map{static_cast<const uint8_t*>(data)}, &function);
  return function;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function = nullptr;
  napi_create_function(env, "open", NAPI_AUTO_LENGTH, Open, nullptr, &function);
  napi_set_named_property(env, exports, "open", function);
  napi_create_function(env, "skew", NAPI_AUTO_LENGTH, Skew, nullptr, &function);
  napi_set_named_property(env, exports, "skew", function);
  napi_create_function(env, "nothing", NAPI_AUTO_LENGTH, Nothing, nullptr, &function);
  napi_set_named_property(env, exports, "nothing", function);
  return exports;
}
