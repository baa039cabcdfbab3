package treetest

import (
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Case draws an operation and the trees that it works on.
func (s *Source) Case(o Limits) Case { return s.CaseOn(s.Listing(o), o) }

// CaseOn draws an operation on a tree, and the other trees that it works on.
func (s *Source) CaseOn(dst Listing, o Limits) Case {
	c := Case{Dst: dst}
	switch v := s.n(20); {
	case v < 11:
		s.copyCase(&c, o)
	case v < 13:
		c.Verb, c.Src = "merge", s.Listing(o)
		if s.one(3) {
			c.More = s.Listing(o)
		}
	case v < 15:
		c.Verb, c.Src = "diff", s.Listing(o)
		if s.n(3) > 0 {
			c.Src = s.edited(c.Dst, o)
		}
	case v == 15:
		c.Verb, c.Args = "remove", s.paths(c.Dst, 1+s.n(2), true)
	case v == 16:
		c.Verb, c.Args = "rename", []string{s.path(c.Dst), s.path(c.Dst)}
		s.existing(&c)
	case v == 17:
		c.Verb, c.Args = "hardlink", []string{s.path(c.Dst), s.path(c.Dst)}
		s.existing(&c)
	case v == 18:
		c.Verb, c.Args = "attr", s.paths(c.Dst, 1+s.n(2), true)
		s.attributes(&c)
		c.Options.Shallow = s.one(3)
	default:
		c.Verb, c.Args = "glob", []string{s.pattern(c.Dst)}
	}
	return c
}

// CopyCase draws a copy, with every option that there is.
func (s *Source) CopyCase(o Limits) Case {
	c := Case{Dst: s.Listing(o)}
	s.copyCase(&c, o)
	return c
}

func (s *Source) copyCase(c *Case, o Limits) {
	c.Src = s.Listing(o)
	if s.one(12) {
		c.Src = c.Dst // into itself, or the same again
	}
	switch s.n(4) {
	case 0:
		c.Verb, c.Args = "directory", []string{s.destination(c.Dst)}
	case 1:
		c.Verb, c.Args = "file", []string{s.path(c.Src), s.destination(c.Dst)}
	default:
		c.Verb, c.Args = "copy", append(s.paths(c.Src, 1+s.n(3), true), s.destination(c.Dst))
	}
	c.Options.Overlay = s.one(4)
	c.Options.KeepLink = s.one(4)
	c.Options.AllowEmpty = s.one(2)
	s.existing(c)
	if s.one(4) {
		s.attributes(c)
	}
	if s.one(5) {
		c.Options.Include = s.patterns()
	}
	if s.one(5) {
		c.Options.Exclude = s.patterns()
	}
	if c.Options.Gitignore = s.one(6); c.Options.Gitignore && c.Src.Find("/.gitignore") == nil {
		text := pick(s, gitignores)
		i := Item{Path: "/.gitignore", Kind: tree.KindFile, Attr: defaults(tree.KindFile), Text: text, Size: int64(len(text)), Content: digest.Of([]byte(text))}
		c.Src = append(slices.Clone(c.Src), i)
		c.Src.Sort()
	}
}

func (s *Source) existing(c *Case) {
	c.Options.Existing = pick(s, []string{"", "", "", "", "replace", "forbid"})
}

func (s *Source) attributes(c *Case) {
	if s.one(2) {
		c.Options.Owner = pick(s, []string{"5:6", "7"})
	}
	if s.one(2) {
		c.Options.Mode = pick(s, []string{"u+rwX,go-w", "0600", "a=rX,u+w", "g=u", "+t", "u-s"})
	}
	if s.one(2) {
		c.Options.Time = pick(s, []string{"9", "-1"})
	}
}

// patterns draws patterns of the language of .dockerignore.
func (s *Source) patterns() []string {
	var out []string
	for range 1 + s.n(3) {
		p := pick(s, usualNames)
		switch s.n(6) {
		case 1:
			p = "**/" + p
		case 2:
			p += "/" + pick(s, usualNames)
		case 3:
			p += "/*"
		case 4:
			p = "*/" + p
		case 5:
			p = "/" + p + "/**"
		}
		if n := len(out); n > 0 && s.one(2) {
			p = "!" + p
			if last := out[n-1]; s.one(2) && !strings.HasPrefix(last, "!") {
				p = "!" + last + "/" + pick(s, usualNames) // something in what the last one is about
			}
		}
		out = append(out, p)
	}
	return out
}

// path draws a path that is in the listing, leads through it, or nowhere.
func (s *Source) path(l Listing) string {
	p := pick(s, l).Path
	switch s.n(8) {
	case 0:
		p = path.Join(p, pick(s, usualNames))
	case 1:
		p = path.Join(pick(s, usualNames), pick(s, usualNames))
	case 2:
		p += "/"
	case 3:
		p = strings.TrimPrefix(p, "/") + "/../" + pick(s, usualNames)
	}
	if p == "" {
		p = "."
	}
	return p
}

func (s *Source) destination(l Listing) string {
	if s.one(3) {
		return "/"
	}
	return s.path(l)
}

// paths draws paths, and patterns if wild.
func (s *Source) paths(l Listing, n int, wild bool) []string {
	var out []string
	for range n {
		if wild && s.one(5) {
			out = append(out, s.pattern(l))
		} else {
			out = append(out, s.literal(l))
		}
	}
	return out
}

// literal draws a path with nothing in it that makes it a pattern.
func (s *Source) literal(l Listing) string {
	p := s.path(l)
	if !strings.ContainsAny(p, "*?[") {
		return p
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(p)
}

// pattern draws a pattern that some path of the listing may match.
func (s *Source) pattern(l Listing) string {
	names := strings.Split(strings.Trim(s.literal(l), "/"), "/")
	for n := range names[:min(4, len(names))] { // more take their time, legitimately
		switch s.n(5) {
		case 1:
			names[n] = "*"
		case 2:
			names[n] = "**"
		case 3:
			names[n] = "[a-c]" + pick(s, []string{"", "*", "?"})
		}
	}
	return strings.Join(names, "/")
}

// edited draws a listing that differs from l in a few places.
func (s *Source) edited(l Listing, o Limits) Listing {
	g := &generator{Source: s, limits: o, items: map[string]int{}}
	gone := map[string]bool{}
	for range s.n(4) {
		gone[pick(s, l).Path] = true
	}
	kept := slices.Clone(l.Filter(func(i Item) bool { return !gone[i.Path] }))
	for _, i := range kept {
		g.add(i)
	}
	for range s.n(4) {
		at := pick(s, kept)
		if p := path.Join(at.Path, g.name()); at.Kind == kept[0].Kind {
			g.add(g.leaf(p))
		} else if at.Same == "" && !slices.ContainsFunc(kept, func(i Item) bool { return i.Same == at.Path }) {
			g.list[g.items[at.Path]] = g.leaf(at.Path)
		}
	}
	for range s.n(3) {
		g.hardlink()
	}
	g.list.Sort()
	if s.one(2) {
		g.regroup()
	}
	return g.list
}

// regroup makes hardlink groups others, and changes nothing else.
func (g *generator) regroup() {
	n, m := g.n(len(g.list)), g.n(len(g.list))
	a, b := &g.list[n], &g.list[m]
	switch {
	case a.Same != "":
		a.Same = ""
	case n != m && a.Kind != tree.KindDirectory && b.Same == "":
		alike := *b
		if alike.Path = a.Path; alike == *a {
			a.Same = b.Path
			for i := range g.list {
				if g.list[i].Same == a.Path {
					g.list[i].Same = b.Path
				}
			}
		}
	}
	g.list.Sort()
}
