// Qcow2Tables: where the bytes of a qcow2 image lie: its L1 table, and a cache of pieces of its L2 tables. Every number
// that comes from the file is checked before it is used.
// Thread-safe. Lock order: mu_ is held while a piece of a table is read or written, and never while data is moved.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_TABLES_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_TABLES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/image/qcow2_header.h"
#include "core/medium/channel.h"

namespace blk {

// What an L1 or L2 entry has beside an offset.
inline constexpr uint64_t kQcow2Copied = uint64_t{1} << 63;
inline constexpr uint64_t kQcow2Compressed = uint64_t{1} << 62;
inline constexpr uint64_t kQcow2Zero = 1;
inline constexpr uint64_t kQcow2Offset = 0x00fffffffffffe00;

// kBacking: nothing here, what lies below decides. kData: at `host`. kCompressed: one cluster, in `packed` bytes.
enum class RunKind : uint8_t { kBacking, kZero, kData, kCompressed };

// A stretch of the disk whose bytes are of one kind, and of data contiguous in the file.
struct Qcow2Run {
  RunKind kind = RunKind::kBacking;
  uint64_t size = 0;      // bytes of the disk
  uint64_t host = 0;      // of its first byte in the file; of a compressed cluster where that begins
  uint64_t packed = 0;    // bytes of a compressed cluster in the file, at most
  uint64_t cluster = 0;   // the host cluster of its first byte, 0: none
  bool exclusive = true;  // of data: its reference count is one, so that it may be written in place
};

// An entry of an L2 table.
struct Qcow2Entry {
  uint64_t word = 0;
  uint64_t bitmap = 0;  // with extended entries: allocated, then zero, a bit each for 32 subclusters
};

class Qcow2Tables {
 public:
  // Reads the L1 table. Errors: the medium's · ENOMEM.
  static Result<std::unique_ptr<Qcow2Tables>> Create(Medium& file, const Qcow2Header& header, uint64_t file_size);

  // What the disk has from `at` on, no more than `want` bytes of it, one kind.   Errors: EIO damaged tables, with a
  // Why · those of `file`.   Thread: any; it may wait for `file`.   REQUIRES: at + want <= size of the disk, want > 0.
  Result<Qcow2Run> Map(Channel& file, uint64_t at, uint64_t want) EXCLUDES(mu_);
  // The same from what is in memory: nothing where that is not enough. Waits for no disk, but for a thread that has
  // the tables.
  std::optional<Result<Qcow2Run>> MapCached(uint64_t at, uint64_t want) EXCLUDES(mu_);

  // The entry of the cluster that `at` lies in; one of zeros where it has no table. Errors: as of Map().
  Result<Qcow2Entry> Entry(Channel& file, uint64_t at) EXCLUDES(mu_);
  // The table that has the entry of the cluster that `at` lies in. Errors: EIO damaged, with a Why.
  struct Table {
    uint64_t offset = 0;    // 0: there is none
    bool exclusive = true;  // its reference count is one
  };
  Result<Table> TableFor(uint64_t at) EXCLUDES(mu_);
  // Gives [at, at + l2_span()) of the disk, `at` a multiple of it, the table at `table` of the file, which is all
  // zeros. Errors: those of `file`.
  Status SetTable(Channel& file, uint64_t at, uint64_t table) EXCLUDES(mu_);
  // Puts `entries` for the clusters from `at` on. They are written to the file, then they hold.
  // Errors: those of `file`; what the file has then is not known.   REQUIRES: all of them lie in one table, which is
  // there; one thread writes at a time.
  Status SetEntries(Channel& file, uint64_t at, const std::vector<Qcow2Entry>& entries) EXCLUDES(mu_);

  // Adds the number of the cluster in the file that each reference of the disk goes to, tables included: one that is
  // referred to twice twice. Errors: EIO damaged, with a Why · those of `file`.
  Status References(Channel& file, std::vector<uint64_t>& clusters) EXCLUDES(mu_);
  // Refers to nothing any more: all of the disk is what lies below. Errors: those of `file`; what the file has then is
  // not known.   REQUIRES: nobody reads or writes meanwhile.
  Status Clear(Channel& file) EXCLUDES(mu_);
  // Adds the clusters of the L1 table and of the L2 tables.
  void AddClusters(std::vector<uint64_t>& clusters) const EXCLUDES(mu_);

  // Forgets what it knows and reads the L1 table again, for who has locked the image just now. Errors: the medium's.
  Status Reload(Medium& file, uint64_t file_size) EXCLUDES(mu_);

  // Whether the file reaches to `host`.
  bool InFile(uint64_t host) const { return host < file_size_.load(std::memory_order_relaxed); }
  // The file is at least so long now.
  void NoteFileSize(uint64_t size);

 private:
  // A piece of an L2 table: up to 4 KiB of it.
  struct Piece {
    uint64_t number = 0;  // of the disk: pieces have as many entries each
    std::vector<uint64_t> words;
    std::atomic<bool> used{false};  // since the hand of the clock went by
  };

  explicit Qcow2Tables(const Qcow2Header& header);

  // Numbers of the pieces that `at` lies in.
  uint64_t PieceAt(uint64_t at) const { return (at >> header_.cluster_bits) / piece_entries_; }
  // Where the L2 table for `at` lies; 0: nowhere. Errors: EIO.
  Result<uint64_t> TableAt(uint64_t at) const REQUIRES_SHARED(mu_);
  // A piece that is in memory, or null.
  Piece* Find(uint64_t number) const REQUIRES_SHARED(mu_);
  // Puts the piece that `at` lies in, of the table at `table`, into memory. Errors: those of `file`.
  Result<Piece*> Load(Channel& file, uint64_t at, uint64_t table) REQUIRES(mu_);
  Result<Piece*> Loaded(Channel& file, uint64_t at, uint64_t table) REQUIRES(mu_);
  Piece* FreePiece() REQUIRES(mu_);
  // From what is in memory; nothing when that is not enough.
  std::optional<Result<Qcow2Run>> Look(uint64_t at, uint64_t want) const REQUIRES_SHARED(mu_);
  Result<Qcow2Run> Describe(const Piece& piece, uint64_t at, uint64_t want) const;
  // The unit that `at` lies in, alone. Errors: EIO.
  Result<Qcow2Run> Unit(const Qcow2Entry& entry, uint64_t at) const;
  Result<Qcow2Run> CompressedUnit(uint64_t word, uint64_t at) const;
  // Adds what one entry refers to. Errors: EIO.
  Status AddReferences(uint64_t word, std::vector<uint64_t>& clusters) const;

  const Qcow2Header header_;
  const uint64_t piece_entries_;
  std::atomic<uint64_t> file_size_;

  mutable SharedMutex mu_;
  std::vector<uint64_t> l1_ GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Piece>> pieces_ GUARDED_BY(mu_);
  std::unordered_map<uint64_t, Piece*> by_number_ GUARDED_BY(mu_);
  size_t hand_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_TABLES_H_
