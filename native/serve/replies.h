// Replies: what is said of a request, simple or structured, as the client has chosen. No state of their own.
#ifndef RUMPBLK_SERVE_REPLIES_H_
#define RUMPBLK_SERVE_REPLIES_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/nbd/wire.h"
#include "serve/block_status.h"
#include "serve/export_facts.h"
#include "serve/reply_batch.h"

namespace blk::serve {

// Of a read that has succeeded, what stands before its data: bytes of it.
inline size_t ReadHeaderSize(const Session& session) {
  return session.structured ? nbd::ChunkHeader::kSize + sizeof(uint64_t) : nbd::SimpleReply::kSize;
}

// Writes it to `to`. One chunk, and the last.   REQUIRES: request.length is not 0.
void PutReadHeader(const nbd::RequestHeader& request, const Session& session, uint8_t* to);

// A request that is done, or has failed, and has no data.
void AddOutcome(const nbd::RequestHeader& request, nbd::WireError error, const Session& session, ReplyBatch& batch);

// Bytes of the reply of a block status: a chunk for each context.
size_t StatusReplySize(std::span<const ContextStatus> statuses);
// Writes it to `to`.   REQUIRES: there is a context.
void PutStatus(const nbd::RequestHeader& request, std::span<const ContextStatus> statuses, uint8_t* to);

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_REPLIES_H_
