// StartThread: a std::thread whose failure to begin is a value. No state.
#ifndef RUMPBLK_CORE_BASE_START_THREAD_H_
#define RUMPBLK_CORE_BASE_START_THREAD_H_

#include <exception>
#include <thread>
#include <utility>

namespace blk {

// Makes `thread` one that runs `body`. -> false: the host gives none, or there is no memory for it.
template <typename Body>
[[nodiscard]] bool StartThread(std::thread& thread, Body&& body) {
  try {
    thread = std::thread(std::forward<Body>(body));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_START_THREAD_H_
