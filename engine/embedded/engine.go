// Package embedded is the engine of this machine: part of the process that uses
// it, without a daemon, sharing its store with others.
//
// An [Engine] resolves each op in a file of its own name: copy.go, exec.go, and
// so on. Trees stay in memory until something must name them: a result that is
// kept, a ref, a run. What is kept is written by one commit of the store, blobs
// first, then nodes, then the names. Processes are run in mounted trees, and
// what they wrote is captured.
package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	gort "runtime"
	"slices"
	"strings"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// Options say how an engine works. The zero Options are right for users.
type Options struct {
	// Store is the directory of the store; "" is [DefaultStore].
	Store string
	// Secret gives the value of a secret by its name. Nil reads "env:NAME" from
	// the environment and "file:PATH" from this machine.
	Secret func(ctx context.Context, name string) ([]byte, error)
	// Limits bound what images may unpack to.
	Limits Limits
	// Root is the way to make a tree the root of a process; the zero value takes
	// the best that works here.
	Root checkout.Method
	// Stdin and Stdout are what the path "-" of a place stands for; nil is an
	// empty one.
	Stdin  io.Reader
	Stdout io.Writer
	// Terminal is the person's, which a [graph.Terminal] opens; the zero value is
	// none.
	Terminal Streams
	// Record makes the store remember every Resolve as a run, with its steps and
	// their logs: see [runs.RunRecord]. A store that cannot be written remembers none.
	Record bool
	// Asked is what a run that is remembered was asked for, in the words of the
	// user; "" is the call of the node. See also [Engine.Begin].
	Asked string
	// KeepRuns and KeepLogs are how many runs, and how many bytes of logs, are
	// kept: the oldest beyond that are forgotten at the end of a run, now and then,
	// so that there may be some 30 more; [Engine.Collect] leaves no more.
	// 0 is 100 runs and 1 GiB; a negative number is no limit.
	KeepRuns int
	KeepLogs int64
	// LogLimit is how many bytes are kept of what a process says: the beginning
	// and the end. 0 is [steplog.DefaultLimit], a negative number is no limit. The
	// result has all of it.
	LogLimit int64
	// Epoch is the time, in seconds since 1970, of directories that copies have to
	// make, and of what images say of their making. It is what SOURCE_DATE_EPOCH
	// says elsewhere; nothing ever takes the time of day.
	Epoch int64
	// Remote gives a machine that runs the processes instead, and pulls images from
	// registries; nil is this one.
	Remote func(engine.Local) (engine.Remote, error)
	// Name is what runs say of the engine that made them; "" is "embedded".
	Name string
	// Processes is how many processes run at a time; 0 stands for the number of
	// processors, but for two at least.
	Processes int
	// CacheFrom are where results of other machines are read from, and CacheTo where
	// [Engine.ExportCache] writes them: see docs/cache.md.
	CacheFrom, CacheTo []engine.Cache
}

// Limits bound what an image may unpack to, because few bytes can stand for
// many. Zero stands for a default, a negative number for no limit.
type Limits struct {
	MaxBytes   int64 // of all files of a layer: 256 GiB
	MaxEntries int64 // of a layer: 4,000,000
	MaxDepth   int64 // names in a path: 1,024
	MaxHoles   int64 // bytes of holes in sparse files of a layer: 16 GiB
	MaxMeta    int64 // bytes of names, link targets and extended attributes of a layer: 512 MiB
}

// Engine is the engine of this machine.
type Engine struct {
	options  Options
	store    *store.Store
	source   *nodes
	remote   *registry.Client
	lazy     *lazy     // the store, and the caches
	withRuns *withRuns // the store, and the nodes of runs
	caches   *caches   // nil without any
	origins  origins   // of images that are not here as a whole
	made     made      // results, for caches

	arrivals arrivals // contents that are not there yet
	audience audience
	where    engine.Remote // runs the processes; nil for this machine

	slots    chan struct{} // of processes
	terminal terminals

	mu      sync.Mutex
	roots   *checkout.Roots                 // nil before the first exec
	mounted map[digest.Digest]tree.Tree     // the last tree that was mounted, by the digest of its origin
	running map[digest.Digest]chan struct{} // execs by key; closed when they end
}

// DefaultStore gives the directory of the store when none is named:
// $INLAY_STORE, /var/lib/inlay for root, otherwise inlay in $XDG_DATA_HOME or
// in ~/.local/share.
func DefaultStore() (string, error) {
	if dir := os.Getenv("INLAY_STORE"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "inlay"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/inlay", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the store: %w; name one with --store or $INLAY_STORE", err)
	}
	return filepath.Join(home, ".local", "share", "inlay"), nil
}

// Open opens an engine and its store, which is made if there is none. It takes
// a few milliseconds.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Store == "" {
		var err error
		if o.Store, err = DefaultStore(); err != nil {
			return nil, err
		}
	}
	if o.Secret == nil {
		o.Secret = readSecret
	}
	if o.Stdin == nil {
		o.Stdin = strings.NewReader("")
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Processes <= 0 {
		o.Processes = max(2, gort.NumCPU())
	}
	s, err := store.Open(ctx, o.Store, store.Options{References: tree.References})
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w; name another one with --store or $INLAY_STORE", err)
		}
		return nil, fmt.Errorf("open the store %s: %w", o.Store, err)
	}
	e := &Engine{
		options: o, store: s, source: &nodes{s},
		remote:   registry.New(registry.Options{}),
		slots:    make(chan struct{}, o.Processes),
		running:  map[digest.Digest]chan struct{}{},
		terminal: newTerminals(),
	}
	e.lazy, e.withRuns = &lazy{e}, &withRuns{e.source}
	if e.caches, err = newCaches(e, o.CacheFrom); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	if o.Remote != nil {
		if e.where, err = o.Remote(local{e}); err != nil {
			return nil, errors.Join(err, s.Close(ctx))
		}
	}
	return e, nil
}

// Close ends the use of the engine.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	roots := e.roots
	e.roots = nil
	e.mu.Unlock()
	e.arrivals.close()
	var err error
	if roots != nil {
		err = roots.Close()
	}
	if e.where != nil {
		err = errors.Join(err, e.where.Close(ctx))
	}
	return errors.Join(err, e.caches.close(), e.origins.close(), e.store.Close(ctx))
}

// Explain tells what a run did that the store remembers, or a step of one: where
// things landed, what came, what went. An unknown one is an fs.ErrNotExist that
// says what there is.
func (e *Engine) Explain(ctx context.Context, n runs.Name) (runs.Explanation, error) {
	return runs.Explain(ctx, e.store, e.withRuns, n)
}

// Store gives the engine's store.
func (e *Engine) Store() *store.Store { return e.store }

// OpenContent opens the content of a file, verified.
func (e *Engine) OpenContent(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	if b, ok := e.arrivals.find(d); ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	b, err := e.store.OpenBlob(ctx, d)
	if errors.Is(err, store.ErrMissing) && e.caches != nil {
		if err = e.caches.body(ctx, d); err == nil {
			b, err = e.store.OpenBlob(ctx, d)
		}
	}
	if errors.Is(err, store.ErrMissing) && e.where != nil {
		r, there := e.where.OpenContent(ctx, d)
		if !errors.Is(there, fs.ErrNotExist) {
			return r, there
		}
	}
	if err != nil {
		if why := e.arrivals.failure(d); why != nil {
			err = fmt.Errorf("the content could not be written: %w", why)
		}
		return nil, err
	}
	return verified{digest.Verify(b, d, b.Size()), b}, nil
}

// verified is a reader that is verified, and what closes it.
type verified struct {
	io.Reader
	io.Closer
}

// Open opens a blob of an image, verified: the store is a source of images. What it
// does not have of an image whose tree came from a cache is where the image is.
func (e *Engine) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	b, err := e.store.OpenBlob(ctx, d.Digest)
	if errors.Is(err, store.ErrMissing) {
		return e.origins.open(ctx, d)
	}
	if err != nil {
		return nil, err
	}
	return image.Verified(b, d), nil
}

// nodes is the store as a source of tree nodes.
type nodes struct {
	store *store.Store
}

// Node gives an encoded node.
func (n *nodes) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	b, err := n.store.Node(ctx, d)
	if errors.Is(err, store.ErrMissing) {
		return nil, fmt.Errorf("%w: %w; `inlay fsck` tells what is damaged", tree.ErrMissingNode, err)
	}
	return b, err
}

// saving is nodes of trees on their way into the store.
type saving struct {
	engine *Engine
	ingest *store.Ingest
	saved  []*tree.Saved
}

// add queues what the store does not have of a tree, and gives its digest.
func (s *saving) add(ctx context.Context, t tree.Tree) (digest.Digest, error) {
	var contents []digest.Digest // that it may need from elsewhere
	saved, err := tree.Save(ctx, t, s.engine.source, func(d digest.Digest, node []byte) error {
		if s.engine.caches != nil {
			_, named, err := tree.References(node)
			if err != nil {
				return err
			}
			contents = append(contents, named...)
		}
		return s.ingest.Nodes(store.Node{Digest: d, Data: node})
	})
	if err == nil {
		err = s.bodies(ctx, contents)
	}
	if err != nil {
		return digest.Digest{}, err
	}
	s.saved = append(s.saved, saved)
	return saved.Digest, nil
}

// commit makes all of it durable, with names for it.
func (s *saving) commit(ctx context.Context, ch store.Changes) error {
	if err := s.engine.commitArrived(ctx, s.ingest.Commit, ch); err != nil {
		return err
	}
	for _, t := range s.saved {
		t.Done()
	}
	return nil
}

func (e *Engine) save(ctx context.Context) (*saving, error) {
	in, err := e.store.NewIngest(ctx)
	if err != nil {
		return nil, err
	}
	return &saving{engine: e, ingest: in}, nil
}

// mountable gives what makes trees mountable, prepared when it is first needed.
func (e *Engine) mountable(ctx context.Context) (*checkout.Roots, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.roots != nil {
		return e.roots, nil
	}
	if err := e.sweep(ctx); err != nil {
		return nil, err
	}
	r, err := checkout.New(ctx, checkout.Options{
		BlobsDir: e.store.BlobsDir(),
		RootsDir: e.store.Roots(),
		Method:   e.options.Root,
		Private:  true,
	})
	if err != nil {
		if os.Geteuid() != 0 {
			err = fmt.Errorf("%w; processes can only be run as root", err)
		}
		return nil, fmt.Errorf("prepare to mount trees: %w", err)
	}
	e.roots = r
	return r, nil
}

// mount makes a tree the root of a process. All of it is brought first.
func (e *Engine) mount(ctx context.Context, roots *checkout.Roots, t tree.Tree, near ...tree.Tree) (*checkout.Root, error) {
	if err := e.arrivedOf(ctx, t); err != nil {
		return nil, err
	}
	if err := e.bring(ctx, t); err != nil {
		return nil, err
	}
	return roots.Mount(ctx, t, checkout.MountOptions{Near: near})
}

// near gives trees that the tree of r differs little from, for mounting it: the
// last one of the same origin, and the origin. It notes r's as the last.
func (e *Engine) near(r engine.Result) []tree.Tree {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := r.Origin.Digest()
	last, ok := e.mounted[key]
	if e.mounted == nil {
		e.mounted = map[digest.Digest]tree.Tree{}
	}
	e.mounted[key] = r.Tree
	list := []tree.Tree{r.Origin}
	if ok {
		list = []tree.Tree{last, r.Origin}
	}
	return slices.DeleteFunc(list, func(t tree.Tree) bool { return tree.From(t, e.lazy) }) // not all of it is here
}

// cacheDir is a directory of the store for things that may be lost.
func (e *Engine) cacheDir(names ...string) string {
	return filepath.Join(append([]string{e.store.Dir(), "caches"}, names...)...)
}
