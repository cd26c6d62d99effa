#include "addon/env_state.h"

#include <algorithm>

namespace blk_addon {

void EnvState::Track(const std::shared_ptr<DriverState>& driver) {
  // Here, since a driver that goes has no way to take itself off: the list stays as long as there are drivers.
  const auto gone = [](const Tracked& tracked) { return tracked.driver.expired(); };
  drivers_.erase(std::remove_if(drivers_.begin(), drivers_.end(), gone), drivers_.end());
  drivers_.push_back({driver, nullptr});
}

void EnvState::Shutdown() {
  completion->BeginEnd();
  // Held all the while: the calls that Abandon() drops may be the last owners of their driver.
  for (Tracked& tracked : drivers_) tracked.held = tracked.driver.lock();
  // Requests of clients are dropped with the queues that they wait in.
  for (EnvServer* server : servers_) server->Cut();
  for (const Tracked& tracked : drivers_) {
    if (tracked.held) tracked.held->driver.StopQueue();
  }
  for (EnvServer* server : servers_) server->End();
  servers_.clear();
  // Last: no task runs any more that could post to it.
  completion->Abandon();
  drivers_.clear();
}

}  // namespace blk_addon
