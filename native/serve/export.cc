#include "serve/export.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "serve/judge.h"

namespace blk::serve {
namespace {

// A power of two that clients may be told, from what a medium says is best.
uint32_t PreferredOf(const MediumFeatures& features) {
  const uint64_t most = uint64_t{1} << 25;
  return static_cast<uint32_t>(std::bit_ceil(std::clamp<uint64_t>(features.preferred, 4096, most)));
}

ExportFacts FactsOf(const ExportOptions& options) {
  const Device& device = *options.device;
  ExportFacts facts;
  facts.name = options.name;
  facts.description = options.description;
  facts.writable = options.writable;
  facts.sizes.minimum = device.raw() ? static_cast<uint32_t>(kDevBsize) : 1;
  facts.sizes.preferred = PreferredOf(device.features());
  facts.sizes.maximum = kMaxPayload;
  facts.size = device.minor().size() / facts.sizes.minimum * facts.sizes.minimum;
  for (const ExportBitmap& bitmap : options.bitmaps) facts.bitmaps.push_back(bitmap.name);
  return facts;
}

}  // namespace

Export::Export(ExportOptions options)
    : facts_(FactsOf(options)),
      device_(std::move(options.device)),
      queue_(*options.queue),
      lanes_(std::move(options.lanes)),
      bitmaps_(std::move(options.bitmaps)) {}

Status Export::Flush(Device::AdmittedFlush& flush, Lane lane) { return Flushed(flush, device_->RunFlush(flush, lane)); }

Status Export::Flushed(Device::AdmittedFlush& flush, Status status) {
  CompleteRequest(flush.request);
  if (status.why == Why::kNbdUnflushed) has_lost_.store(true, std::memory_order_relaxed);
  if (!status.ok() || !has_lost_.load(std::memory_order_relaxed)) return status;
  return {EIO, Op::kFlush, Why::kNbdUnflushed};
}

}  // namespace blk::serve
