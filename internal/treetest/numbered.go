package treetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Numbered is a case of a documentation's list.
type Numbered struct {
	Number int
	Group  string
	Title  string
	Case
}

// ParseNumbered reads a list of cases: "# " starts a line with the title of a
// group, "## 7. " one with the title of a case, whose text form follows.
func ParseNumbered(text string) ([]Numbered, error) {
	var out []Numbered
	group := ""
	for part := range strings.SplitSeq("\n"+text, "\n#") {
		head, body, _ := strings.Cut(part, "\n")
		title, isCase := strings.CutPrefix(head, "# ")
		if !isCase {
			group = strings.TrimSpace(head)
			continue
		}
		number, title, ok := strings.Cut(title, ". ")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n != len(out)+1 {
			return nil, fmt.Errorf("%q: want number %d", head, len(out)+1)
		}
		c, err := ParseCase(body)
		if err != nil {
			return nil, fmt.Errorf("case %d: %w", n, err)
		}
		out = append(out, Numbered{Number: n, Group: group, Title: title, Case: c})
	}
	return out, nil
}

// Brief tells in a few words what makes one listing of another: "+" and what was
// added, "-" and what was removed, "~" and what has other attributes. A directory
// that is gone or new stands for all that it holds, unless that is all there is.
func Brief(was, now Listing) string {
	var out []string
	for _, i := range was {
		n := now.Find(i.Path)
		if n == nil {
			if up := now.Find(parent(i.Path)); up != nil && up.Kind == was[0].Kind {
				out = append(out, "-"+short(i))
			}
		} else if n.Kind != i.Kind {
			out = append(out, "-"+short(i))
		}
	}
	for _, i := range now {
		o := was.Find(i.Path)
		switch {
		case o == nil && i.Kind == now[0].Kind && slices.ContainsFunc(now, func(j Item) bool { return parent(j.Path) == i.Path && j.Path != "/" }):
			if i.Attr != defaults(i.Kind) {
				out = append(out, "+"+i.String())
			}
		case o == nil || o.Kind != i.Kind:
			out = append(out, "+"+i.String())
		case !i.same(*o):
			out = append(out, "~"+i.String())
		}
	}
	if len(out) == 0 {
		return "nothing changes"
	}
	return strings.Join(out, ", ")
}

func parent(p string) string {
	if n := strings.LastIndexByte(p, '/'); n > 0 {
		return p[:n]
	}
	return "/"
}

// short is an item's line without attributes.
func short(i Item) string {
	i.Attr = defaults(i.Kind)
	return i.String()
}
