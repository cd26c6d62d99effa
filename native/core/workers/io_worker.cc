#include "core/workers/io_worker.h"

#include <utility>

namespace blk {

void IoWorker::WillBlock() {
  if (std::exchange(blocked_, true) || queue_ == nullptr) return;
  queue_->Block(*worker_);
}

void IoWorker::MayBlock() {
  if (queue_ == nullptr) return;
  may_block_since_ = std::chrono::steady_clock::now();
  if (queue_->AssumesBlocking()) WillBlock();
}

}  // namespace blk
