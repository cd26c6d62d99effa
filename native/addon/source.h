// Source: what a device is made of, as JavaScript hands it over: the bytes of a host path, or a native medium, which
// memoryMedium() and its like have made. Exists so that whoever registers or opens need not know which of them it is.
#ifndef RUMPBLK_ADDON_SOURCE_H_
#define RUMPBLK_ADDON_SOURCE_H_

#include <memory>
#include <string>
#include <variant>

#include "addon/args.h"
#include "addon/medium_owner.h"
#include "addon/napi_setup.h"
#include "core/device/driver.h"
#include "core/image/image.h"

namespace blk_addon {

// Copied into the task that uses it, and used on any thread; made on the JavaScript thread.
class Source {
 public:
  // Argument `i`, with argument `format` the number of a blk::ImageFormat.
  static Source At(const Args& args, size_t i, size_t format);

  // A medium that is the caller's alone. Errors: those of blk::HostMedium::Create(), blk::nbd::NbdMedium::Create() and
  // blk::OpenImage().
  blk::Result<std::unique_ptr<blk::Medium>> MakeMedium() const;
  // Errors: those of blk::Driver::Register() and blk::OpenImage().
  blk::Result<int> Register(blk::Driver& driver, const blk::MediumRange& range) const;
  // Errors: those of blk::Driver::OpenPrivate() and blk::OpenImage().
  blk::Result<std::shared_ptr<blk::Device>> OpenPrivate(blk::Driver& driver, const blk::MediumRange& range,
                                                        const std::string& partition, const blk::OpenOptions& options,
                                                        int* holder) const;

 private:
  using From = std::variant<std::string, MediumMaker>;

  Source(From from, blk::ImageFormat format) : from_(std::move(from)), format_(format) {}

  From from_;
  blk::ImageFormat format_;
};

// Sets memoryMedium, nullMedium and, for tests, lateMedium and lateState of lib/native/binding.ts in exports.
void DefineMediumFunctions(Napi::Env env, Napi::Object exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_SOURCE_H_
