package treetest

import (
	"fmt"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Limits say what generated listings do not have, for peers that cannot have
// it. The zero Limits allow all that a tree can hold.
type Limits struct {
	Disk      bool // what no file system of Linux has: symlinks to nothing
	NoXattrs  bool
	NoTrusted bool // extended attributes that need an administrator of the machine: trusted.
	NoOdd     bool // names and targets that are no printable ASCII, or longer than 100 bytes
	NoNodes   bool // devices, sockets
	NoWhite   bool // names that layers cannot hold: .wh.
}

// Names are few, so that trees overlap.
var (
	usualNames = []string{"a", "b", "bin", "usr", "lib", "c", "etc", "d"}
	oddNames   = []string{"x-", "\xff\n", ".gitignore", ".wh.a", ".wh..wh..opq", "a b", "-", "é", "e\u0301", "*", "[a]", `a\b`, "..a", strings.Repeat("n", 255), `"`}
	gitignores = []string{"a\n", "/b\n!c\n", "*\n!/a\n", "bin/\n", "a/**/b\n", "usr/*\n!usr/lib\n"}
)

// Listing draws a tree: symlinks of all sorts, kinds that conflict with those of
// other trees, hardlink groups, odd names, now and then deep and wide ones.
func (s *Source) Listing(o Limits) Listing {
	g := &generator{Source: s, limits: o, items: map[string]int{}}
	g.add(Item{Path: "/", Kind: tree.KindDirectory, Attr: g.attr(tree.KindDirectory)})
	switch s.n(8) {
	case 1, 2:
		g.merged()
	case 3:
		g.chain(pick(s, []int{3, 40, 41}))
	case 4: // a symlink to what another tree may bring, and nothing else
		g.add(Item{Path: "/" + pick(s, usualNames), Kind: tree.KindSymlink, Attr: defaults(tree.KindSymlink), Target: pick(s, usualNames)})
		return g.list
	}
	g.fill("/", 3)
	if s.one(40) {
		g.wide(path.Join("/", pick(s, usualNames)))
	}
	if s.one(40) {
		g.deep()
	}
	for range s.n(3) {
		g.hardlink()
	}
	g.list.Sort()
	return g.list
}

type generator struct {
	*Source
	limits Limits
	list   Listing
	items  map[string]int // by path
}

// add adds an item, unless its path is taken.
func (g *generator) add(i Item) bool {
	if _, taken := g.items[i.Path]; taken {
		return false
	}
	g.items[i.Path] = len(g.list)
	g.list = append(g.list, i)
	return true
}

func (g *generator) name() string {
	for {
		if g.n(4) > 0 {
			return pick(g.Source, usualNames)
		}
		n := pick(g.Source, oddNames)
		if g.limits.NoOdd && word(n) != n || g.limits.NoOdd && len(n) > 100 || g.limits.NoWhite && strings.HasPrefix(n, ".wh.") {
			if g.rand == nil {
				return "x-"
			}
			continue
		}
		return n
	}
}

func (g *generator) attr(k tree.Kind) tree.Attr {
	a := defaults(k)
	if g.n(3) > 0 {
		return a
	}
	if k != tree.KindSymlink {
		a.Mode = pick(g.Source, []tree.Mode{0o755, 0o644, 0o600, 0o700, 0o4755, 0o2755, 0o1777, 0o6711})
	}
	a.UID, a.GID = uint32(g.n(3)), uint32(g.n(2))
	switch g.n(4) {
	case 1:
		a.ModTime = tree.Time{Sec: int64(1 + g.n(9)), Nsec: uint32(g.n(2)) * 999_999_999}
	case 2:
		a.ModTime = tree.Time{Sec: -5, Nsec: 7}
	}
	if g.limits.NoXattrs {
		return a
	}
	switch x := g.n(6); {
	case x == 4 && (k == tree.KindFile || k == tree.KindDirectory):
		a.Xattrs = tree.NewXattrs(map[string]string{"user.k": "v", "user.l": "\x00\xff"})
	case x == 5 && !g.limits.NoTrusted:
		a.Xattrs = tree.NewXattrs(map[string]string{"trusted.k": pick(g.Source, []string{"v", "w", ""})})
	}
	return a
}

// fill puts random entries into a directory.
func (g *generator) fill(at string, depth int) {
	for range g.n(5) {
		p := path.Join(at, g.name())
		if k := g.n(10); k < 4 && depth > 0 {
			if g.add(Item{Path: p, Kind: tree.KindDirectory, Attr: g.attr(tree.KindDirectory)}) {
				g.fill(p, depth-1)
			}
		} else {
			g.add(g.leaf(p))
		}
	}
}

// leaf draws something that is not a directory.
func (g *generator) leaf(p string) Item {
	k := pick(g.Source, []tree.Kind{tree.KindSymlink, tree.KindSymlink, tree.KindSymlink, tree.KindFile, tree.KindFile,
		tree.KindFile, tree.KindFile, tree.KindFifo, tree.KindCharDevice, tree.KindBlockDevice, tree.KindSocket})
	if g.limits.NoNodes && k > tree.KindSymlink && k != tree.KindFifo {
		k = tree.KindFifo
	}
	i := Item{Path: p, Kind: k}
	i.Attr = g.attr(k)
	switch k {
	case tree.KindSymlink:
		i.Target = g.target()
	case tree.KindCharDevice, tree.KindBlockDevice:
		i.Major, i.Minor = uint32(1+g.n(2)), uint32(3+g.n(2))
	case tree.KindFile:
		text := pick(g.Source, []string{"1", "2", "3", ""})
		if path.Base(p) == ".gitignore" {
			text = pick(g.Source, gitignores)
		}
		i.Text, i.Size = text, int64(len(text))
		if text != "" {
			i.Content = digest.Of([]byte(text))
		}
	}
	return i
}

// target draws where a symlink points: relative, absolute, to parents, past the
// root, to itself, to nowhere.
func (g *generator) target() string {
	if !g.limits.Disk && g.one(40) {
		return ""
	}
	var parts []string
	for range 1 + g.n(3) {
		if g.n(3) == 0 {
			parts = append(parts, pick(g.Source, []string{"..", ".", "", "..", "nowhere"}))
		} else {
			parts = append(parts, g.name())
		}
	}
	t := strings.Join(parts, "/")
	switch g.n(4) {
	case 1:
		t = "/" + t
	case 2:
		t = "../" + t
	}
	if g.one(8) {
		t += "/"
	}
	if t == "" {
		t = "."
	}
	return t
}

// merged makes the tree a distribution whose /bin and /lib are symlinks.
func (g *generator) merged() {
	dir := func(p string) { g.add(Item{Path: p, Kind: tree.KindDirectory, Attr: defaults(tree.KindDirectory)}) }
	dir("/usr")
	for _, n := range []string{"bin", "lib"} {
		dir("/usr/" + n)
		l := Item{Path: "/" + n, Kind: tree.KindSymlink, Attr: defaults(tree.KindSymlink), Target: "usr/" + n}
		if g.one(3) {
			l.Target = "/usr/" + n
		}
		g.add(l)
	}
	g.add(Item{Path: "/usr/bin/sh", Kind: tree.KindFile, Attr: defaults(tree.KindFile), Text: "sh", Size: 2, Content: digest.Of([]byte("sh"))})
}

// chain makes n symlinks that each point at the next, and the last at a directory.
func (g *generator) chain(n int) {
	for i := range n {
		name, to := fmt.Sprintf("/l%d", i), fmt.Sprintf("l%d", i+1)
		if i == 0 {
			name = "/" + pick(g.Source, usualNames)
		}
		if i == n-1 {
			to = "."
		}
		g.add(Item{Path: name, Kind: tree.KindSymlink, Attr: defaults(tree.KindSymlink), Target: to})
	}
}

// wide makes a directory of so many names that merging looks at the other side's.
func (g *generator) wide(p string) {
	if n, taken := g.items[p]; taken && g.list[n].Kind != tree.KindDirectory {
		return
	}
	g.add(Item{Path: p, Kind: tree.KindDirectory, Attr: defaults(tree.KindDirectory)})
	for i := range 130 {
		g.add(Item{Path: fmt.Sprintf("%s/w%d", p, i), Kind: tree.KindFile, Attr: defaults(tree.KindFile)})
	}
	g.fill(p, 1)
}

func (g *generator) deep() {
	p := "/"
	for range 30 {
		p = path.Join(p, "d")
		if n, taken := g.items[p]; taken && g.list[n].Kind != tree.KindDirectory {
			return
		}
		g.add(Item{Path: p, Kind: tree.KindDirectory, Attr: g.attr(tree.KindDirectory)})
	}
	g.fill(p, 0)
}

// hardlink makes another name of something.
func (g *generator) hardlink() {
	var files []Item
	dirs := []string{"/"}
	for _, i := range g.list {
		if i.Kind == tree.KindDirectory {
			dirs = append(dirs, i.Path)
		} else if i.Same == "" {
			files = append(files, i)
		}
	}
	if len(files) == 0 {
		return
	}
	f := pick(g.Source, files)
	for range 1 + g.n(3) {
		i := f
		i.Path, i.Same = path.Join(pick(g.Source, dirs), g.name()), f.Path
		g.add(i)
	}
}
