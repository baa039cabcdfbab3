package buildkit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"
	godigest "github.com/opencontainers/go-digest"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// A tree that the planner made is lowered to a state by what differs from what the
// daemon holds and the tree began with:
//
//   - What goes away is removed.
//   - What came from here, and every directory on the way to something new, with its
//     attributes, is one image that this process serves.
//   - What came from something else that is held is copied into a snapshot of its
//     own, which is a file operation between two things that the daemon has.
//
// These snapshots are merged over what was there. No path of a change set leads
// through a symlink, and directories have their final attributes in the last
// snapshot, so that merging is exact. Where it is not (hardlinks between old and new
// names, sockets, attributes of files that only the daemon has), a process applies
// the change set instead.

// base is what a tree began with, at the daemon.
type base struct {
	state llb.State
	tree  tree.Tree
	held  *held // nil for what this process serves
	empty bool
}

// baseOf gives what a result began with.
func (r *Remote) baseOf(ctx context.Context, res engine.Result) (base, error) {
	if res.Held != nil {
		h := res.Held.By.(*held)
		return base{state: h.state, tree: res.Held.Tree, held: h}, nil
	}
	if b := res.Base; b.Image != nil && len(b.Layers) > 0 {
		err := r.uploads.unpacks(ctx, b.Tree)
		if err == nil {
			err = r.uploads.layersUnpack(ctx, b.Layers)
		}
		if err == nil {
			return base{state: daemon.Image(godigest.Digest(b.Image.Digest.String())), tree: b.Tree}, nil
		}
		if !errors.Is(err, errUnwritable) {
			return base{}, err
		}
	}
	if res.Origin.Len() > 0 {
		s, err := r.uploads.state(ctx, res.Origin)
		if err == nil {
			return base{state: s, tree: res.Origin}, nil
		}
		if !errors.Is(err, errUnwritable) {
			return base{}, err
		}
	}
	return base{state: llb.Scratch(), tree: tree.Empty(), empty: true}, nil
}

// lowered is a tree as the daemon is to make it.
type lowered struct {
	state llb.State
	how   engine.Lowering
	// inexact says why layers that a daemon writes of it are not exact, what processes
	// left aside; "" if they are.
	inexact string
}

// lower gives the state of a result's tree, and how it is made.
func (r *Remote) lower(ctx context.Context, res engine.Result) (llb.State, engine.Lowering, error) {
	l, err := r.lowered(ctx, res)
	return l.state, l.how, err
}

func (r *Remote) lowered(ctx context.Context, res engine.Result) (lowered, error) {
	nothing := engine.Lowering{How: engine.LowerNothing, Why: "the daemon holds it"}
	if in, ok := res.Tree.StandIn(); ok {
		if at, ok := r.places.find(in); ok && at.path == "/" {
			return lowered{state: at.held.state, how: nothing}, nil
		}
		if at, ok := r.places.among(res.Parts, in); ok {
			l, ok, err := r.lowerPart(ctx, res, at)
			if ok || err != nil {
				return l, err
			}
		}
	}
	b, err := r.baseOf(ctx, res)
	if err != nil {
		return lowered{}, err
	}
	c, err := compose.Diff(ctx, b.tree, res.Tree)
	if err != nil {
		return lowered{}, err
	}
	if c.Root == nil && len(c.Links) == 0 || c.Root != nil && c.Root.Len() == 0 && len(c.Links) == 0 {
		return lowered{state: b.state, how: nothing}, nil
	}
	l := &lowering{remote: r, base: b, parts: res.Parts, view: res.Whole != nil, up: tree.NewDraft(tree.Empty()), pieces: map[*held][]piece{}, uploaded: map[string]bool{}}
	if c.Root != nil {
		if err := l.directory(ctx, "/", c.Root, res.Tree, l.up); err != nil {
			return lowered{}, err
		}
	}
	for _, group := range c.Links {
		l.link(group)
	}
	l.gather()
	more, err := l.examine(ctx)
	if err != nil {
		return lowered{}, err
	}
	if r.options.Apply {
		l.strange("asked for")
	}
	if why := r.mistrusted(res.Tree); why != "" {
		l.strange("%s", why)
	}
	if l.odd == "" && !more {
		out, err := l.merge(ctx)
		if !errors.Is(err, errUnwritable) {
			return out, err
		}
		l.odd = err.Error()
	}
	if res.Whole != nil && (more || l.views()) {
		known, err := res.Whole(ctx)
		if err != nil {
			return lowered{}, err
		}
		return r.lowered(ctx, known)
	}
	s, err := r.apply(ctx, b, res)
	return lowered{r.spoiled(s, engine.LowerApply), engine.Lowering{How: engine.LowerApply, Why: l.odd}, "a process makes it: " + l.odd}, err
}

// lowerPart gives the state of a directory that the daemon holds as part of something, if
// a copy of it is exact.
func (r *Remote) lowerPart(ctx context.Context, res engine.Result, at place) (out lowered, ok bool, err error) {
	l := &lowering{remote: r, base: base{state: llb.Scratch(), tree: tree.Empty(), empty: true}, parts: res.Parts, view: true,
		up: tree.NewDraft(tree.Empty()), pieces: map[*held][]piece{}, uploaded: map[string]bool{}, dirs: 1}
	l.piece(piece{from: at, to: "/", dir: res.Tree, view: true})
	more, err := l.examine(ctx)
	if err != nil || more || l.odd != "" || r.options.Apply {
		return lowered{}, false, err
	}
	out, err = l.merge(ctx)
	return out, err == nil, err
}

// lowering is a tree that is being lowered.
type lowering struct {
	remote   *Remote
	base     base
	parts    []*engine.Held // where pieces may come from
	up       *tree.Draft    // what is uploaded, with all directories on the way to what is new
	uploaded map[string]bool
	pieces   map[*held][]piece
	loose    []tree.Entry // of a view: what may have been listed, and is uploaded
	large    []large
	removed  []string
	odd      string // why a process has to do it
	view     bool   // not all is known of the tree: hardlinks are not

	files, dirs int // that are put
}

// large is a directory that goes to the daemon as an image of its own, so that it stays there
// when something beside it changes.
type large struct {
	at   string
	tree tree.Tree
}

// How large a directory is for that. A layer more costs about 50 milliseconds.
const (
	largeCount = 500
	largeBytes = 4 << 20
)

// serve gives the state of the directory and those above it, whose attributes are in the
// layer that is laid over it.
func (g large) serve(ctx context.Context, r *Remote) (llb.State, error) {
	d := tree.NewDraft(tree.Empty())
	dir := d
	names := strings.Split(strings.Trim(g.at, "/"), "/")
	for _, name := range names[:len(names)-1] {
		dir = dir.MakeDir(name, tree.Empty().Attr())
	}
	dir.Put(names[len(names)-1], g.tree)
	t, err := d.Tree(ctx)
	if err != nil {
		return llb.State{}, err
	}
	if err := mergeable(ctx, t); err != nil {
		return llb.State{}, err
	}
	return r.uploads.state(ctx, t)
}

// piece is something that the daemon holds and that goes elsewhere.
type piece struct {
	from place
	to   string
	attr tree.Attr // of a file, as it is to be
	dir  tree.Tree // of a directory
	view bool      // not all is known of it
	// itself says that a directory is copied with its attributes, and not what it holds
	// alone: these are not said anywhere then, as a cache has another time of it.
	itself bool
}

// piece takes up a piece, which a file operation is to copy.
func (l *lowering) piece(p piece) {
	if !p.from.file && handsOn(p.from.attr) {
		l.strange("%s %s", p.to, aclHandsOn)
	}
	if f := p.from.attr; p.changes() {
		switch a := p.attr; {
		case f.Xattrs != a.Xattrs, a.Mode != f.Mode && (a.Mode|f.Mode)&0o7000 != 0:
			l.strange("%s has other attributes than the file of the daemon that it is", p.to)
		case a.ModTime != f.ModTime && !copyTime(a.ModTime):
			l.strange("%s was modified at a time that no copy sets", p.to)
		}
	}
	for _, name := range []string{p.from.path, p.to} {
		if !utf8.ValidString(name) {
			l.strange("%q is no text, which names are for a daemon", name)
		}
	}
	l.pieces[p.from.held] = append(l.pieces[p.from.held], p)
}

// copyTime tells whether a file operation can set a time: nanoseconds of 64 bits, of
// which -1 means something else.
func copyTime(t tree.Time) bool {
	return t.Sec > math.MinInt64/1_000_000_000 && t.Sec < math.MaxInt64/1_000_000_000 && t != tree.Time{Sec: -1, Nsec: 999_999_999}
}

// remove takes up what goes away.
func (l *lowering) remove(at string) {
	if !utf8.ValidString(at) {
		l.strange("%q is no text, which names are for a daemon", at)
	}
	l.removed = append(l.removed, at)
}

// views tells whether not all is known of what comes from elsewhere at the daemon: a
// process that puts it file by file has to be told which are one.
func (l *lowering) views() bool {
	n := 0
	for _, list := range l.pieces {
		for _, p := range list {
			if p.view {
				n++
			}
			if p.view && !p.from.file {
				return true
			}
		}
	}
	return n > 1
}

func (l *lowering) strange(format string, args ...any) {
	if l.odd == "" {
		l.odd = fmt.Sprintf(format, args...)
	}
}

// directory takes up what changes in a directory; t is the directory as it is to be.
func (l *lowering) directory(ctx context.Context, p string, c *tree.DirChange, t tree.Tree, d *tree.Draft) error {
	d.SetAttr(t.Attr())
	if c.Len() > 0 && handsOn(t.Attr()) {
		l.strange("%s %s", p, aclHandsOn)
	}
	if c.Opaque {
		l.strange("%s is emptied by a change set", p)
	}
	for name, change := range c.All() {
		at := path.Join(p, name)
		switch change := change.(type) {
		case tree.Remove:
			l.remove(at)
		case tree.Put:
			if err := l.clear(ctx, at, change.Entry); err != nil {
				return err
			}
			if err := l.put(ctx, at, change.Entry, d); err != nil {
				return err
			}
		case tree.Hardlink:
			l.strange("%s is a new name of %s", at, change.To)
		case *tree.DirChange:
			e, ok, err := t.Get(ctx, name)
			if err != nil {
				return err
			}
			sub, isTree := e.(tree.Tree)
			if !ok || !isTree {
				return fmt.Errorf("%s changes as a directory and is none", at)
			}
			if err := l.directory(ctx, at, change, sub, d.MakeDir(name, sub.Attr())); err != nil {
				return err
			}
		}
	}
	return nil
}

// clear has something taken away first that something of another kind takes the place
// of: a merge takes some kinds for others (diffapply_linux.go, applyDelete).
func (l *lowering) clear(ctx context.Context, at string, e tree.Entry) error {
	if l.base.empty {
		return nil
	}
	r, err := tree.Resolve(ctx, l.base.tree, at, tree.FollowParents)
	if err != nil {
		return err
	}
	if r.Entry != nil && r.Entry.Kind() != e.Kind() {
		l.remove(at)
	}
	return nil
}

// put takes up an entry that stands at a path.
func (l *lowering) put(ctx context.Context, at string, e tree.Entry, d *tree.Draft) error {
	switch e := e.(type) {
	case tree.Tree:
		return l.putTree(ctx, at, e, d)
	case tree.File:
		l.files++
		if from, ok := l.findContent(e); ok {
			l.piece(piece{from: from, to: at, attr: e.Attributes, view: l.view})
			return nil
		}
	}
	l.uploaded[at] = true
	l.loosen(e)
	d.Put(path.Base(at), e)
	return nil
}

// loosen notes that an entry is uploaded that may be another name of one that is, too.
func (l *lowering) loosen(e tree.Entry) {
	if f, isFile := e.(tree.File); l.view && (!isFile || f.Size == 0) {
		l.loose = append(l.loose, e)
	}
}

func (l *lowering) putTree(ctx context.Context, at string, t tree.Tree, d *tree.Draft) error {
	from, held := l.findTree(t)
	if held {
		l.dirs++
		p := piece{from: from, to: at, dir: t, view: l.view, itself: from.path != "/" && from.attr == t.Attr()}
		if !p.itself {
			d.MakeDir(path.Base(at), t.Attr())
		}
		l.piece(p)
		return nil
	}
	here, err := l.isHere(ctx, t)
	if err != nil {
		return err
	}
	if here {
		l.dirs++
		if t.Count() >= largeCount || t.Bytes() >= largeBytes {
			l.large = append(l.large, large{at, t})
			d.MakeDir(path.Base(at), t.Attr())
		} else {
			l.uploaded[at+"/"] = true
			d.Put(path.Base(at), t)
		}
		if !l.view {
			return nil
		}
		for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
			if err != nil {
				return err
			}
			if it.Entry.Kind() != tree.KindDirectory {
				l.loosen(it.Entry)
			}
		}
		return nil
	}
	sub := d.MakeDir(path.Base(at), t.Attr())
	for c, err := range t.All(ctx) {
		if err == nil {
			err = l.put(ctx, path.Join(at, c.Name), c.Entry, sub)
		}
		if err != nil {
			return err
		}
	}
	groups, err := t.Links(ctx)
	for _, g := range groups {
		for i := range g {
			g[i] = path.Join(at, g[i])
		}
		l.link(g)
	}
	return err
}

// isHere tells whether a daemon holds nothing of a tree, so that it goes up whole.
func (l *lowering) isHere(ctx context.Context, t tree.Tree) (bool, error) {
	if len(l.parts) == 0 {
		return true, nil
	}
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return false, err
		}
		switch e := it.Entry.(type) {
		case tree.Tree:
			if _, ok := l.findTree(e); ok {
				return false, nil
			}
		case tree.File:
			if _, ok := l.findContent(e); ok {
				return false, nil
			}
		}
	}
	return true, nil
}

// link makes names of one inode what they are, if all of them are uploaded.
func (l *lowering) link(group []string) {
	for _, p := range group {
		ok := l.uploaded[p]
		for at := path.Dir(p); !ok && at != "/"; at = path.Dir(at) {
			ok = l.uploaded[at+"/"]
		}
		if !ok {
			l.strange("%s and %s are names of one file", group[0], group[1])
			return
		}
	}
	l.up.Link(group...)
}

// findContent finds the content of a file.
func (l *lowering) findContent(f tree.File) (place, bool) {
	if f.Size == 0 {
		return place{}, false
	}
	return l.remote.places.among(l.parts, f.Content)
}

// findTree finds a directory of which a daemon holds all entries.
func (l *lowering) findTree(t tree.Tree) (place, bool) {
	if t.Len() == 0 {
		return place{}, false
	}
	in, ok := t.StandIn()
	if !ok {
		in = keyOf(t)
	}
	at, ok := l.remote.places.among(l.parts, in)
	return at, ok && !at.file
}

// mostPieces is how many single pieces are copied by file operations.
const mostPieces = 200

// mostRemoved is how many entries are removed by file operations, each of which takes some
// milliseconds.
const mostRemoved = 500

// gather sees whether there are too many pieces.
func (l *lowering) gather() {
	n := 0
	for _, list := range l.pieces {
		n += len(list)
	}
	if n > mostPieces {
		l.strange("%d files and directories come from elsewhere at the daemon, one by one", n)
	}
	if n := len(l.removed); n > mostRemoved {
		l.strange("%d entries are removed, one by one", n)
	}
}

// merge makes the state of snapshots over one another.
func (l *lowering) merge(ctx context.Context) (lowered, error) {
	s := l.base.ofOneRun(l.removed)
	var layers []llb.State
	inexact := ""
	if len(l.pieces) > 0 {
		layers = l.copies()
	}
	up, err := l.up.Tree(ctx)
	if err == nil {
		err = mergeable(ctx, up)
	}
	if err != nil {
		return lowered{}, err
	}
	for _, t := range l.large {
		u, err := t.serve(ctx, l.remote)
		if err != nil {
			return lowered{}, err
		}
		layers = append(layers, u)
	}
	if up.Len() > 0 {
		u, inline, err := l.remote.serve(ctx, up)
		if err == nil && inline {
			inexact, err = partsOfSeconds(ctx, up)
		}
		if err != nil {
			return lowered{}, err
		}
		layers = append(layers, u)
	}
	why := l.words()
	made := func(s llb.State, how engine.LoweringKind, why string) lowered {
		return lowered{l.remote.spoiled(s, how), engine.Lowering{How: how, Why: why}, inexact}
	}
	if l.base.empty && len(layers) == 1 {
		return made(layers[0], engine.LowerMerge, why), nil
	}
	if len(layers) == 0 {
		return made(s, engine.LowerCopy, why), nil
	}
	can := false
	err = l.remote.on(ctx, func(d *daemon.Daemon) error {
		can = d.CanMerge()
		return nil
	})
	if err != nil {
		return lowered{}, err
	}
	if can && !l.remote.options.Copy {
		if !l.base.empty {
			layers = slices.Insert(layers, 0, s)
		}
		return made(llb.Merge(layers, llb.WithCustomName("inlay: merge")), engine.LowerMerge, why), nil
	}
	reason := "; the daemon is too old to merge"
	if can {
		reason = "; merging was not wanted"
	}
	for _, over := range layers {
		s = s.File(llb.Copy(over, "/", "/", &llb.CopyInfo{
			CopyDirContentsOnly: true, AlwaysReplaceExistingDestPaths: true,
		}), llb.WithCustomName("inlay: copy"))
	}
	inexact = "files are copied into it" + reason
	return made(s, engine.LowerCopy, why+reason), nil
}

// ofOneRun gives what a tree began with, without some paths, as a state that no other run
// of the process comes to that left it.
func (b base) ofOneRun(removed []string) llb.State {
	a := removal(removed)
	name := "inlay: remove " + several(removed)
	if run := b.run(); run != "" {
		only := "/.inlay-" + run // which is not there
		if a == nil {
			a, name = llb.Rm(only, llb.WithAllowNotFound(true)), "inlay: of one run"
		} else {
			a = a.Rm(only, llb.WithAllowNotFound(true))
		}
	}
	if a == nil {
		return b.state
	}
	return b.state.File(a, llb.WithCustomName(name))
}

// run gives the run of the process that left it; "" if none did.
func (b base) run() string {
	if b.held == nil {
		return ""
	}
	return b.held.run()
}

// mergeable tells why a tree loses something when it is merged over another: names of
// one fifo become fifos (diffapply_linux.go, applyHardlink).
func mergeable(ctx context.Context, t tree.Tree) error {
	groups, err := t.Links(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		e, err := t.Lookup(ctx, g[0])
		if err != nil {
			return err
		}
		if e.Kind() == tree.KindFifo {
			return fmt.Errorf("%w: %s is a fifo of several names", errUnwritable, g[0])
		}
	}
	return nil
}

// words says what is laid over what.
func (l *lowering) words() string {
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{
		{len(l.removed), "1 entry is removed", "%d entries are removed"},
		{l.dirs, "1 directory is laid over what is there", "%d directories are laid over what is there"},
		{l.files, "1 file is put", "%d files are put"},
	} {
		switch p.n {
		case 0:
		case 1:
			parts = append(parts, p.one)
		default:
			parts = append(parts, fmt.Sprintf(p.many, p.n))
		}
	}
	if len(parts) == 0 {
		return "attributes or empty directories change"
	}
	return strings.Join(parts, ", ")
}

// several names a few of many.
func several(list []string) string {
	if len(list) <= 3 {
		return strings.Join(list, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:3], " "), len(list)-3)
}

// removal takes paths away.
func removal(paths []string) *llb.FileAction {
	var a *llb.FileAction
	for _, p := range paths {
		if a == nil {
			a = llb.Rm(p, llb.WithAllowNotFound(true))
		} else {
			a = a.Rm(p, llb.WithAllowNotFound(true))
		}
	}
	return a
}

// copies gives snapshots with all pieces: those of one directory that go into one
// directory, if they are many, by one copy; such a copy walks through all that the
// directory holds.
func (l *lowering) copies() []llb.State {
	var out []llb.State
	var single *llb.FileAction
	var names []string
	var of []place
	for _, h := range slices.SortedFunc(maps.Keys(l.pieces), func(x, y *held) int { return x.id.Compare(y.id) }) {
		for _, g := range gathered(l.pieces[h]) {
			switch {
			case len(g.include) > 0:
				c := onlyOf(llb.Copy(h.state, g.from.path, g.to, g.info()), g.from)
				out = append(out, llb.Scratch().File(c, llb.WithCustomName("inlay: copy "+several(g.include))))
				continue
			case single == nil:
				single = llb.Copy(h.state, g.from.path, g.to, g.info())
			default:
				single = single.Copy(h.state, g.from.path, g.to, g.info())
			}
			names = append(names, g.to)
			of = append(of, g.from)
		}
	}
	if single != nil {
		out = append(out, llb.Scratch().File(onlyOf(single, of...), llb.WithCustomName("inlay: copy "+several(names))))
	}
	return out
}

// onlyOf has copies made anew for other sources: of those that differ in times alone,
// at other paths of one tree too, a daemon takes a copy of the one for that of the
// other, and a copy of what a process left before for that of what it leaves when it
// runs again. What is removed is not there. Naming it in what a copy excludes would do
// too, but has the daemon look at each path while it sums up what it copies, which takes
// half as long again.
func onlyOf(copies *llb.FileAction, of ...place) *llb.FileAction {
	b := []byte("inlay copy\n")
	for _, at := range of {
		b = append(at.held.source().Append(b), at.path+"\x00"...)
	}
	return copies.Rm("/.inlay-"+digest.Of(b).Hex(), llb.WithAllowNotFound(true))
}

// gathering is pieces that one copy puts in their places.
type gathering struct {
	piece
	include []string
}

// manyPieces is from how many on pieces are gathered.
const manyPieces = 8

// gathered puts pieces together that come from one directory and go into one, under
// the names that they have.
func gathered(list []piece) []gathering {
	type way struct{ from, to string }
	var out []gathering
	ways := map[way][]piece{}
	for _, p := range list {
		w := way{path.Dir(p.from.path), path.Dir(p.to)}
		name := path.Base(p.to)
		if p.itself || p.from.path == "/" || name != path.Base(p.from.path) || p.changes() || unsafePattern(name) {
			out = append(out, gathering{piece: p})
			continue
		}
		ways[w] = append(ways[w], p)
	}
	for w, list := range ways {
		if len(list) < manyPieces {
			for _, p := range list {
				out = append(out, gathering{piece: p})
			}
			continue
		}
		g := gathering{piece: piece{from: place{held: list[0].from.held, path: w.from}, to: w.to}}
		for _, p := range list {
			g.include = append(g.include, path.Base(p.to))
		}
		slices.Sort(g.include)
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b gathering) int {
		return cmp.Or(strings.Compare(a.to, b.to), strings.Compare(a.from.path, b.from.path))
	})
	return out
}

// unsafePattern tells whether a name is not the pattern that means it alone.
func unsafePattern(p string) bool {
	return strings.ContainsAny(p, `*?[]\!^#`) || strings.TrimSpace(p) != p
}

// changes tells whether a file gets other attributes.
func (p piece) changes() bool { return p.from.file && p.attr != p.from.attr }

// info says how it is copied.
func (g gathering) info() *llb.CopyInfo {
	i := &llb.CopyInfo{CreateDestPath: true, IncludePatterns: g.include}
	if !g.from.file {
		i.CopyDirContentsOnly = !g.itself
		return i
	}
	if a := g.attr; g.changes() {
		if a.Mode != g.from.attr.Mode {
			i.Mode = &llb.ChmodOpt{Mode: os.FileMode(a.Mode)}
		}
		if a.UID != g.from.attr.UID || a.GID != g.from.attr.GID {
			i.ChownOpt = &llb.ChownOpt{User: &llb.UserOpt{UID: int(a.UID)}, Group: &llb.UserOpt{UID: int(a.GID)}}
		}
		if a.ModTime != g.from.attr.ModTime {
			t := time.Unix(a.ModTime.Sec, int64(a.ModTime.Nsec))
			i.CreatedTime = &t
		}
	}
	return i
}
