package daemon

import "time"

// SetPatience gives daemons less time to answer.
func SetPatience(d time.Duration) { patience = d }
