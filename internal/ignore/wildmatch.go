package ignore

import "strings"

// wildMatch tells whether a pattern of git matches a whole path: "*" and "?"
// match no slash, "**" between slashes or ends matches any number of
// directories, "[...]" is a class of bytes, a backslash takes the next byte as
// it is. It takes time in proportion to the product of the lengths at most.
func wildMatch(pattern, path string) bool {
	w := wild{pattern: pattern}
	return w.match(0, path)
}

type wild struct {
	pattern string
	failed  map[[2]int]struct{} // at pattern and with so much of the path left
}

// try is match for one of several ways to go on: it remembers failures.
func (w *wild) try(p int, s string) bool {
	at := [2]int{p, len(s)}
	if _, no := w.failed[at]; no {
		return false
	}
	if w.match(p, s) {
		return true
	}
	if w.failed == nil {
		w.failed = map[[2]int]struct{}{}
	}
	w.failed[at] = struct{}{}
	return false
}

func (w *wild) match(p int, s string) bool {
	for p < len(w.pattern) {
		c := w.pattern[p]
		if c == '*' {
			return w.star(p, s)
		}
		if s == "" {
			return false
		}
		switch c {
		case '?':
			if s[0] == '/' {
				return false
			}
			p++
		case '[':
			next, ok := class(w.pattern, p, s[0])
			if !ok || s[0] == '/' {
				return false
			}
			p = next
		case '\\':
			p++
			if p == len(w.pattern) || w.pattern[p] != s[0] {
				return false
			}
			p++
		default:
			if c != s[0] {
				return false
			}
			p++
		}
		s = s[1:]
	}
	return s == ""
}

// star matches from a star on.
func (w *wild) star(p int, s string) bool {
	start := p
	for p < len(w.pattern) && w.pattern[p] == '*' {
		p++
	}
	rest := w.pattern[p:]
	slashes := false
	if p-start > 1 && (start == 0 || w.pattern[start-1] == '/') &&
		(rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`)) {
		if rest != "" && rest[0] == '/' && w.try(p+1, s) {
			return true // no directory at all
		}
		slashes = true
	}
	if rest == "" {
		return slashes || strings.IndexByte(s, '/') < 0
	}
	for {
		if w.try(p, s) {
			return true
		}
		if s == "" || s[0] == '/' && !slashes {
			return false
		}
		s = s[1:]
	}
}

// class tells whether the class that starts at p holds c, and gives the place
// behind it.
func class(pattern string, p int, c byte) (next int, ok bool) {
	at := func(i int) byte { // 0 at the end, as a C string
		if i < len(pattern) {
			return pattern[i]
		}
		return 0
	}
	p++
	negated := at(p) == '!' || at(p) == '^'
	if negated {
		p++
	}
	found := false
	var prev byte
	for first := true; first || at(p) != ']'; first = false {
		ch := at(p)
		switch {
		case ch == 0:
			return p, false
		case ch == '\\':
			p++
			if ch = at(p); ch == 0 {
				return p, false
			}
			found = found || c == ch
		case ch == '-' && prev != 0 && at(p+1) != 0 && at(p+1) != ']':
			p++
			if ch = at(p); ch == '\\' {
				p++
				if ch = at(p); ch == 0 {
					return p, false
				}
			}
			found = found || prev <= c && c <= ch
			ch = 0
		case ch == '[' && at(p+1) == ':':
			end := strings.IndexByte(pattern[p+2:], ']')
			if end < 0 {
				return p, false
			}
			name := pattern[p+2 : p+2+end]
			if !strings.HasSuffix(name, ":") {
				found = found || c == '['
				break
			}
			in, known := posix(name[:len(name)-1], c)
			if !known {
				return p, false
			}
			found = found || in
			p += 2 + end
			ch = 0
		default:
			found = found || c == ch
		}
		prev = ch
		p++
	}
	return p + 1, found != negated
}

// posix tells whether c is in a named class of ASCII bytes.
func posix(name string, c byte) (in, known bool) {
	lower := 'a' <= c && c <= 'z'
	upper := 'A' <= c && c <= 'Z'
	digit := '0' <= c && c <= '9'
	graph := '!' <= c && c <= '~'
	switch name {
	case "alnum":
		return lower || upper || digit, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	}
	return false, false
}
