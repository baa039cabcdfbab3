package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/inlaybuild/inlay/digest"
	"github.com/ncruces/go-sqlite3"
)

// graph is what refers to what, in memory: the collector's view, made once and
// then kept up with what other processes do. It takes about 150 bytes a blob and
// 200 a node.
type graph struct {
	s      *Store
	nodes  []graphNode
	blobs  []graphBlob
	byNode map[digest.Digest]int32
	byBlob map[digest.Digest]int32

	absent []int32          // nodes that something live refers to and that were not there
	leases map[string]int64 // how much of each was read
	runs   map[string]int64 // how large the record of each was when it was read; ended if it had
	seen   map[string]int64 // table -> highest seq that was read

	liveBytes int64
	journal   []int32 // what was marked since begin: node i as i, blob i as ^i
}

type graphNode struct {
	digest       digest.Digest
	seq          int64 // 0: not in the store
	size         int64
	live, broken bool
	bad          bool // its bytes are not a node of this digest
	nodes, blobs []int32
}

type graphBlob struct {
	digest digest.Digest
	size   int64 // -1: not in the store
	live   bool
}

// roots are what a row of a table names.
type roots struct {
	seq          int64
	trees, blobs []digest.Digest
}

// rootTables are the tables that name trees and blobs, each with the query of
// the rows behind a seq.
func rootTables() map[string]string {
	return map[string]string{
		"results": "SELECT seq, trees, blobs FROM results WHERE seq > ? ORDER BY seq",
		"refs":    "SELECT seq, trees, blobs FROM refs WHERE seq > ? ORDER BY seq",
	}
}

// loadGraph reads all nodes and the names of all blobs. With verify it also
// compares nodes with their digests.
func (s *Store) loadGraph(c *conn, verify bool) (*graph, error) {
	g := &graph{
		s: s, byNode: map[digest.Digest]int32{}, byBlob: map[digest.Digest]int32{},
		leases: map[string]int64{}, runs: map[string]int64{}, seen: map[string]int64{},
	}
	err := c.query("SELECT seq, digest, broken, data FROM nodes", nil, func(st *sqlite3.Stmt) error {
		d, err := digest.FromSum(st.ColumnRawBlob(1))
		if err != nil {
			return nil // fsck names it
		}
		g.fill(g.node(d), st.ColumnInt64(0), st.ColumnInt(2) != 0, st.ColumnRawBlob(3), verify)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return g, s.eachBlob(func(d digest.Digest, size int64) error {
		g.blobs[g.blob(d)].size = size
		return nil
	})
}

// eachBlob lists the files of blobs/.
func (s *Store) eachBlob(yield func(digest.Digest, int64) error) error {
	for i := range 256 {
		prefix := fmt.Sprintf("%02x", i)
		list, err := os.ReadDir(s.path("blobs", prefix))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range list {
			d, err := digest.ParseHex(prefix + e.Name())
			if err != nil {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, os.ErrNotExist) {
				continue
			} else if err != nil {
				return err
			}
			if err := yield(d, info.Size()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *graph) node(d digest.Digest) int32 {
	i, ok := g.byNode[d]
	if !ok {
		i = int32(len(g.nodes))
		g.byNode[d] = i
		g.nodes = append(g.nodes, graphNode{digest: d})
	}
	return i
}

func (g *graph) blob(d digest.Digest) int32 {
	i, ok := g.byBlob[d]
	if !ok {
		i = int32(len(g.blobs))
		g.byBlob[d] = i
		g.blobs = append(g.blobs, graphBlob{digest: d, size: -1})
	}
	return i
}

// fill gives a node its bytes.
func (g *graph) fill(i int32, seq int64, broken bool, data []byte, verify bool) {
	sub, bodies, err := g.s.opts.References(data)
	bad := err != nil || verify && digest.Of(data) != g.nodes[i].digest
	var nodes, blobs []int32
	if !bad {
		for _, d := range sub {
			nodes = append(nodes, g.node(d))
		}
		for _, d := range bodies {
			blobs = append(blobs, g.blob(d))
		}
	}
	n := &g.nodes[i]
	n.seq, n.size, n.broken, n.bad, n.nodes, n.blobs = seq, int64(len(data)), broken, bad, nodes, blobs
}

// begin starts a journal; undo unmarks what was marked since.
func (g *graph) begin() { g.journal = g.journal[:0] }

func (g *graph) undo() {
	for _, i := range g.journal {
		if i >= 0 {
			g.nodes[i].live = false
			g.liveBytes -= g.nodes[i].size
		} else {
			g.blobs[^i].live = false
			g.liveBytes -= max(0, g.blobs[^i].size)
		}
	}
	g.begin()
}

// mark marks roots and all below them. Nodes that are new are read by c.
func (g *graph) mark(c *conn, trees, blobs []digest.Digest) error {
	for _, d := range blobs {
		g.markBlob(g.blob(d))
	}
	var stack []int32
	for _, d := range trees {
		if !d.IsZero() {
			stack = append(stack, g.node(d))
		}
	}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if g.nodes[i].live {
			continue
		}
		if ok, err := g.load(c, i); err != nil {
			return err
		} else if !ok {
			g.absent = append(g.absent, i)
			continue
		}
		n := &g.nodes[i]
		n.live = true
		g.liveBytes += n.size
		g.journal = append(g.journal, i)
		stack = append(stack, n.nodes...)
		for _, b := range n.blobs {
			g.markBlob(b)
		}
	}
	return nil
}

func (g *graph) markBlob(i int32) {
	if b := &g.blobs[i]; !b.live {
		b.live = true
		g.liveBytes += max(0, b.size)
		g.journal = append(g.journal, ^i)
	}
}

// load reads a node that was not in the store when the graph was made.
func (g *graph) load(c *conn, i int32) (ok bool, err error) {
	if g.nodes[i].seq != 0 {
		return true, nil
	}
	err = c.query("SELECT seq, broken, data FROM nodes WHERE digest = ?", bindDigest(g.nodes[i].digest), func(st *sqlite3.Stmt) error {
		ok = true
		g.fill(i, st.ColumnInt64(0), st.ColumnInt(1) != 0, st.ColumnRawBlob(2), false)
		return nil
	})
	return ok, err
}

// catchUp marks what was claimed and named since it was called last. Leases come
// first: a process whose lease is gone by then has its names in the database.
func (g *graph) catchUp(c *conn) error {
	if err := g.readLeases(c); err != nil {
		return err
	}
	for table, sql := range rootTables() {
		rows, err := rootsBehind(c, sql, g.seen[table])
		if err != nil {
			return err
		}
		for _, r := range rows {
			g.seen[table] = r.seq
			if err := g.mark(c, r.trees, r.blobs); err != nil {
				return err
			}
		}
	}
	if err := g.readRuns(c); err != nil {
		return err
	}
	absent := g.absent
	g.absent = nil
	for _, i := range absent {
		if err := g.mark(c, []digest.Digest{g.nodes[i].digest}, nil); err != nil {
			return err
		}
	}
	return nil
}

func rootsBehind(c *conn, sql string, seq int64) (rows []roots, err error) {
	err = c.query(sql, func(st *sqlite3.Stmt) error { return st.BindInt64(1, seq) }, func(st *sqlite3.Stmt) error {
		r, err := scanRoots(st)
		rows = append(rows, r)
		return err
	})
	return rows, err
}

func scanRoots(st *sqlite3.Stmt) (r roots, err error) {
	r.seq = st.ColumnInt64(0)
	if r.trees, err = unpackDigests(st.ColumnRawBlob(1)); err != nil {
		return r, err
	}
	r.blobs, err = unpackDigests(st.ColumnRawBlob(2))
	return r, err
}

// readLeases marks what leases list, as node and as blob. Also those of dead
// processes count until they are removed.
func (g *graph) readLeases(c *conn) error {
	names, err := g.s.leaseNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		f, err := os.Open(g.s.path("leases", name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		at := g.leases[name]
		b, err := io.ReadAll(io.NewSectionReader(f, at, 1<<40))
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		b = b[:len(b)-len(b)%digest.Size]
		ds, err := unpackDigests(b)
		if err != nil {
			return err
		}
		if err := g.mark(c, ds, ds); err != nil {
			return err
		}
		g.leases[name] = at + int64(len(b))
	}
	return nil
}

// ended is the size of a record that says how its run ended: nothing follows.
const ended = -1

// readRuns marks what the steps of runs name, and what the nodes that runs have by
// themselves refer to, of those whose record has grown.
func (g *graph) readRuns(c *conn) error {
	names, err := g.s.runNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		if g.runs[name] == ended {
			continue
		}
		size, err := g.s.recordSize(name)
		if err != nil {
			return err
		}
		if size == g.runs[name] {
			continue // 0 for none
		}
		record, err := g.s.readRecord(name)
		if err != nil {
			return err
		}
		own, _ := ownOf(record, g.s.opts.References)
		nodes, blobs := own.outside(treesOf(stepsOf(record)))
		if err := g.mark(c, nodes, blobs); err != nil {
			return err
		}
		g.runs[name] = int64(len(record))
		if info, _ := infoOf(name, record); !info.Ended.IsZero() {
			g.runs[name] = ended
		}
	}
	return nil
}

// view calls f with a connection inside one state of the database.
func (s *Store) view(ctx context.Context, f func(*conn) error) error {
	return s.db.read(ctx, f)
}

// childrenFirst gives the nodes in an order in which children come before their
// parents, without those that are skipped and without looking below them.
func (g *graph) childrenFirst(skip func(*graphNode) bool) []int32 {
	type frame struct {
		node int32
		next int
	}
	order := make([]int32, 0, len(g.nodes))
	entered := make([]bool, len(g.nodes))
	var stack []frame
	enter := func(i int32) {
		if !entered[i] && !skip(&g.nodes[i]) {
			entered[i] = true
			stack = append(stack, frame{node: i})
		}
	}
	for i := range g.nodes {
		enter(int32(i))
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if sub := g.nodes[top.node].nodes; top.next < len(sub) {
				top.next++
				enter(sub[top.next-1])
				continue
			}
			order = append(order, top.node)
			stack = stack[:len(stack)-1]
		}
	}
	return order
}
