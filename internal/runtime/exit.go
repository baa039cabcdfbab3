package runtime

import (
	"fmt"
	"syscall"
	"time"
)

// Exit is how a process ended.
type Exit struct {
	Code   int            // what it returned; 128 plus the number of the signal that ended it
	Signal syscall.Signal // 0 unless a signal ended it
	OOM    bool           // the kernel killed a process of the container for lack of memory

	Started time.Time     // when the program was executed
	Elapsed time.Duration // from then to its end
	User    time.Duration // CPU time in user mode, of all processes that were waited for
	System  time.Duration // CPU time in the kernel
	MaxRSS  int64         // largest resident set of one process, in bytes
}

// String says it as a shell user would: "exited with code 7", "killed by
// signal 9 (killed)".
func (e Exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("killed by signal %d (%v)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exited with code %d", e.Code)
}
