package runtime_test

import (
	"testing"
)

func TestFirst(t *testing.T) {
	e := newEnv(t)
	t.Log(e.output(e.process("id; echo hi; ls -l /proc/self/fd /; cat /proc/self/status /proc/self/cgroup; mount; ls /etc; cat /etc/hosts; ps; hostname; pwd; env")))
}
