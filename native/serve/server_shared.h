// ServerShared: what the connections of a server have in common. Fixed, but for the tally, which is thread-safe.
#ifndef RUMPBLK_SERVE_SERVER_SHARED_H_
#define RUMPBLK_SERVE_SERVER_SHARED_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "serve/export.h"
#include "serve/export_facts.h"
#include "serve/tally.h"

namespace blk::serve {

// Outlives them.
struct ServerShared {
  std::vector<std::unique_ptr<Export>> exports;
  std::vector<ExportFacts> facts;  // of each of them
  std::optional<size_t> nameless;
  std::chrono::milliseconds handshake{0};  // what a client may take to choose an export
  Tally tally;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_SERVER_SHARED_H_
