// Package daemon talks to a buildkitd.
//
//   - A [Daemon] is a connection to one, with a session: as long as it lasts the
//     daemon asks this process for contents, secrets and credentials.
//   - A [Ref] is a result that the daemon holds: what is in it can be listed and
//     read, a file at a time.
//   - An [Address] says where it is, as buildctl has it.
//
// Nothing here knows of trees or graphs: what is solved are LLB states.
package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/inlaybuild/inlay/internal/quiet"
)

// Options say how to reach a daemon, and what it may ask this process for.
type Options struct {
	Address Address
	// Contents opens the blobs that states name by [Contents.State]; nil has none.
	Contents Contents
	// Secret gives the value of a secret; nil has none.
	Secret func(ctx context.Context, name string) ([]byte, error)
	// Status receives what goes on at the daemon. It is called by one goroutine.
	Status func(*client.SolveStatus)
	// Imports is where the daemon looks for results that it does not have itself.
	Imports []client.CacheOptionsEntry
}

// Daemon is a connection to a buildkitd, and a session with it. It is used by
// several goroutines at once. Close it at the end.
type Daemon struct {
	options Options
	client  *client.Client
	gateway gateway.Client
	end     func()        // of the session
	ended   chan struct{} // the session is over
	dead    atomic.Bool   // it does not answer any more
	err     error         // why; read after ended
}

// patience is how long a daemon may take to answer at first, and again to begin a session.
var patience = 15 * time.Second

// Dial connects to a daemon and begins a session. An error names the address.
func Dial(ctx context.Context, o Options) (d *Daemon, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("buildkitd at %s: %w", o.Address, o.Address.explained(err))
		}
	}()
	ctx = quiet.Context(ctx)
	c, err := client.New(ctx, o.Address.URL, o.Address.options()...)
	if err != nil {
		return nil, err
	}
	if err := answers(ctx, c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	d = &Daemon{options: o, client: c, ended: make(chan struct{})}
	if err := d.begin(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return d, nil
}

// answers tells whether the daemon answers in time.
func answers(ctx context.Context, c *client.Client) error {
	ctx, end := context.WithTimeout(ctx, patience)
	defer end()
	workers, err := c.ListWorkers(ctx)
	if err == nil && len(workers) == 0 {
		err = errors.New("it has no worker")
	}
	return err
}

// begin begins the session: a build that lasts until Close, in which everything is
// solved.
func (d *Daemon) begin(ctx context.Context) error {
	ready := make(chan gateway.Client)
	over := make(chan struct{})
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	d.end = sync.OnceFunc(func() { close(over) })
	status := make(chan *client.SolveStatus)
	go func() {
		for s := range status {
			if d.options.Status != nil {
				d.options.Status(s)
			}
		}
	}()
	go func() {
		defer end()
		defer close(d.ended)
		_, d.err = d.client.Build(life, client.SolveOpt{
			Session: d.attachables(), OCIStores: d.stores(), CacheImports: d.options.Imports, Internal: true,
			FrontendAttrs: map[string]string{}, // the client writes into it
		}, "inlay",
			func(ctx context.Context, g gateway.Client) (*gateway.Result, error) {
				select {
				case ready <- g:
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
				select {
				case <-over:
					return gateway.NewResult(), nil
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			}, status)
	}()
	select {
	case d.gateway = <-ready:
		go d.beat(life, func(cause error) {
			if cause != nil && life.Err() == nil {
				d.dead.Store(true)
				d.client.Close() // ends all that waits for an answer
			}
			end()
		})
		return nil
	case <-d.ended:
		return d.err
	case <-ctx.Done():
		end()
		return ctx.Err()
	case <-time.After(patience):
		end()
		return fmt.Errorf("%w: no session began in %v", context.DeadlineExceeded, patience)
	}
}

// Close ends the session and the connection.
func (d *Daemon) Close() error {
	d.end()
	select {
	case <-d.ended:
	case <-time.After(5 * time.Second): // it does not answer any more
	}
	if d.dead.Load() {
		return nil // it was closed as it did not answer
	}
	return d.client.Close()
}

// Address gives where the daemon is.
func (d *Daemon) Address() Address { return d.options.Address }

// CanMerge tells whether the daemon knows MergeOp and DiffOp.
func (d *Daemon) CanMerge() bool {
	caps := d.Caps()
	return caps.Supports(pb.CapMergeOp) == nil && caps.Supports(pb.CapDiffOp) == nil
}

// CanMountUnread tells whether the daemon knows mounts of which it does not read all
// before a process runs, to find out whether it ran on the same before.
func (d *Daemon) CanMountUnread() bool {
	caps := d.Caps()
	return caps.Supports(pb.CapExecMountContentCache) == nil
}

// Platform gives the platform that the daemon runs processes of by default.
func (d *Daemon) Platform() ocispec.Platform {
	for _, w := range d.gateway.BuildOpts().Workers {
		if len(w.Platforms) > 0 {
			return w.Platforms[0]
		}
	}
	return ocispec.Platform{}
}

// Gateway gives what containers are started with.
func (d *Daemon) Gateway() gateway.Client { return d.gateway }

// Caps gives what the daemon knows, for marshaling states.
func (d *Daemon) Caps() apicaps.CapSet { return d.gateway.BuildOpts().LLBCaps }

// Define gives the definition of a state for this daemon.
func (d *Daemon) Define(ctx context.Context, s llb.State, o ...llb.ConstraintsOpt) (*llb.Definition, error) {
	return s.Marshal(ctx, append([]llb.ConstraintsOpt{llb.WithCaps(d.Caps())}, o...)...)
}

// Solve makes the results of several definitions, in parallel, and tells when all
// of them are there. Processes and copies have been carried out then.
func (d *Daemon) Solve(ctx context.Context, defs ...*llb.Definition) ([]Ref, error) {
	refs := make([]Ref, len(defs))
	g, ctx := errgroup.WithContext(ctx)
	for i, def := range defs {
		g.Go(func() error {
			r, err := d.gateway.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true, CacheImports: d.imports()})
			if err != nil {
				return err
			}
			ref, err := r.SingleRef()
			refs[i] = Ref{ref}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, d.Lost(err)
	}
	return refs, nil
}

// imports gives the caches that results are looked for in, as the client has found
// them: it serves those that are directories of this machine.
func (d *Daemon) imports() []gateway.CacheOptionsEntry {
	var out []gateway.CacheOptionsEntry
	if err := json.Unmarshal([]byte(d.gateway.BuildOpts().Opts["cache-imports"]), &out); err != nil {
		return nil // there are none
	}
	return out
}

// ErrLost is the error of a daemon that went away while it was needed.
var ErrLost = errors.New("the daemon went away")

// Lost marks the errors of a daemon that went away.
func (d *Daemon) Lost(err error) error {
	if err == nil || errors.Is(err, context.Canceled) && !d.over() {
		return err
	}
	if d.over() || isUnavailable(err) {
		return fmt.Errorf("%w: buildkitd at %s: %w", ErrLost, d.options.Address, err)
	}
	return err
}

// over tells whether the session is.
func (d *Daemon) over() bool {
	if d.dead.Load() {
		return true
	}
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// Export makes the result of a definition and has the daemon export it. It gives
// what exporters and caches tell. Tell is called by one goroutine with what is going
// on; it may be nil.
func (d *Daemon) Export(ctx context.Context, def *llb.Definition, exports []client.ExportEntry, caches []client.CacheOptionsEntry, tell func(*client.SolveStatus)) (map[string]string, error) {
	ctx = quiet.Context(ctx)
	status := make(chan *client.SolveStatus)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for s := range status {
			if tell != nil {
				tell(s)
			}
		}
	}()
	defer func() { <-told }() // Solve has closed status
	r, err := d.client.Solve(ctx, def, client.SolveOpt{
		Exports: exports, CacheExports: caches, CacheImports: d.options.Imports,
		Session: d.attachables(), OCIStores: d.stores(), Internal: true, FrontendAttrs: map[string]string{},
	}, status)
	if err != nil {
		return nil, d.Lost(err)
	}
	return r.ExporterResponse, nil
}

// stores is what the daemon may ask for by digest.
func (d *Daemon) stores() map[string]content.Store {
	if d.options.Contents == nil {
		return nil
	}
	return map[string]content.Store{store: blobs{contents: d.options.Contents}}
}

// attachables is what else the daemon may ask for.
func (d *Daemon) attachables() []session.Attachable {
	out := []session.Attachable{credentials()}
	if d.options.Secret != nil {
		out = append(out, secretsOf(d.options.Secret))
	}
	return out
}

// Ref is a result that a daemon holds.
type Ref struct{ ref gateway.Reference }

// IsEmpty tells whether it is the result without anything in it, for which a daemon
// has no reference.
func (r Ref) IsEmpty() bool { return r.ref == nil }

// Reference gives it as containers are given mounts.
func (r Ref) Reference() gateway.Reference { return r.ref }

// chunk is how much of a file is read at a time: an answer has 16 MiB at most.
const chunk = 4 << 20

// ReadFile reads a file, whose parents are followed inside the result.
func (r Ref) ReadFile(ctx context.Context, name string) ([]byte, error) {
	return io.ReadAll(r.Open(ctx, name))
}

// Open reads a file a piece at a time.
func (r Ref) Open(ctx context.Context, name string) io.Reader {
	return &reader{ctx: ctx, ref: r.ref, name: name}
}

// ReadRange reads a part of a file.
func (r Ref) ReadRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	return r.ref.ReadFile(ctx, gateway.ReadRequest{Filename: name, Range: &gateway.FileRange{Offset: int(offset), Length: int(length)}})
}

type reader struct {
	ctx  context.Context // of the one call of Open that made it
	ref  gateway.Reference
	name string
	at   int
	rest []byte
	err  error
}

// Read gives what comes next.
func (r *reader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 && r.err == nil {
		r.rest, r.err = r.ref.ReadFile(r.ctx, gateway.ReadRequest{Filename: r.name, Range: &gateway.FileRange{Offset: r.at, Length: chunk}})
		r.at += len(r.rest)
		if r.err == nil && len(r.rest) < chunk {
			r.err = io.EOF
		}
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
