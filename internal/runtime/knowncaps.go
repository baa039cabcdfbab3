//go:build linux

package runtime

import (
	"strings"

	"github.com/moby/sys/capability"
)

func knownCapability(name string) bool {
	for _, c := range capability.ListKnown() {
		if name == "CAP_"+strings.ToUpper(c.String()) {
			return true
		}
	}
	return false
}
