package embedded

import (
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/internal/busybox"
	"github.com/inlaybuild/inlay/internal/runtime"
)

// Lent is where the programs of a lent busybox are shown. It is not part of the
// tree, and nothing that is left has it.
const Lent = "/.inlay"

// lend shows a busybox to the process, and puts it behind all others of PATH.
func (e *Engine) lend(p *runtime.Process) error {
	dir, err := busybox.Directory(e.cacheDir("busybox"))
	if err != nil {
		return err
	}
	p.Mounts = append(p.Mounts, runtime.Mount{Target: Lent, Source: dir, ReadOnly: true})
	p.Env = slices.Clone(p.Env)
	for i, v := range p.Env {
		if strings.HasPrefix(v, "PATH=") {
			p.Env[i] = v + ":" + Lent
			return nil
		}
	}
	p.Env = append(p.Env, "PATH="+Lent)
	return nil
}
