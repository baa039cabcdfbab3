package show

import "fmt"

// JSON gives a JSON value, as one that is UTF-8, with no character that controls a
// terminal: JSON itself does not escape those from U+007F to U+009F.
func JSON(b []byte) []byte {
	var out []byte
	from := 0
	for i := 0; i < len(b); i++ {
		c, n := b[i], 1
		if c == 0xc2 && i+1 < len(b) { // the first byte of those from U+0080 to U+00BF
			c, n = b[i+1], 2
		}
		if c < 0x7f || c > 0x9f || n == 1 && c != 0x7f {
			continue
		}
		out = fmt.Appendf(append(out, b[from:i]...), "\\u%04x", c)
		i += n - 1
		from = i + 1
	}
	if from == 0 {
		return b
	}
	return append(out, b[from:]...)
}
