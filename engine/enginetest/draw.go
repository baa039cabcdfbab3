package enginetest

import (
	"context"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// Limits say what the graphs that [Equal] draws do not have, for engines that
// cannot keep it. The zero Limits have everything.
type Limits struct {
	// Trees are the limits of literal trees; they are always such that a disk can
	// hold them.
	Trees treetest.Limits
	// UTF8 has no names, targets and paths that are not UTF-8.
	UTF8 bool
	// DirectoriesOnly has no literal trees that come as tars and images.
	DirectoriesOnly bool
	// NoExecs has no processes; Execs has one at least in each graph.
	NoExecs, Execs bool
	// NoOddRoots has no processes in trees that were not made for them, whose /etc
	// may be a file and whose /bin a symlink to nothing.
	NoOddRoots bool
	// NoMoves has no directories that processes rename: where a file system cannot,
	// the program copies them, and loses what it does not know of.
	NoMoves bool
	// NoCaches, NoSecrets and NoMounts have no such mounts; NoMounts has none.
	NoCaches, NoSecrets, NoMounts bool
}

// drawer draws a program: a chain of steps on one tree, and what is copied and
// merged into it beside it.
type drawer struct {
	*rand.Rand
	trees  *treetest.Source
	limits Limits
	root   step // the root that processes run in
	out    program

	at     int              // the last step of the chain
	now    treetest.Listing // what its tree is, as far as that is known
	links  bool             // there may be hardlinks, and processes change no file that is there
	execs  int              // still to come
	failed bool             // a step that fails was drawn
}

// draw draws the program of a seed. The processes of it run in root.
func draw(seed uint64, o Limits, root step) program {
	o.Trees.Disk = true
	d := &drawer{Rand: rand.New(rand.NewPCG(seed, 0x6c617773)), trees: treetest.Seeded(seed), limits: o, root: root}
	if !o.NoExecs {
		d.execs = pick(d, []int{0, 0, 0, 0, 1, 1, 1, 2})
	}
	if o.Execs && d.execs == 0 {
		d.execs = 1
	}
	d.links = d.execs == 0 || d.IntN(2) == 0
	d.literal(d.listing())
	for range 1 + d.IntN(4) {
		if d.execs > 0 && d.IntN(2) == 0 {
			d.exec()
		}
		d.edit()
		if d.failed && d.IntN(2) == 0 {
			break
		}
	}
	for d.execs > 0 {
		d.exec()
	}
	if d.IntN(8) == 0 {
		d.sub()
	}
	return d.out[:d.at+1].trim()
}

func pick[T any](d *drawer, from []T) T { return from[d.IntN(len(from))] }

// one tells, one time in n, that something rare is to be.
func (d *drawer) one(n int) bool { return d.IntN(n) == 0 }

// listing draws a literal tree.
func (d *drawer) listing() treetest.Listing { return d.fit(d.trees.Listing(d.limits.Trees)) }

// fit makes a listing one that the limits allow.
func (d *drawer) fit(l treetest.Listing) treetest.Listing {
	l = slices.Clone(l)
	for n := range l {
		if !d.links {
			l[n].Same = ""
		}
		if d.limits.UTF8 {
			l[n].Path, l[n].Same, l[n].Target = valid(l[n].Path), valid(l[n].Same), valid(l[n].Target)
		}
	}
	l.Sort()
	return slices.CompactFunc(l, func(a, b treetest.Item) bool { return a.Path == b.Path })
}

func valid(s string) string { return strings.ToValidUTF8(s, "\u00ff") }

// add adds a step, and gives its number.
func (d *drawer) add(s step) int {
	d.out = append(d.out, s)
	return len(d.out) - 1
}

// literal adds a literal tree, which becomes the chain.
func (d *drawer) literal(l treetest.Listing) {
	d.at, d.now = d.add(d.tree(l)), l
}

// tree gives the step of a literal tree.
func (d *drawer) tree(l treetest.Listing) step {
	s := step{list: l, form: asDirectory}
	if f := pick(d, []form{asDirectory, asDirectory, asDirectory, asDirectory, asTar, asImage}); inTar(l) && !d.limits.DirectoriesOnly {
		s.form = f
	}
	return s
}

// on adds a step on the chain, with more inputs.
func (d *drawer) on(op graph.Op, more ...int) {
	d.at = d.add(step{op: op, in: append([]int{d.at}, more...)})
}

// edit adds a step that changes the tree, with what it needs.
func (d *drawer) edit() {
	switch d.IntN(8) {
	case 0:
		d.newEntry()
	case 1:
		if d.one(3) {
			d.sub()
		} else {
			d.configure()
		}
	default:
		d.operation()
	}
}

// operation adds one of treetest's operations. One that fails is rare: nothing
// comes after it.
func (d *drawer) operation() {
	for range 20 {
		c := d.trees.CaseOn(d.now, d.limits.Trees)
		c.Src, c.More = d.fit(c.Src), d.fit(c.More)
		if d.limits.UTF8 {
			c.Args = slices.Clone(c.Args)
			for n := range c.Args {
				c.Args[n] = valid(c.Args[n])
			}
		}
		op := operation(c)
		if op == nil || op.Check() != nil || c.Verb == "hardlink" && !d.links {
			continue
		}
		o, _ := c.Run(context.Background())
		if o.Failure != "" && !d.one(10) {
			continue
		}
		if o.Failure == "" {
			d.now = o.Tree
		}
		d.failed = d.failed || o.Failure != ""
		d.operate(c, op)
		return
	}
}

// operate adds the steps of an operation: its trees, and the op itself.
func (d *drawer) operate(c treetest.Case, op graph.Op) {
	switch c.Verb {
	case "copy", "file", "directory":
		d.on(op, d.source(c.Src))
	case "merge":
		var more []int
		for _, l := range []treetest.Listing{c.Src, c.More} {
			if len(l) > 0 {
				more = append(more, d.add(d.tree(l)))
			}
		}
		d.on(op, more...)
	case "diff":
		before := d.at
		if d.one(3) { // of another tree, which is like it or not
			before = d.source(c.Dst)
		}
		diff := d.add(step{op: op, in: []int{before, d.add(d.tree(c.Src))}})
		d.on(graph.Merge{}, diff)
	default:
		d.on(op)
	}
}

// source gives a step with the tree that is to be copied, or now and then what an
// earlier step made.
func (d *drawer) source(l treetest.Listing) int {
	if d.one(5) {
		if n := d.IntN(d.at + 1); !isDiff(d.out[n]) {
			return n
		}
	}
	return d.add(d.tree(l))
}

func isDiff(s step) bool { _, ok := s.op.(graph.Diff); return ok }

// operation gives an operation as an op; nil if there is none.
func operation(c treetest.Case) graph.Op {
	existing := compose.Existing(c.Options.Existing)
	switch c.Verb {
	case "copy", "file", "directory":
		from, to := c.From()
		return graph.Copy{To: to, From: from, Options: copyOptions(c)}
	case "merge":
		return graph.Merge{}
	case "diff":
		return graph.Diff{}
	case "remove":
		return graph.Remove{Paths: c.Args}
	case "rename":
		return graph.Rename{From: c.Args[0], To: c.Args[1], Existing: existing}
	case "hardlink":
		return graph.Hardlink{Target: c.Args[0], Path: c.Args[1], Existing: existing}
	case "attr":
		o := copyOptions(c)
		return graph.SetAttr{Paths: c.Args, Owner: o.Owner, Mode: o.Mode, Time: o.Time, Shallow: c.Options.Shallow}
	}
	return nil
}

func copyOptions(c treetest.Case) graph.CopyOptions {
	o := graph.CopyOptions{
		Owner: c.Options.Owner, Mode: c.Options.Mode, Include: c.Options.Include, Exclude: c.Options.Exclude,
		Gitignore: c.Options.Gitignore, Overlay: c.Options.Overlay, Existing: compose.Existing(c.Options.Existing),
		KeepLink: c.Options.KeepLink, AllowEmpty: c.Options.AllowEmpty, File: c.Verb == "file", Contents: c.Verb == "directory",
	}
	if c.Options.Time != "" {
		sec, _ := strconv.ParseInt(c.Options.Time, 10, 64)
		o.Time = &sec
	}
	return o
}

// names are those of new entries, and of what processes work on.
var names = []string{"a", "b", "bin", "usr", "lib", "c", "d", "x-"}

// path draws a path of names, without a slash at its beginning.
func (d *drawer) path() string {
	p := pick(d, names)
	for d.one(2) && len(p) < 12 {
		p += "/" + pick(d, names)
	}
	return p
}

// newEntry adds a step that makes a file, a directory or a symlink.
func (d *drawer) newEntry() {
	p := "/" + d.path()
	if d.one(6) {
		p += "/"
	}
	o := graph.CopyOptions{Overlay: d.one(4), Owner: pick(d, []string{"", "", "5:6", "7"}), Mode: pick(d, []string{"", "", "0600", "4711", "a+rX"})}
	if d.one(4) {
		t := int64(d.IntN(9))
		o.Time = &t
	}
	if d.one(6) {
		o.Existing = compose.ExistingForbid
	}
	switch d.IntN(3) {
	case 0:
		d.on(graph.NewFile{Path: p, Content: []byte(pick(d, []string{"", "new\n", "\x00\xff"})), Options: o})
	case 1:
		d.on(graph.NewDirectory{Path: p, Options: o})
	default:
		o.Mode = ""
		d.on(graph.Symlink{Path: p, Target: pick(d, []string{"a", "/usr/bin", "../b", ".", "nowhere"}), Options: o})
	}
}

// sub adds a step that takes a directory of the tree.
func (d *drawer) sub() {
	at := "/"
	for _, i := range d.now {
		if i.Kind == tree.KindDirectory && (at == "/" || d.one(3)) {
			at = i.Path
		}
	}
	if t, err := d.now.Tree(); err == nil {
		if r, err := tree.Resolve(context.Background(), t, at, tree.FollowAll); err == nil {
			if s, ok := r.Entry.(tree.Tree); ok {
				d.now = treetest.List(s).WithTexts(d.now)
			}
		}
	}
	if d.one(10) {
		at = path.Join(at, pick(d, names))
	}
	d.on(graph.Sub{Path: at})
}

// configure adds a step that changes the configuration.
func (d *drawer) configure() {
	s := func(s string) *string { return &s }
	c := graph.Configure{}
	for range 1 + d.IntN(2) {
		switch d.IntN(7) {
		case 0, 1:
			c.Env = append(c.Env, graph.EnvChange{Name: pick(d, []string{"A", "B"}), Value: pick(d, []string{"1", "$A:2", "", "é x"}), Expand: d.one(2)})
		case 2:
			c.Env = append(c.Env, graph.EnvChange{Name: "A", Unset: true})
		case 3:
			c.Workdir = s(pick(d, []string{"/w", "a", "/usr/lib/..", "/tmp"}))
		case 4:
			c.Labels = map[string]string{pick(d, names): pick(d, names)}
		case 5:
			c.Entrypoint, c.DefaultArgs = &[]string{"/bin/echo", "e"}, &[]string{pick(d, names)}
		case 6:
			c.ExposedPorts, c.Volumes, c.StopSignal = []string{"80", "53/udp"}, []string{"/v"}, s("SIGINT")
		}
	}
	d.on(c)
}
