#include "addon/layout.h"

#include <initializer_list>
#include <iterator>
#include <utility>

#include "core/base/byte_order.h"
#include "core/base/counters.h"
#include "core/device/options.h"
#include "core/image/image.h"
#include "core/label/partition_table.h"
#include "core/medium/extent.h"
#include "core/medium/medium.h"
#include "core/nbd/client.h"
#include "core/request/batch.h"
#include "core/request/durability.h"
#include "core/request/operation.h"

namespace blk_addon {
namespace {

// An object with the number of each name. In the order of the list, which lib shows in messages.
template <typename Enum>
Napi::Object ByName(Napi::Env env, std::initializer_list<std::pair<const char*, Enum>> names) {
  Napi::Object numbers = Napi::Object::New(env);
  for (const auto& [name, value] : names) numbers.Set(name, static_cast<double>(value));
  return numbers;
}

// An array with the name of each number.
template <typename Enum>
Napi::Array ByNumber(Napi::Env env, std::initializer_list<std::pair<const char*, Enum>> names) {
  Napi::Array array = Napi::Array::New(env);
  for (const auto& [name, value] : names) array.Set(static_cast<uint32_t>(value), name);
  return array;
}

// The public names of the counters.
constexpr std::pair<blk::Counter, const char*> kCounters[] = {
    {blk::Counter::kIoTotal, "ioTotal"},
    {blk::Counter::kIoAsync, "ioAsync"},
    {blk::Counter::kBytesRead, "bytesRead"},
    {blk::Counter::kBytesWritten, "bytesWritten"},
    {blk::Counter::kBytesWrittenAsync, "bytesWrittenAsync"},
    {blk::Counter::kWindowHits, "windowHits"},
    {blk::Counter::kWindowBusy, "windowBusy"},
    {blk::Counter::kWindowMisses, "windowMisses"},
    {blk::Counter::kFaultsInjected, "faultsInjected"},
    {blk::Counter::kFlushes, "flushes"},
    {blk::Counter::kDiscards, "discards"},
    {blk::Counter::kBytesDiscarded, "bytesDiscarded"},
    {blk::Counter::kDiscardsIgnored, "discardsIgnored"},
    {blk::Counter::kZeroes, "zeroes"},
    {blk::Counter::kBytesZeroed, "bytesZeroed"},
    {blk::Counter::kExtentsListed, "extentsListed"},
};
static_assert(std::size(kCounters) == blk::kCounterCount, "a counter has no name");

Napi::Array CounterNames(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  for (const auto& [counter, name] : kCounters) names.Set(static_cast<uint32_t>(counter), name);
  return names;
}

}  // namespace

Napi::Object MakeLayout(Napi::Env env) {
  using blk::Access, blk::ByteOrder, blk::CacheMode, blk::Fua, blk::ImageFormat, blk::MediumKind, blk::OpenMode,
      blk::Operation, blk::Scheme, blk::Why;
  Napi::Object layout = Napi::Object::New(env);
  layout.Set("mode", ByName<OpenMode>(env, {{"r", OpenMode::kRead}, {"r+", OpenMode::kReadWrite}}));
  layout.Set("access", ByName<Access>(env, {{"auto", Access::kAuto}, {"mmap", Access::kMmap}, {"pio", Access::kPio}}));
  layout.Set("engine", ByName<blk::Engine>(env, {{"auto", blk::Engine::kAuto},
                                                 {"threads", blk::Engine::kThreads},
                                                 {"io_uring", blk::Engine::kRing}}));
  layout.Set("cache", ByName<CacheMode>(env, {{"writethrough", CacheMode::kWritethrough},
                                              {"writeback", CacheMode::kWriteback},
                                              {"unsafe", CacheMode::kUnsafe}}));
  layout.Set("fua", ByName<Fua>(env, {{"byCacheMode", Fua::kByCacheMode}, {"off", Fua::kOff}, {"on", Fua::kOn}}));
  layout.Set("order", ByName<ByteOrder>(env, {{"little", ByteOrder::kLittle}, {"big", ByteOrder::kBig}}));
  layout.Set("op", ByName<Operation>(env, {{"read", Operation::kRead},
                                           {"write", Operation::kWrite},
                                           {"discard", Operation::kDiscard},
                                           {"zero", Operation::kZero}}));
  using blk::ExtentLayer, blk::ExtentType;
  layout.Set("extentLayer", ByName<ExtentLayer>(env, {{"all", ExtentLayer::kAll}, {"top", ExtentLayer::kTop}}));
  layout.Set("extentTypes", ByNumber<ExtentType>(env, {{"data", ExtentType::kData},
                                                       {"zero", ExtentType::kZero},
                                                       {"hole", ExtentType::kHole},
                                                       {"unallocated", ExtentType::kUnallocated}}));
  layout.Set("mediumKinds", ByNumber<MediumKind>(env, {{"file", MediumKind::kFile},
                                                       {"block", MediumKind::kBlock},
                                                       {"character", MediumKind::kCharacter},
                                                       {"memory", MediumKind::kMemory},
                                                       {"null", MediumKind::kNull},
                                                       {"overlay", MediumKind::kOverlay},
                                                       {"nbd", MediumKind::kNbd}}));
  layout.Set("format", ByName<ImageFormat>(env, {{"raw", ImageFormat::kRaw},
                                                 {"qcow2", ImageFormat::kQcow2},
                                                 {"vhd", ImageFormat::kVhd},
                                                 {"auto", ImageFormat::kAuto}}));
  layout.Set("schemes", ByNumber<Scheme>(env, {{"bsd", Scheme::kBsd},
                                               {"mbr", Scheme::kMbr},
                                               {"ebr", Scheme::kEbr},
                                               {"gpt", Scheme::kGpt},
                                               {"apm", Scheme::kApm},
                                               {"sun", Scheme::kSun},
                                               {"unknown", Scheme::kUnknown}}));
  layout.Set("why", ByName<Why>(env, {{"otherBase", Why::kOverlayOtherBase},
                                      {"uncertain", Why::kNbdUncertain},
                                      {"injected", Why::kInjected}}));
  using blk::nbd::ClientState;
  layout.Set("nbdStates", ByNumber<ClientState>(env, {{"connected", ClientState::kConnected},
                                                      {"lost", ClientState::kLost},
                                                      {"reconnecting", ClientState::kReconnecting},
                                                      {"closed", ClientState::kEnded}}));
  layout.Set("counters", CounterNames(env));
  return layout;
}

}  // namespace blk_addon
