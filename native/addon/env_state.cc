#include "addon/env_state.h"

#include <algorithm>

namespace blk_addon {

void EnvState::Track(const std::shared_ptr<DriverState>& driver) {
  // Here, since a driver that goes has no way to take itself off: the list stays as long as there are drivers.
  drivers_.erase(std::remove_if(drivers_.begin(), drivers_.end(), [](const auto& weak) { return weak.expired(); }),
                 drivers_.end());
  drivers_.push_back(driver);
}

void EnvState::Shutdown() {
  // Held all the while: the calls of a backlog may be the last owners of their driver.
  std::vector<std::shared_ptr<DriverState>> alive;
  for (const auto& weak : drivers_) {
    if (auto driver = weak.lock()) alive.push_back(std::move(driver));
  }
  for (const auto& driver : alive) driver->driver.StopQueue();
  for (const auto& driver : alive) driver->backlog.calls.clear();
  // Last: no task runs any more that could post to it.
  completion->Abandon();
}

}  // namespace blk_addon
