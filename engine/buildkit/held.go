package buildkit

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// held is a tree that daemons hold or can make again.
type held struct {
	remote *Remote
	state  llb.State
	id     digest.Digest // of what makes it
	attr   tree.Attr     // of its root, as the planner knows it

	mu       sync.Mutex
	of       *daemon.Daemon // that ref is of
	ref      daemon.Ref
	identity digest.Digest  // of what is there; zero if it is not known
	made     *daemon.Daemon // by which it was, as identity says; nil if any makes the same
	expected digest.Digest  // of the tree that it is held against; zero if of none
	ranOf    string         // the run that left it, of what a process left
	clock    clock          // of what a process left
	ending   *ending        // of the process that left it; nil of what none left
	from     []*held        // what it is made of, which may have been left by processes

	surveyed atomic.Bool // lists of it come out of a survey

	once struct {
		sync.Mutex
		done  bool
		whole tree.Tree
		raw   tree.Tree // with times as the daemon has them
	}
}

// hold gives what a state makes, the same for the same state.
func (r *Remote) hold(ctx context.Context, s llb.State, a tree.Attr) (*held, error) {
	var id digest.Digest
	err := r.on(ctx, func(d *daemon.Daemon) error {
		def, err := d.Define(ctx, s)
		if err != nil {
			return fmt.Errorf("define what the daemon is to make: %w", err)
		}
		id = digest.Of(nil) // of scratch, which nothing makes
		if n := len(def.Def); n > 0 {
			id = digest.Of(def.Def[n-1]) // it names what it is the output of
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.holds[id]; h != nil {
		return h, nil
	}
	h := &held{remote: r, state: s, id: id, attr: a}
	r.holds[id] = h
	return h, nil
}

// view gives the tree as the planner sees it.
func (h *held) view() tree.Tree {
	return h.directory("/", h.rootAttr())
}

// asView gives what results have that begin with it.
func (h *held) asView() *engine.Held { return &engine.Held{Tree: h.view(), By: h} }

// directory gives the view of a directory.
func (h *held) directory(p string, a tree.Attr) tree.Tree {
	in := h.standIn(p)
	h.remote.places.add(in, place{held: h, path: p, attr: a})
	return tree.View(a, in, lister{h, p})
}

// standIn gives what stands for what is at a path.
func (h *held) standIn(p string) digest.Digest {
	return digest.Of([]byte("inlay view 1\n" + h.id.String() + "\n" + p))
}

// at carries out f on what a daemon holds of it.
func (h *held) at(ctx context.Context, f func(daemon.Ref) error) error {
	return h.remote.on(ctx, func(d *daemon.Daemon) error {
		ref, err := h.solved(ctx, d)
		if err != nil {
			return err
		}
		return d.Lost(f(ref))
	})
}

// solved gives what the daemon holds of it.
func (h *held) solved(ctx context.Context, d *daemon.Daemon) (daemon.Ref, error) {
	h.mu.Lock()
	of, from := h.of, h.from
	h.mu.Unlock()
	if of != d {
		if err := endsAgain(ctx, d, append(from[:len(from):len(from)], h)...); err != nil {
			return daemon.Ref{}, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == d {
		return h.ref, nil
	}
	def, err := d.Define(ctx, h.state)
	if err != nil {
		return daemon.Ref{}, err
	}
	refs, err := d.Solve(ctx, def)
	if err != nil {
		return daemon.Ref{}, h.remote.watches.explained(ctx, err, def)
	}
	if h.made != nil && h.made != d {
		h.identity = digest.Digest{} // it was made again
	}
	h.of, h.ref = d, refs[0]
	return h.ref, nil
}

// setAttr says what the attributes of the root are.
func (h *held) setAttr(a tree.Attr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attr = a
}

// leftBy says which run of a process left it, and when.
func (h *held) leftBy(name string, c clock) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ranOf, h.clock = name, c
}

// clocked gives the clock of what a process left; one that has no times of other things.
func (h *held) clocked() clock {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

// run gives the run that left it; "" of what none left.
func (h *held) run() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ranOf
}

// rootAttr gives the attributes of the root.
func (h *held) rootAttr() tree.Attr {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.attr
}

// lister lists a directory of what a daemon holds.
type lister struct {
	held *held
	path string
}

// List asks the daemon, unless it is known from an earlier run.
func (l lister) List(ctx context.Context) (out []tree.Child, err error) {
	if list := l.recall(ctx); list != nil {
		return l.children(ctx, list)
	}
	var list []*fstypes.Stat
	var vague bool
	err = l.held.at(ctx, func(r daemon.Ref) error {
		if r.IsEmpty() {
			return nil
		}
		list, err = r.Reference().ReadDir(ctx, gateway.ReadDirRequest{Path: l.path})
		if err == nil {
			vague, err = l.vague(ctx, r, list)
		}
		return err
	})
	if vague || isNoText(err) {
		return l.surveyed(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s at the daemon: %w", l.path, err)
	}
	l.remember(list)
	return l.children(ctx, list)
}

// children gives what a list has.
func (l lister) children(ctx context.Context, list []*fstypes.Stat) (out []tree.Child, err error) {
	clock := l.held.clocked()
	for _, s := range list {
		p := path.Join(l.path, s.Path)
		e, err := entryOf(s)
		if err != nil {
			return nil, fmt.Errorf("%s at the daemon: %w", p, err)
		}
		a := e.Attr()
		a.ModTime = clock.time(ctx, l.held.remote, p, e)
		e = l.held.stands(p, e.WithAttr(a))
		out = append(out, tree.Child{Name: s.Path, Entry: e})
	}
	return out, nil
}

// entryOf gives the entry that a daemon describes, with nothing in it.
func entryOf(s *fstypes.Stat) (tree.Entry, error) {
	a := attrOf(s)
	switch mode := os.FileMode(s.Mode); mode & os.ModeType {
	case os.ModeDir:
		return tree.Empty().With(a), nil
	case 0:
		return tree.File{Attributes: a, Size: s.Size}, nil
	case os.ModeSymlink:
		return tree.Symlink{Attributes: a, Target: s.Linkname}, nil
	case os.ModeDevice, os.ModeDevice | os.ModeCharDevice:
		return tree.Device{Attributes: a, Block: mode&os.ModeCharDevice == 0, Major: uint32(s.Devmajor), Minor: uint32(s.Devminor)}, nil
	case os.ModeNamedPipe:
		return tree.Fifo{Attributes: a}, nil
	case os.ModeSocket:
		return tree.Socket{Attributes: a}, nil
	default:
		return nil, fmt.Errorf("of an unknown kind %v", mode)
	}
}

// stands gives an entry with what stands for what it holds, and notes where that is.
func (h *held) stands(p string, e tree.Entry) tree.Entry {
	switch e := e.(type) {
	case tree.Tree:
		return h.directory(p, e.Attr())
	case tree.File:
		if e.Size > 0 {
			e.Content = h.standIn(p)
			h.remote.places.add(e.Content, place{held: h, path: p, attr: e.Attributes, file: true, size: e.Size})
			return e
		}
	}
	return h.byValue(p, e)
}

// byValue notes where an entry is that nothing stands for.
func (h *held) byValue(p string, e tree.Entry) tree.Entry {
	h.remote.listed.add(e, place{held: h, path: p})
	return e
}

// attrOf gives the attributes that the daemon tells.
func attrOf(s *fstypes.Stat) tree.Attr {
	mode := os.FileMode(s.Mode)
	a := tree.Attr{Mode: tree.Mode(mode.Perm()), UID: s.Uid, GID: s.Gid}
	for bit, to := range map[os.FileMode]tree.Mode{os.ModeSetuid: 0o4000, os.ModeSetgid: 0o2000, os.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			a.Mode |= to
		}
	}
	a.ModTime = timeOf(s.ModTime)
	if len(s.Xattrs) > 0 {
		pairs := map[string]string{}
		for name, value := range s.Xattrs {
			if !strings.HasPrefix(name, "trusted.") { // the snapshotter's own: no process can set one
				pairs[name] = string(value)
			}
		}
		a.Xattrs = tree.NewXattrs(pairs)
	}
	return a
}

// timeOf gives a time of nanoseconds since 1970.
func timeOf(ns int64) tree.Time {
	sec, rest := ns/1e9, ns%1e9
	if rest < 0 {
		sec, rest = sec-1, rest+1e9
	}
	return tree.Time{Sec: sec, Nsec: uint32(rest)}
}

// place is where something is that a stand-in or a digest stands for.
type place struct {
	held  *held
	path  string
	attr  tree.Attr // as it is there
	file  bool      // otherwise a directory
	size  int64
	known bool // it is there by its digest, not by what stands for it
}

// places finds what is held: of each thing that is held the first place.
type places struct {
	mu  sync.Mutex
	all map[digest.Digest][]place
}

func (p *places) add(d digest.Digest, at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[digest.Digest][]place{}
	}
	for _, there := range p.all[d] {
		if there.held == at.held {
			return
		}
	}
	p.all[d] = append(p.all[d], at)
}

// find finds something, wherever it is.
func (p *places) find(d digest.Digest) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if all := p.all[d]; len(all) > 0 {
		return all[0], true
	}
	return place{}, false
}

// among finds something in what a tree was composed of, by its digest where all was known
// of that. What is asked of a daemon follows from the tree alone, and not from what else
// has been read there before: other words for the same would have it made, or run, again.
func (p *places) among(parts []*engine.Held, d digest.Digest) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all[d]
	for _, h := range parts {
		_, isView := h.Tree.StandIn()
		for _, at := range all {
			if at.held == h.By.(*held) && (!at.known || !isView || at.held.surveyed.Load()) {
				return at, true
			}
		}
	}
	return place{}, false
}

// listed is where a daemon listed what is known by its value alone: a symlink, a fifo,
// a device, an empty file. A list does not tell which of them are names of one inode.
type listed struct {
	mu  sync.Mutex
	all map[tree.Entry]map[place]bool
}

func (l *listed) add(e tree.Entry, at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[tree.Entry]map[place]bool{}
	}
	e = e.WithAttr(tree.Attr{}) // an operation may have changed them
	if l.all[e] == nil {
		l.all[e] = map[place]bool{}
	}
	l.all[e][at] = true
}

// among finds where in what a tree was composed of.
func (l *listed) among(parts []*engine.Held, e tree.Entry) (out []place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.all[e.WithAttr(tree.Attr{})] {
		if slices.ContainsFunc(parts, func(h *engine.Held) bool { return h.By.(*held) == at.held }) {
			out = append(out, at)
		}
	}
	return out
}

// OpenContent opens a file that a daemon holds.
func (r *Remote) OpenContent(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	at, ok := r.places.find(d)
	if !ok || !at.file {
		return nil, fmt.Errorf("no daemon is known to hold %s: %w", d, fs.ErrNotExist)
	}
	if !utf8.ValidString(at.path) {
		return r.openOddlyNamed(ctx, at)
	}
	var out io.Reader
	err := at.held.at(ctx, func(ref daemon.Ref) error {
		out = ref.Open(ctx, at.path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if d != at.held.standIn(at.path) {
		out = digest.Verify(out, d, at.size)
	}
	return io.NopCloser(out), nil
}

// openOddlyNamed opens a file whose path is no UTF-8, by which no daemon can be asked for
// one: all of the tree is brought here.
func (r *Remote) openOddlyNamed(ctx context.Context, at place) (io.ReadCloser, error) {
	t, err := at.held.whole(ctx)
	if err != nil {
		return nil, err
	}
	e, err := t.Lookup(ctx, at.path)
	if err != nil {
		return nil, err
	}
	f, ok := e.(tree.File)
	if !ok {
		return nil, fmt.Errorf("%q at the daemon: it is no file any more", at.path)
	}
	missing, err := r.local.Missing(ctx, []digest.Digest{f.Content})
	if err == nil && len(missing) > 0 {
		v := at.held.asView()
		err = r.fetchAll(ctx, engine.Result{Tree: v.Tree, Held: v})
	}
	if err != nil {
		return nil, err
	}
	return r.local.OpenContent(ctx, f.Content)
}
