// Why: what an errno cannot say of a failure: which rule of a format an image breaks, or what of it we do not do. The
// values cross the addon as numbers, and lib reads the words from WhyText() once.
#ifndef RUMPBLK_CORE_BASE_WHY_H_
#define RUMPBLK_CORE_BASE_WHY_H_

#include <cstdint>

namespace blk {

enum class Why : uint8_t {
  kNone,
  // What is no disk, and what is not in one.
  kNoDisk,
  kNoPositions,
  kNoSize,
  kRangeBegins,
  kRangeEnds,
  // Images of any format.
  kNoImageSize,
  kNotQcow2,
  kNotVhd,
  // qcow2: what the header says.
  kQcow2Version,
  kQcow2ClusterSize,
  kQcow2Header,
  kQcow2Extension,
  kQcow2Feature,
  kQcow2Encrypted,
  kQcow2DataFile,
  kQcow2Compression,
  kQcow2L1Table,
  kQcow2RefcountTable,
  kQcow2Snapshots,
  kQcow2Size,
  kQcow2Changed,
  // qcow2: what its tables say.
  kQcow2Entry,
  kQcow2PastEnd,
  kQcow2Compressed,
  kQcow2Refcount,
  kNoZlib,
  kNoZstd,
  // qcow2: backing files.
  kBackingName,
  kBackingExport,
  kBackingFormat,
  kBackingLoop,
  kBackingDepth,
  kBackingMissing,
  // qcow2: writing.
  kReadOnlyVersion,
  kReadOnlyDirty,
  kReadOnlyCorrupt,
  kReadOnlySnapshots,
  kImageFull,
  // Overlays in qcow2 images.
  kOverlayBase,
  kOverlayLoop,
  kOverlayOtherBase,
  kOverlaySize,
  kOverlaySnapshots,
  kOverlayWritesBase,
  kOverlayBehindBase,
  kOverlayBitmaps,
  // Bitmaps that are kept.
  kNoBitmaps,
  kBitmapOfAll,
  kBitmapUnknown,
  kBitmapOff,
  kBitmapGranularity,
  kBitmapSize,
  kBitmapCount,
  kBitmapRoom,
  kBitmapOver,
  // VHD.
  kVhdDynamic,
  kVhdFooter,
  kVhdChecksum,
  // NBD: how a connection begins.
  kNbdNoServer,
  kNbdOldstyle,
  kNbdHandshake,
  kNbdClosed,
  kNbdNoExport,
  kNbdTls,
  kNbdPolicy,
  kNbdShutdown,
  kNbdRefused,
  kNbdBlockSizes,
  kNbdSize,
  kNbdReadOnly,
  // NBD: how it ends, and what that means.
  kNbdReply,
  kNbdTimeout,
  kNbdLost,
  kNbdUncertain,
  kNbdUnflushed,
  kNbdChanged,
  kNbdError,
  // Clients of a server.
  kServeHandshake,
  kServeRequest,
  // Fault plans.
  kInjected,
  kCount  // number of reasons, not one of them
};

// A clause without a full stop. A switch without a default: a compiler warns of a reason that has no words yet.
constexpr const char* WhyText(Why why) {
  switch (why) {
    case Why::kNone: return "";
    case Why::kNoDisk: return "it is a folder, a pipe or a socket: a disk is a file, or a block or character node";
    case Why::kNoPositions: return "it has no positions to read at, as a disk has";
    case Why::kNoSize: return "it does not tell its size: give one as option 'size'";
    case Why::kRangeBegins: return "the range begins behind the end of the disk";
    case Why::kRangeEnds: return "the range ends behind the end of the disk";
    case Why::kNoImageSize: return "an image lies in a file or a medium that tells its size";
    case Why::kNotQcow2: return "not a qcow2 image";
    case Why::kNotVhd: return "not a VHD image: it has no valid footer";
    case Why::kQcow2Version: return "the qcow2 image has a version other than 2 and 3";
    case Why::kQcow2ClusterSize: return "the qcow2 image has clusters outside 512 bytes to 2 MiB";
    case Why::kQcow2Header: return "the header of the qcow2 image contradicts itself";
    case Why::kQcow2Extension: return "a header extension of the qcow2 image reaches out of the header";
    case Why::kQcow2Feature: return "the qcow2 image has an incompatible feature that is not known here";
    case Why::kQcow2Encrypted: return "the qcow2 image is encrypted";
    case Why::kQcow2DataFile: return "the qcow2 image keeps its data in an external file";
    case Why::kQcow2Compression: return "the qcow2 image has a compression that is not known here";
    case Why::kQcow2L1Table: return "the L1 table of the qcow2 image is too small, too large or in a wrong place";
    case Why::kQcow2RefcountTable: return "the refcount table of the qcow2 image is too large or in a wrong place";
    case Why::kQcow2Snapshots: return "the snapshot table of the qcow2 image is in a wrong place";
    case Why::kQcow2Size: return "the qcow2 image is larger than can be addressed";
    case Why::kQcow2Changed: return "the qcow2 image has changed its size since it was registered";
    case Why::kQcow2Entry: return "an entry of the tables of the qcow2 image is damaged";
    case Why::kQcow2PastEnd: return "the tables of the qcow2 image point past its end";
    case Why::kQcow2Compressed: return "a compressed cluster of the qcow2 image cannot be decompressed";
    case Why::kQcow2Refcount:
      return "the reference counts of the qcow2 image do not fit its tables, as after a snapshot that failed: qemu-img "
             "check -r all mends them";
    case Why::kNoZlib: return "the qcow2 image has clusters compressed by zlib, and libz.so.1 is not installed";
    case Why::kNoZstd: return "the qcow2 image has clusters compressed by zstd, and libzstd.so.1 is not installed";
    case Why::kBackingName: return "the backing file of the qcow2 image is no plain path";
    case Why::kBackingExport:
      return "the backing file of the qcow2 image is an export of an NBD server, which no image reaches by itself: "
             "openOverlay(nbd(url), { changes: image }) opens it";
    case Why::kBackingFormat: return "the backing file of the qcow2 image is in a format that is not known here";
    case Why::kBackingLoop: return "the qcow2 image is its own backing file";
    case Why::kBackingDepth: return "the qcow2 image has too long a chain of backing files";
    case Why::kBackingMissing: return "the backing file of the qcow2 image cannot be opened";
    case Why::kReadOnlyVersion:
      return "qcow2 images of version 2 are only read: qemu-img amend -o compat=1.1 makes it 3";
    case Why::kReadOnlyDirty:
      return "the qcow2 image was not closed and its reference counts may be wrong: qemu-img check -r all";
    case Why::kReadOnlyCorrupt: return "the qcow2 image is marked as corrupt, and is only read";
    case Why::kReadOnlySnapshots: return "qcow2 images with internal snapshots are only read";
    case Why::kImageFull: return "the image has no room to grow where it lies";
    case Why::kOverlayBase:
      return "a qcow2 overlay names its base by a path or a URL: that is all of a host file, of a node or of an export "
             "of an NBD server, or an image in one";
    case Why::kOverlayLoop: return "the overlay would lie over itself";
    case Why::kOverlayOtherBase: return "the overlay lies over another base";
    case Why::kOverlaySize: return "the overlay has another size";
    case Why::kOverlaySnapshots:
      return "an overlay in a qcow2 image has no snapshots: those of the format are only read here";
    case Why::kOverlayWritesBase: return "of the base of the overlay, which a commit writes to";
    case Why::kOverlayBehindBase: return "what was written lies behind the end of the base of the overlay";
    case Why::kOverlayBitmaps:
      return "an overlay keeps no bitmap with a name; track() without one, and diff(), tell what changes";
    case Why::kNoBitmaps:
      return "bitmaps with a name are kept in qcow2 images: open the image itself, with format 'qcow2'";
    case Why::kBitmapOfAll:
      return "a bitmap with a name is of all of the image: open the image itself, not a part of it";
    case Why::kBitmapUnknown: return "the bitmap of the qcow2 image has features that are not known here";
    case Why::kBitmapOff:
      return "the bitmap of the qcow2 image is switched off, and changes are missing in it: qemu-img bitmap --enable";
    case Why::kBitmapGranularity: return "the bitmap of the qcow2 image has another granularity";
    case Why::kBitmapSize: return "the bitmap would have no blocks, or too many of them: take a larger granularity";
    case Why::kBitmapCount: return "the qcow2 image has as many bitmaps as it may have";
    case Why::kBitmapRoom: return "the header of the qcow2 image has no room for bitmaps";
    case Why::kBitmapOver: return "the bitmap is kept no more: the image was closed, or the bitmap removed or disposed";
    case Why::kVhdDynamic: return "only fixed VHD images are read here: serve others by qemu-nbd, or convert them";
    case Why::kVhdChecksum: return "the footer of the VHD image is damaged: its checksum does not hold";
    case Why::kVhdFooter: return "the footer of the VHD image contradicts its size";
    case Why::kNbdNoServer: return "what answers is no NBD server";
    case Why::kNbdOldstyle: return "the NBD server speaks the oldstyle negotiation, which is not spoken here";
    case Why::kNbdHandshake: return "the NBD server breaks the protocol in its handshake";
    case Why::kNbdClosed: return "the NBD server closed the connection in the handshake";
    case Why::kNbdNoExport: return "the NBD server has no export of that name";
    case Why::kNbdTls: return "the NBD server wants TLS, which is not spoken here: put a front before it";
    case Why::kNbdPolicy: return "the NBD server refuses the export by its policy";
    case Why::kNbdShutdown: return "the NBD server is shutting down";
    case Why::kNbdRefused: return "the NBD server refuses the export";
    case Why::kNbdBlockSizes: return "the NBD server insists on block sizes that cannot be";
    case Why::kNbdSize: return "the export is larger than can be addressed";
    case Why::kNbdReadOnly: return "the NBD server offers the export to be read alone";
    case Why::kNbdReply: return "the NBD server breaks the protocol in a reply";
    case Why::kNbdTimeout: return "the NBD server has not answered for the time it is given";
    case Why::kNbdLost: return "the connection to the NBD server is lost";
    case Why::kNbdUncertain:
      return "the connection to the NBD server was lost, and nobody knows whether the server has done it";
    case Why::kNbdUnflushed:
      return "the connection to the NBD server was lost, and writes that were not flushed before may be missing";
    case Why::kNbdChanged: return "the export has another size, other flags or other block sizes than before";
    case Why::kNbdError: return "the NBD server answered with an error that has no name here";
    case Why::kServeHandshake: return "the client broke the rules of the handshake";
    case Why::kServeRequest: return "the client sent what is no request";
    case Why::kInjected: return "a rule of the fault plan has it fail";
    case Why::kCount: break;
  }
  return "";
}

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_WHY_H_
