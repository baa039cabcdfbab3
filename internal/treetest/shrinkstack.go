package treetest

import "slices"

// ShrinkStack gives a stack that still fails and is as small as leaving out
// layers, entries and attributes makes it. It asks fails many times.
func ShrinkStack(s Stack, fails func(Stack) bool) Stack {
	for again := true; again; {
		again = false
		for _, smaller := range s.smaller() {
			// A hardlink's text has no attributes of its own.
			if smaller = smaller.linked(); fails(smaller) {
				s, again = smaller, true
				break
			}
		}
	}
	return s
}

// smaller gives stacks that are simpler in one thing, the boldest first.
func (s Stack) smaller() []Stack {
	var out []Stack
	for n := range s {
		if len(s) > 1 {
			out = append(out, slices.Delete(s.clone(), n, n+1))
		}
	}
	for n, l := range s {
		for size := max(1, len(l)/2); ; size /= 2 {
			for from := 0; from < len(l); from += size {
				c := s.clone()
				c[n] = slices.Delete(c[n], from, min(from+size, len(l)))
				out = append(out, c)
			}
			if size <= 1 {
				break
			}
		}
	}
	for n, l := range s {
		for k, i := range l {
			if i.Attr != defaults(i.Kind) && i.Same == "" {
				c := s.clone()
				c[n][k].Attr = defaults(i.Kind)
				out = append(out, c)
			}
		}
	}
	return out
}

func (s Stack) clone() Stack {
	c := slices.Clone(s)
	for n := range c {
		c[n] = slices.Clone(c[n])
	}
	return c
}
