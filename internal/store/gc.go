package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/ncruces/go-sqlite3"
)

// GCOptions say what a collection keeps beside what refs and live processes
// need. A limit of zero is no limit, a negative one keeps nothing.
type GCOptions struct {
	// KeepBytes is the size of blobs and nodes, and of results that name neither,
	// up to which results are kept, the most recently used first.
	KeepBytes int64

	// KeepRuns is how many runs are kept, the newest first. Running ones are
	// always kept.
	KeepRuns int

	// KeepLogs is the size in bytes of logs up to which runs are kept, the newest
	// first.
	KeepLogs int64
}

// GCReport says what a collection removed.
type GCReport struct {
	Blobs     int
	BlobBytes int64
	Nodes     int
	NodeBytes int64
	Results   int
	Runs      int
	Ingests   int   // left by dead processes
	Roots     int   // entries of the cache of mountable roots
	LiveBytes int64 // blobs and nodes that are kept
}

// GC removes what no ref, result, run or live process needs, and results and
// runs beyond the limits. Other processes can work meanwhile: what they use is
// kept. Only short batches stop them. It reads all nodes and lists all blobs.
// When it is cut off, the store is sound, and the next GC goes on.
func (s *Store) GC(ctx context.Context, o GCOptions) (GCReport, error) {
	var r GCReport
	if err := s.writable(); err != nil {
		return r, err
	}
	lock, err := lockFile(ctx, s.path("leases", gcName), s.opts.Wait)
	if err != nil {
		return r, fmt.Errorf("gc: %w", err)
	}
	defer lock.Close()
	if err := s.collect(ctx, o, &r); err != nil {
		return r, fmt.Errorf("gc: %w", err)
	}
	return r, nil
}

func (s *Store) collect(ctx context.Context, o GCOptions, r *GCReport) (err error) {
	if _, err := s.spendReserve(); err != nil {
		return err
	}
	defer makeReserve(s.dir)
	if r.Ingests, err = s.reclaim(ctx); err != nil {
		return err
	}
	if r.Roots, err = s.dropRoots(ctx); err != nil {
		return err
	}
	if err := s.dropLeases(); err != nil {
		return err
	}
	if err := s.dropUnbegun(ctx); err != nil {
		return err
	}
	if r.Runs, err = s.dropRuns(ctx, o); err != nil {
		return err
	}
	if err := s.flushUsed(ctx); err != nil {
		return err
	}
	var g *graph
	var evict []int64
	err = s.view(ctx, func(c *conn) error {
		if g, err = s.loadGraph(c, false); err != nil {
			return err
		}
		evict, err = g.survey(c, o.KeepBytes)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.evict(ctx, evict); err != nil {
		return err
	}
	r.Results = len(evict)
	if err := s.sweepNodes(ctx, g, r); err != nil {
		return err
	}
	if err := s.sweepBlobs(ctx, g, r); err != nil {
		return err
	}
	r.LiveBytes = g.liveBytes
	return s.shrink(ctx)
}

// dropRoots removes the mountable roots that nobody claims.
func (s *Store) dropRoots(ctx context.Context) (n int, err error) {
	list, err := os.ReadDir(s.Roots())
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		ok, err := removeUnowned(s.path("roots", e.Name()), nil)
		if err != nil {
			return n, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// cached is a result, for the order in which results are kept.
type cached struct {
	roots
	used int64
	size int64 // bytes that it has itself, if it names nothing that has
}

// survey marks what is needed, and results as long as they fit into keep bytes.
// It gives the rows of the results that do not fit or are not whole.
func (g *graph) survey(c *conn, keep int64) (evict []int64, err error) {
	if err := g.readLeases(c); err != nil {
		return nil, err
	}
	for table, sql := range rootTables() {
		if table == "results" {
			continue
		}
		rows, err := rootsBehind(c, sql, 0)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			g.seen[table] = r.seq
			if err := g.mark(c, r.trees, r.blobs); err != nil {
				return nil, err
			}
		}
	}
	if err := g.readRuns(c); err != nil {
		return nil, err
	}
	var list []cached
	err = c.query("SELECT seq, trees, blobs, used, length(data) FROM results", nil, func(st *sqlite3.Stmt) error {
		r, err := scanRoots(st)
		one := cached{roots: r, used: st.ColumnInt64(3)}
		if len(r.trees)+len(r.blobs) == 0 {
			one.size = st.ColumnInt64(4)
		}
		list = append(list, one)
		g.seen["results"] = max(g.seen["results"], r.seq)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b cached) int { return cmp.Or(cmp.Compare(b.used, a.used), cmp.Compare(b.seq, a.seq)) })
	full := keep < 0
	var own int64 // bytes of results that name nothing
	for _, r := range list {
		before := g.liveBytes
		g.begin()
		whole := g.whole(r.roots)
		if whole {
			if err := g.mark(c, r.trees, r.blobs); err != nil {
				return nil, err
			}
			own += r.size
			full = full || keep > 0 && g.liveBytes+own > keep
		}
		if !whole || keep < 0 || full && (g.liveBytes > before || r.size > 0) {
			g.undo()
			if whole {
				own -= r.size
			}
			evict = append(evict, r.seq)
		}
	}
	return evict, nil
}

// whole tells whether roots are there.
func (g *graph) whole(r roots) bool {
	for _, d := range r.trees {
		i, ok := g.byNode[d]
		if !ok || g.nodes[i].seq == 0 || g.nodes[i].broken {
			return false
		}
	}
	for _, d := range r.blobs {
		i, ok := g.byBlob[d]
		if !ok || g.blobs[i].size < 0 || g.blobs[i].size == 0 && d != digest.Of(nil) {
			return false
		}
	}
	return true
}

// evict removes rows of results; one that was replaced meanwhile has another seq.
func (s *Store) evict(ctx context.Context, seqs []int64) error {
	for chunk := range slices.Chunk(seqs, 1000) {
		err := s.db.write(ctx, false, func(c *conn) error {
			return c.deleteRows("DELETE FROM results WHERE seq = ?", chunk)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) deleteRows(sql string, seqs []int64) error {
	for _, seq := range seqs {
		if err := c.query(sql, func(st *sqlite3.Stmt) error { return st.BindInt64(1, seq) }, nil); err != nil {
			return err
		}
	}
	return nil
}

// sweepNodes removes nodes that are not live, parents before children: so a node
// that is there has all below it, wherever this is cut off.
func (s *Store) sweepNodes(ctx context.Context, g *graph, r *GCReport) error {
	for chunk := range slices.Chunk(g.deadNodes(), 250) {
		// What came since the last batch is marked beforehand, so that others
		// wait only for what came since that.
		if err := s.view(ctx, g.catchUp); err != nil {
			return err
		}
		around := func(f func() error) error { return s.exclude(ctx, f) }
		err := s.db.writeWithin(ctx, false, around, func(c *conn) error {
			if err := g.catchUp(c); err != nil {
				return err
			}
			var seqs []int64
			for _, i := range chunk {
				if n := &g.nodes[i]; !n.live && n.seq != 0 {
					seqs = append(seqs, n.seq)
					r.Nodes++
					r.NodeBytes += n.size
					n.seq = 0
				}
			}
			return c.deleteRows("DELETE FROM nodes WHERE seq = ?", seqs)
		})
		if err != nil {
			return err
		}
	}
	// Blobs go only after what named them is gone from the disk.
	return s.db.write(ctx, true, func(c *conn) error {
		return c.query("UPDATE collections SET number = number + 1", nil, nil)
	})
}

// deadNodes gives the nodes that are not live, parents before children.
func (g *graph) deadNodes() []int32 {
	order := g.childrenFirst(func(n *graphNode) bool { return n.live || n.seq == 0 })
	slices.Reverse(order)
	return order
}

// sweepBlobs removes blobs that are not live.
func (s *Store) sweepBlobs(ctx context.Context, g *graph, r *GCReport) error {
	var dead []int32
	for i, b := range g.blobs {
		if b.size >= 0 && !b.live {
			dead = append(dead, int32(i))
		}
	}
	for len(dead) > 0 {
		if err := s.view(ctx, g.catchUp); err != nil {
			return err
		}
		err := s.exclude(ctx, func() error {
			if err := s.view(ctx, g.catchUp); err != nil {
				return err
			}
			const group, patience = 64, 20 * time.Millisecond // others wait meanwhile
			for start := time.Now(); len(dead) > 0 && time.Since(start) < patience; {
				n := min(group, len(dead))
				if err := s.removeBlobs(g, dead[:n], r); err != nil {
					return err
				}
				dead = dead[n:]
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeBlobs removes those that are not live, several at once: a disk can be
// slow to answer.
func (s *Store) removeBlobs(g *graph, dead []int32, r *GCReport) error {
	const workers = 4
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(dead); i += workers {
				b := &g.blobs[dead[i]]
				if b.live {
					continue
				}
				err := os.Remove(s.path("blobs", s.locate(b.digest).name))
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					errs[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	for _, i := range dead {
		if b := &g.blobs[i]; !b.live {
			r.Blobs++
			r.BlobBytes += b.size
		}
	}
	return errors.Join(errs...)
}

// shrink gives pages of the database back that are not used.
func (s *Store) shrink(ctx context.Context) error {
	const pages, steps = 500, 1000
	for range steps {
		free := 0
		err := s.db.write(ctx, false, func(c *conn) error {
			err := c.query("PRAGMA freelist_count", nil, func(st *sqlite3.Stmt) error {
				free = st.ColumnInt(0)
				return nil
			})
			if err != nil || free < pages {
				return err
			}
			return dbError(c.Exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", pages)))
		})
		if err != nil || free < pages {
			return err
		}
	}
	return nil
}
