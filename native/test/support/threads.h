// Gate, Watchdog and EventuallyTrue: how tests with threads wait. Nothing here sleeps and hopes: a gate is opened by
// somebody, a polled state is one that must come, and what never comes ends the program with a message.
#ifndef RUMPBLK_TEST_SUPPORT_THREADS_H_
#define RUMPBLK_TEST_SUPPORT_THREADS_H_

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace blk::test {

// Closed until Open(); whoever waits then goes on, now and ever after. Counts who came.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mu_);
    open_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mu_);
    arrived_++;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  // Until `n` have come to the gate.
  void AwaitArrivals(size_t n) {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return arrived_ >= n; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool open_ = false;
  size_t arrived_ = 0;
};

// Ends the program when its scope takes longer than `seconds`: a hang becomes a failure that says where.
class Watchdog {
 public:
  explicit Watchdog(const char* what, int seconds = 60)
      : thread_([this, what, seconds] {
          std::unique_lock lock(mu_);
          if (over_.wait_for(lock, std::chrono::seconds(seconds), [&] { return done_; })) return;
          std::fprintf(stderr, "watchdog: '%s' did not end in %d s\n", what, seconds);
          std::abort();
        }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mu_);
      done_ = true;
    }
    over_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mu_;
  std::condition_variable over_;
  bool done_ = false;
  std::thread thread_;  // last: it uses the others
};

// Looks until `condition()` holds; false when it does not within 30 seconds.
template <typename Condition>
bool EventuallyTrue(Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// Runs `body(index)` on `n` threads that start together, and waits for all.
template <typename Body>
void RunTogether(size_t n, Body&& body) {
  Gate start;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < n; i++) {
    threads.emplace_back([&, i] {
      start.Wait();
      body(i);
    });
  }
  start.AwaitArrivals(n);
  start.Open();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_THREADS_H_
