// Package buildkit has processes run by BuildKit daemons: it is the
// [engine.Remote] of an engine that composes trees itself.
//
//   - A [held] is what a daemon holds: an image or what a process left. Its tree is
//     a view: a directory is listed, by the daemon's gateway, when the planner or a
//     person looks into it.
//   - When a process is to see a tree, it is lowered (lower.go): what differs from
//     the held tree that it began with becomes merges of snapshots, copies between
//     what the daemon holds, and images that this process serves, of which the
//     daemon fetches what it lacks.
//   - What runs in containers at the daemon is inlay-shim ([internal/shim]): it
//     runs processes, captures trees, and changes what file operations cannot.
//
// Everything is a state of LLB, which does not depend on the daemon: when one goes
// away, another one of the pool goes on.
package buildkit

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
)

// Options say where processes run, and how.
type Options struct {
	// Addresses are those of the daemons. One of them is used at a time; the next
	// when it goes away. See [daemon.ParseAddress].
	Addresses []daemon.Address
	// Route chooses the daemon that is tried first: the same for the same text, as
	// long as the addresses are the same. "" takes them in order.
	Route string
	// CacheFrom and CacheTo are where a daemon looks for results that it does not
	// have, and puts those of a run at its end. It reads one alone.
	CacheFrom []engine.Cache
	CacheTo   []engine.Cache
	// Copy has files copied into a tree instead of merging snapshots, as it is done
	// for daemons that are too old to merge.
	Copy bool
	// Apply has every tree made by a process that changes the one it began with,
	// whatever else would do: it is what the other ways are held to.
	Apply bool
}

// Remote runs processes on BuildKit daemons.
type Remote struct {
	options Options
	local   engine.Local
	order   []daemon.Address
	uploads *uploads
	watches *watches
	places  places
	listed  listed
	lists   lists
	shims   shims

	from, to []client.CacheOptionsEntry // the caches of the options

	mu     sync.Mutex
	daemon *daemon.Daemon // nil before the first use, and after one is lost
	next   int            // of order
	holds  map[digest.Digest]*held
	wrong  map[digest.Digest]string // trees that a daemon made something else of, and why

	spoil func(llb.State, engine.LoweringKind) llb.State // in tests: what a daemon that lies makes of it
	came  []came                                         // what processes came to, in the order of their ends
}

// ParseEngine reads an address, or several with a comma between them, as --engine has it:
// "buildkit://" and what buildctl knows a daemon by behind it.
func ParseEngine(s string) ([]daemon.Address, error) {
	rest, ok := strings.CutPrefix(s, "buildkit://")
	if !ok {
		return nil, fmt.Errorf("%q is no engine: it is embedded, or buildkit:// with the address of a daemon behind it, as in buildkit://unix:///run/buildkit/buildkitd.sock", s)
	}
	if rest == "" {
		rest = "unix:///run/buildkit/buildkitd.sock"
	}
	var out []daemon.Address
	for part := range strings.SplitSeq(rest, ",") {
		if part == "" {
			return nil, fmt.Errorf("%q is no engine: a comma has an address before and behind it", s)
		}
		a, err := daemon.ParseAddress(part)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// New gives the remote of an engine. Nothing is connected before it is needed.
func New(o Options, local engine.Local) (*Remote, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("no address of a BuildKit daemon")
	}
	if len(o.CacheFrom) > 1 {
		return nil, fmt.Errorf("there are %d caches to read (%s): a daemon would take what a process said from one of them and its files from another: name one", len(o.CacheFrom), joined(o.CacheFrom))
	}
	r := &Remote{
		options: o, local: local, order: ordered(o.Addresses, o.Route),
		holds: map[digest.Digest]*held{}, wrong: map[digest.Digest]string{},
	}
	var err error
	if r.from, err = entries(o.CacheFrom, cacheFrom); err != nil {
		return nil, err
	}
	if r.to, err = entries(o.CacheTo, cacheTo); err != nil {
		return nil, err
	}
	r.watches, r.uploads = newWatches(r.unread), newUploads(local)
	return r, nil
}

// At gives what makes the remote of an engine: for the options of a client.
func At(o Options) func(engine.Local) (engine.Remote, error) {
	return func(l engine.Local) (engine.Remote, error) { return New(o, l) }
}

// ordered gives the addresses by their rank for a route: highest random weight, so
// that one address more or less moves few routes.
func ordered(all []daemon.Address, route string) []daemon.Address {
	out := slices.Clone(all)
	if route == "" {
		return out
	}
	weight := func(a daemon.Address) uint64 {
		h := fnv.New64a()
		h.Write([]byte(route + "\x00" + a.URL))
		return h.Sum64()
	}
	slices.SortStableFunc(out, func(a, b daemon.Address) int {
		switch x, y := weight(a), weight(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return out
}

// connected gives a daemon that answers: the one in use, or the next one.
func (r *Remote) connected(ctx context.Context) (*daemon.Daemon, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.daemon != nil {
		return r.daemon, nil
	}
	var errs []error
	for range r.order {
		a := r.order[r.next%len(r.order)]
		d, err := daemon.Dial(ctx, daemon.Options{
			Address: a, Contents: r.uploads, Secret: r.local.Secret,
			Status: r.watches.status, Imports: r.from,
		})
		if err == nil {
			r.daemon = d
			r.missing()
			return d, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		errs = append(errs, err)
		r.next++
	}
	return nil, errors.Join(errs...)
}

// lose takes a daemon out of use that went away.
func (r *Remote) lose(d *daemon.Daemon) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.daemon == d {
		r.daemon = nil
		r.next++
		go d.Close() // it waits for an answer
	}
}

// on carries out f on a daemon; if that goes away meanwhile, on the next one, as
// often as there are daemons.
func (r *Remote) on(ctx context.Context, f func(*daemon.Daemon) error) error {
	var last error
	for range len(r.order) + 1 {
		d, err := r.connected(ctx)
		if err != nil {
			return errors.Join(last, err)
		}
		err = f(d)
		if err == nil || !errors.Is(err, daemon.ErrLost) || ctx.Err() != nil {
			return err
		}
		last = err
		r.lose(d)
	}
	return last
}

// Close ends the use of the daemons.
func (r *Remote) Close(ctx context.Context) error {
	_ = r.lists.write(ctx, r) // else they are asked for again
	r.mu.Lock()
	d := r.daemon
	r.daemon = nil
	r.mu.Unlock()
	r.uploads.close()
	if d == nil {
		return nil
	}
	return d.Close()
}
