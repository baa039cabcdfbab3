package show

import (
	"fmt"
	"regexp"
)

// controls are the characters that control a terminal and that JSON does not escape.
var controls = regexp.MustCompile("[\x7f-\u009f]")

// JSON gives a JSON value, as one that is UTF-8, with no character that controls a
// terminal.
func JSON(b []byte) []byte {
	return controls.ReplaceAllFunc(b, func(c []byte) []byte {
		return fmt.Appendf(nil, "\\u%04x", []rune(string(c))[0])
	})
}
