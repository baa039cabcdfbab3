package show

import (
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/compose"
)

// Changes writes how two trees differ, in numbers.
func Changes(c compose.Counts) string {
	if c.Added+c.Replaced+c.Removed == 0 {
		return "nothing changed, " + Entries(c.Shared) + " shared"
	}
	text := fmt.Sprintf("%s added, %s replaced", Entries(c.Added), Number(c.Replaced))
	if c.Removed > 0 {
		text += ", " + Number(c.Removed) + " removed"
	}
	return text + ", " + Number(c.Shared) + " shared"
}

// Line makes one line of text from anywhere.
func Line[S ~string](s S) string { return Clean(strings.ReplaceAll(string(s), "\n", " "), false) }
