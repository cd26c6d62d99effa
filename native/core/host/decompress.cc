#include "core/host/decompress.h"

#include <dlfcn.h>

#include <cerrno>
#include <memory>

namespace blk {
namespace {

// z_stream of zlib.h, whose layout has been the same since version 1.0.
struct ZlibStream {
  const uint8_t* next_in = nullptr;
  unsigned avail_in = 0;
  unsigned long total_in = 0;
  uint8_t* next_out = nullptr;
  unsigned avail_out = 0;
  unsigned long total_out = 0;
  const char* message = nullptr;
  void* state = nullptr;
  void* allocate = nullptr;
  void* free = nullptr;
  void* opaque = nullptr;
  int data_type = 0;
  unsigned long adler = 0;
  unsigned long reserved = 0;
};
constexpr int kZlibMemory = -4;   // Z_MEM_ERROR
constexpr int kZlibFinish = 4;    // Z_FINISH
constexpr int kRawDeflate = -15;  // window bits; negative: without a header

// ZSTD_inBuffer and ZSTD_outBuffer of zstd.h.
struct ZstdIn {
  const void* from;
  size_t size;
  size_t at;
};
struct ZstdOut {
  void* to;
  size_t size;
  size_t at;
};
constexpr int kZstdWindowLogMax = 100;  // ZSTD_d_windowLogMax
constexpr int kWindowLog = 23;          // more than any cluster has

template <typename Function>
bool Resolve(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

// Libraries stay loaded: they may be somebody else's in this process as well. One that the process has already, as
// Node.js has a zlib of its own, comes first: loaded beside it, the functions of the other would call those of this
// one.
struct Zlib {
  int (*init)(ZlibStream*, int, const char*, int) = nullptr;
  int (*inflate)(ZlibStream*, int) = nullptr;
  int (*end)(ZlibStream*) = nullptr;
  bool there = false;

  Zlib() {
    there = ResolveIn(RTLD_DEFAULT);
    if (there) return;
    void* const library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    there = library != nullptr && ResolveIn(library);
  }
  bool ResolveIn(void* library) {
    return Resolve(library, "inflateInit2_", init) && Resolve(library, "inflate", inflate) &&
           Resolve(library, "inflateEnd", end);
  }
};

struct Zstd {
  void* (*create)() = nullptr;
  size_t (*free)(void*) = nullptr;
  size_t (*set)(void*, int, int) = nullptr;
  size_t (*decompress)(void*, ZstdOut*, ZstdIn*) = nullptr;
  unsigned (*is_error)(size_t) = nullptr;
  bool there = false;

  Zstd() {
    there = ResolveIn(RTLD_DEFAULT);
    if (there) return;
    void* const library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    there = library != nullptr && ResolveIn(library);
  }
  bool ResolveIn(void* library) {
    return Resolve(library, "ZSTD_createDStream", create) && Resolve(library, "ZSTD_freeDStream", free) &&
           Resolve(library, "ZSTD_DCtx_setParameter", set) && Resolve(library, "ZSTD_decompressStream", decompress) &&
           Resolve(library, "ZSTD_isError", is_error);
  }
};

}  // namespace

int Inflate(const uint8_t* from, size_t from_size, uint8_t* to, size_t size) {
  static const Zlib zlib;
  if (!zlib.there) return ENOSYS;
  ZlibStream stream;
  stream.next_in = from;
  stream.avail_in = static_cast<unsigned>(from_size);
  stream.next_out = to;
  stream.avail_out = static_cast<unsigned>(size);
  const int rc = zlib.init(&stream, kRawDeflate, "1.2.11", static_cast<int>(sizeof stream));
  if (rc != 0) return rc == kZlibMemory ? ENOMEM : ENOSYS;
  // Whatever it says of the end of the stream: bytes may follow, and the output is what counts.
  const int done = zlib.inflate(&stream, kZlibFinish);
  zlib.end(&stream);
  if (done == kZlibMemory) return ENOMEM;
  return stream.avail_out == 0 ? 0 : EIO;
}

// NOLINTNEXTLINE(readability-non-const-parameter): the library writes there, by way of ZstdOut
int Unzstd(const uint8_t* from, size_t from_size, uint8_t* to, size_t size) {
  static const Zstd zstd;
  if (!zstd.there) return ENOSYS;
  const std::unique_ptr<void, size_t (*)(void*)> stream(zstd.create(), zstd.free);
  if (!stream) return ENOMEM;
  if (zstd.is_error(zstd.set(stream.get(), kZstdWindowLogMax, kWindowLog)) != 0) return EIO;
  ZstdIn in = {from, from_size, 0};
  ZstdOut out = {to, size, 0};
  while (out.at < out.size) {
    const size_t in_before = in.at, out_before = out.at;
    if (zstd.is_error(zstd.decompress(stream.get(), &out, &in)) != 0) return EIO;
    if (in.at == in_before && out.at == out_before) return EIO;
  }
  return 0;
}

}  // namespace blk
