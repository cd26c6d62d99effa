// NBD as it stands on the wire: its numbers, and the fixed parts of its messages as structures with a codec each. What
// both sides of a connection share; neither's behaviour. Plain data, no state; everything is big-endian.
// Source: doc/proto.md of NetworkBlockDevice/nbd.
#ifndef RUMPBLK_CORE_NBD_WIRE_H_
#define RUMPBLK_CORE_NBD_WIRE_H_

#include <cstddef>
#include <cstdint>

#include "core/base/byte_order.h"

namespace blk::nbd {

// ---- handshake ----

inline constexpr uint64_t kGreetingMagic = 0x4e42444d41474943;  // "NBDMAGIC"
inline constexpr uint64_t kOptionMagic = 0x49484156454f5054;    // "IHAVEOPT"
inline constexpr uint64_t kOldstyleMagic = 0x0000420281861253;  // in the place of IHAVEOPT: a server of before 2011
inline constexpr uint64_t kOptionReplyMagic = 0x0003e889045565a9;
inline constexpr size_t kMaxString = 4096;         // bytes of a name or a description
inline constexpr size_t kExportNamePadding = 124;  // zeros behind the answer to EXPORT_NAME

// Flags of the greeting, and of the client's answer, which repeats them.
enum HandshakeFlag : uint16_t { kFixedNewstyle = 1 << 0, kNoZeroes = 1 << 1 };

enum class Option : uint32_t {
  kExportName = 1,
  kAbort = 2,
  kList = 3,
  kStartTls = 5,
  kInfo = 6,
  kGo = 7,
  kStructuredReply = 8,
  kListMetaContext = 9,
  kSetMetaContext = 10,
  kExtendedHeaders = 11,
};

inline constexpr uint32_t kOptionErrorBit = uint32_t{1} << 31;

enum class OptionReply : uint32_t {
  kAck = 1,
  kServer = 2,
  kInfo = 3,
  kMetaContext = 4,
  kErrUnsupported = kOptionErrorBit + 1,
  kErrPolicy = kOptionErrorBit + 2,
  kErrInvalid = kOptionErrorBit + 3,
  kErrPlatform = kOptionErrorBit + 4,
  kErrTlsRequired = kOptionErrorBit + 5,
  kErrUnknown = kOptionErrorBit + 6,
  kErrShutdown = kOptionErrorBit + 7,
  kErrBlockSizeRequired = kOptionErrorBit + 8,
  kErrTooBig = kOptionErrorBit + 9,
};
constexpr bool IsError(OptionReply reply) { return (static_cast<uint32_t>(reply) & kOptionErrorBit) != 0; }

enum class Info : uint16_t { kExport = 0, kName = 1, kDescription = 2, kBlockSize = 3 };

inline constexpr const char* kAllocationContext = "base:allocation";
// QEMU's contexts, of which there is one of each dirty bitmap: this and its name (docs/interop/nbd.rst of QEMU).
inline constexpr const char* kBitmapContext = "qemu:dirty-bitmap:";

// ---- transmission ----

enum TransmissionFlag : uint16_t {
  kHasFlags = 1 << 0,
  kReadOnly = 1 << 1,
  kSendFlush = 1 << 2,
  kSendFua = 1 << 3,
  kRotational = 1 << 4,
  kSendTrim = 1 << 5,
  kSendWriteZeroes = 1 << 6,
  kSendDf = 1 << 7,
  kCanMultiConn = 1 << 8,
  kSendResize = 1 << 9,
  kSendCache = 1 << 10,
  kSendFastZero = 1 << 11,
};

inline constexpr uint32_t kRequestMagic = 0x25609513;
inline constexpr uint32_t kSimpleReplyMagic = 0x67446698;
inline constexpr uint32_t kStructuredReplyMagic = 0x668e33ef;

enum class Command : uint16_t {
  kRead = 0,
  kWrite = 1,
  kDisconnect = 2,
  kFlush = 3,
  kTrim = 4,
  kCache = 5,
  kWriteZeroes = 6,
  kBlockStatus = 7,
};

enum CommandFlag : uint16_t {
  kFlagFua = 1 << 0,
  kFlagNoHole = 1 << 1,
  kFlagDf = 1 << 2,
  kFlagReqOne = 1 << 3,
  kFlagFastZero = 1 << 4,
};

inline constexpr uint16_t kChunkErrorBit = uint16_t{1} << 15;

enum class Chunk : uint16_t {
  kNone = 0,
  kOffsetData = 1,
  kOffsetHole = 2,
  kBlockStatus = 5,
  kError = kChunkErrorBit + 1,
  kErrorOffset = kChunkErrorBit + 2,
};
constexpr bool IsError(Chunk chunk) { return (static_cast<uint16_t>(chunk) & kChunkErrorBit) != 0; }

inline constexpr uint16_t kChunkDone = 1 << 0;

// Of an extent of base:allocation.
enum AllocationFlag : uint32_t { kStateHole = 1 << 0, kStateZero = 1 << 1 };
// Of an extent of a dirty bitmap.
inline constexpr uint32_t kStateDirty = 1 << 0;

// What an error is called on the wire, whatever errno the host has for it.
enum WireError : uint32_t {
  kWireOk = 0,
  kWirePermission = 1,
  kWireIo = 5,
  kWireNoMemory = 12,
  kWireInvalid = 22,
  kWireNoSpace = 28,
  kWireOverflow = 75,
  kWireNotSupported = 95,
  kWireShutdown = 108,
};

// ---- messages of a fixed size ----
// kSize is what it takes on the wire. Decode() and Encode() see kSize bytes; whether the magic is right is for the
// caller to look.

template <typename Message>
Message Decode(const uint8_t* from) {
  Message message;
  FieldLoader loader(from, ByteOrder::kBig);
  Message::Visit(message, loader);
  return message;
}

template <typename Message>
void Encode(const Message& message, uint8_t* to) {
  FieldStorer storer(to, ByteOrder::kBig);
  Message::Visit(message, storer);
}

// The server's first words.
struct Greeting {
  static constexpr size_t kSize = 18;
  uint64_t magic = kGreetingMagic;
  uint64_t option_magic = kOptionMagic;
  uint16_t flags = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.magic), visit(self.option_magic), visit(self.flags);
  }
};

// Of an option that a client sends; `length` bytes of data follow.
struct OptionHeader {
  static constexpr size_t kSize = 16;
  uint64_t magic = kOptionMagic;
  uint32_t option = 0;
  uint32_t length = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.magic), visit(self.option), visit(self.length);
  }
};

// Of a server's answer to an option; `length` bytes of data follow.
struct OptionReplyHeader {
  static constexpr size_t kSize = 20;
  uint64_t magic = kOptionReplyMagic;
  uint32_t option = 0;
  uint32_t type = 0;
  uint32_t length = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.magic), visit(self.option), visit(self.type), visit(self.length);
  }
};

// The payload of Info::kExport, behind its u16 of the kind; without one the start of the answer to EXPORT_NAME.
struct ExportInfo {
  static constexpr size_t kSize = 10;
  uint64_t size = 0;  // bytes
  uint16_t flags = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.size), visit(self.flags);
  }
};

// The payload of Info::kBlockSize, behind its u16 of the kind. Bytes.
struct BlockSizes {
  static constexpr size_t kSize = 12;
  uint32_t minimum = 1;
  uint32_t preferred = 4096;
  uint32_t maximum = uint32_t{32} << 20;  // of a payload

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.minimum), visit(self.preferred), visit(self.maximum);
  }
};

// Of a request; a write's `length` bytes follow.
struct RequestHeader {
  static constexpr size_t kSize = 28;
  uint32_t magic = kRequestMagic;
  uint16_t flags = 0;
  uint16_t type = 0;
  uint64_t cookie = 0;
  uint64_t offset = 0;  // bytes
  uint32_t length = 0;  // bytes

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.magic), visit(self.flags), visit(self.type), visit(self.cookie), visit(self.offset), visit(self.length);
  }
};

// The data of a read that succeeded follows.
struct SimpleReply {
  static constexpr size_t kSize = 16;
  uint32_t magic = kSimpleReplyMagic;
  uint32_t error = 0;
  uint64_t cookie = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.magic), visit(self.error), visit(self.cookie);
  }
};

// Of each chunk of a structured reply; `length` bytes follow.
struct ChunkHeader {
  static constexpr size_t kSize = 20;
  uint32_t magic = kStructuredReplyMagic;
  uint16_t flags = 0;
  uint16_t type = 0;
  uint64_t cookie = 0;
  uint32_t length = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.magic), visit(self.flags), visit(self.type), visit(self.cookie), visit(self.length);
  }
};

// The payload of Chunk::kOffsetHole; of kOffsetData the first field, then the data.
struct HoleChunk {
  static constexpr size_t kSize = 12;
  uint64_t offset = 0;  // bytes
  uint32_t length = 0;  // bytes

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.offset), visit(self.length);
  }
};

// One extent in the payload of Chunk::kBlockStatus, behind its u32 of the context.
struct StatusExtent {
  static constexpr size_t kSize = 8;
  uint32_t length = 0;  // bytes
  uint32_t flags = 0;   // AllocationFlag

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visit) {
    visit(self.length), visit(self.flags);
  }
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_WIRE_H_
