package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"
)

// Problem is one thing that Fsck found.
type Problem struct {
	Kind   Kind
	Digest digest.Digest // of a blob, a node or an action key
	Name   string        // of anything else
	Text   string        // what is wrong, and what was done
}

func (p Problem) String() string {
	name := p.Name
	if !p.Digest.IsZero() {
		name = p.Digest.String()
	}
	return fmt.Sprintf("%s %s: %s", p.Kind, name, p.Text)
}

// FsckReport says what Fsck looked at and what it found. No problems means that
// every digest was verified and every reference leads to something.
type FsckReport struct {
	Blobs    Count
	Nodes    Count
	Problems []Problem

	mu sync.Mutex
}

func (r *FsckReport) found(p Problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Problems = append(r.Problems, p)
}

// Fsck reads every blob and node and follows every reference. What is damaged is
// moved to corrupt/ and then counts as missing: writing it again heals. Nodes
// above something missing can be read but count as missing too; results are
// forgotten; refs and runs are named and kept. Others can work meanwhile. In a
// store that is open for reading it only looks.
func (s *Store) Fsck(ctx context.Context) (*FsckReport, error) {
	r := &FsckReport{}
	err := s.checkDatabase(ctx, r)
	if err == nil {
		err = s.checkBlobs(ctx, r)
	}
	if err == nil {
		err = s.checkReferences(ctx, r)
	}
	if err != nil {
		return r, fmt.Errorf("fsck: %w", err)
	}
	return r, nil
}

func (s *Store) checkDatabase(ctx context.Context, r *FsckReport) error {
	return s.db.one(ctx, func(c *conn) error {
		return c.query("PRAGMA integrity_check", nil, func(st *sqlite3.Stmt) error {
			if text := st.ColumnText(0); text != "ok" {
				r.found(Problem{Kind: KindDatabase, Name: "records.db", Text: text})
			}
			return nil
		})
	})
}

// checkBlobs verifies the files of blobs/.
func (s *Store) checkBlobs(ctx context.Context, r *FsckReport) error {
	const workers = 8 // more than processors: a cold disk likes a queue
	if err := s.checkNames(r); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan digest.Digest, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			buf := make([]byte, 256<<10)
			for d := range work {
				if err := s.checkBlob(d, buf, r); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := s.eachBlob(func(d digest.Digest, size int64) error {
		r.Blobs.add(true, size)
		select {
		case work <- d:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(work)
	wg.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// checkNames sets aside what is not a blob by its name.
func (s *Store) checkNames(r *FsckReport) error {
	for i := range 256 {
		prefix := fmt.Sprintf("%02x", i)
		list, err := os.ReadDir(s.path("blobs", prefix))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range list {
			_, err := digest.ParseHex(prefix + e.Name())
			if err == nil && e.Type().IsRegular() {
				continue
			}
			name := prefix + "/" + e.Name()
			if !s.readOnly {
				if err := os.Rename(s.path("blobs", name), s.path("corrupt", prefix+e.Name())); err != nil {
					return err
				}
			}
			r.found(Problem{Kind: KindBlob, Name: name, Text: "not a file of a blob; moved to corrupt/"})
		}
	}
	return nil
}

func (s *Store) checkBlob(d digest.Digest, buf []byte, r *FsckReport) error {
	f, err := os.Open(s.path("blobs", s.locate(d).name))
	if errors.Is(err, os.ErrNotExist) {
		return nil // collected since it was listed
	} else if err != nil {
		return err
	}
	defer f.Close()
	h := digest.NewHasher()
	_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
	if err != nil && !errors.Is(err, unix.EIO) {
		return err
	}
	if err == nil && h.Digest() == d {
		return s.checkMode(f, d, r)
	}
	text := fmt.Sprintf("its %d bytes are %s", h.Size(), h.Digest())
	if err != nil {
		text = err.Error()
	}
	if s.readOnly {
		r.found(Problem{Kind: KindBlob, Digest: d, Text: text})
		return nil
	}
	if err := s.setAside(f, d); err != nil {
		return err
	}
	r.found(Problem{Kind: KindBlob, Digest: d, Text: text + "; moved to corrupt/"})
	return nil
}

// checkMode takes write and set-id bits away.
func (s *Store) checkMode(f *os.File, d digest.Digest, r *FsckReport) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	bad := info.Mode()&(0o222|os.ModeSetuid|os.ModeSetgid|os.ModeSticky) != 0
	if !bad {
		return nil
	}
	r.found(Problem{Kind: KindBlob, Digest: d, Text: fmt.Sprintf("mode %v; set to 0444", info.Mode())})
	if s.readOnly {
		return nil
	}
	return f.Chmod(0o444)
}

// setAside moves the open, damaged file of a blob away. A process may have
// replaced it by a good one meanwhile: that comes back.
func (s *Store) setAside(f *os.File, d digest.Digest) error {
	from, to := s.path("blobs", s.locate(d).name), s.path("corrupt", d.Hex()+".blob")
	if err := os.Rename(from, to); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if same, err := linked(f, to); same || err != nil {
		return err
	}
	return os.Rename(to, from)
}

// checkReferences verifies nodes and follows all references.
func (s *Store) checkReferences(ctx context.Context, r *FsckReport) error {
	var g *graph
	err := s.view(ctx, func(c *conn) (err error) {
		g, err = s.loadGraph(c, true)
		return err
	})
	if err != nil {
		return err
	}
	for _, n := range g.nodes {
		r.Nodes.add(n.seq != 0, n.size)
	}
	if s.readOnly {
		return s.view(ctx, func(c *conn) error { return s.judge(c, g, r) })
	}
	// Others may have written and collected since the graph was made: what is
	// missing is looked for again while nobody can.
	around := func(f func() error) error { return s.exclude(ctx, f) }
	return s.db.writeWithin(ctx, true, around, func(c *conn) error { return s.judge(c, g, r) })
}

func (s *Store) judge(c *conn, g *graph, r *FsckReport) error {
	runs, err := g.addNamed(c, r)
	if err != nil {
		return err
	}
	if err := g.lookAgain(c); err != nil {
		return err
	}
	for i := range g.nodes {
		if n := &g.nodes[i]; n.bad && n.seq != 0 {
			if err := s.dropNode(c, n, r); err != nil {
				return err
			}
		}
	}
	broken := g.findBroken()
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.seq == 0 || n.bad || n.broken == broken[i] {
			continue
		}
		if broken[i] {
			g.explain(int32(i), r)
		}
		if err := s.setBroken(c, n.seq, broken[i]); err != nil {
			return err
		}
		n.broken = broken[i]
	}
	if err := s.judgeResults(c, g, r); err != nil {
		return err
	}
	if err := judgeRefs(c, g, r); err != nil {
		return err
	}
	judgeRuns(g, runs, r)
	return nil
}

// addNamed adds what rows and records name, as what others have named since the graph was
// made is not in it. It gives what runs have.
func (g *graph) addNamed(c *conn, r *FsckReport) (map[string]namedByRun, error) {
	add := func(trees, blobs []digest.Digest) {
		for _, d := range trees {
			g.node(d)
		}
		for _, d := range blobs {
			g.blob(d)
		}
	}
	for _, sql := range rootTables() {
		rows, err := rootsBehind(c, sql, 0)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			add(row.trees, row.blobs)
		}
	}
	names, err := g.s.runNames()
	if err != nil {
		return nil, err
	}
	runs := map[string]namedByRun{}
	for _, name := range names {
		record, err := g.s.readRecord(name)
		if err != nil {
			return nil, err
		}
		if n := badLines(record); n > 0 {
			r.found(Problem{Kind: KindRun, Name: name, Text: fmt.Sprintf("%d lines of its record are damaged: what they say is not known any more", n)})
		}
		own, damaged := ownOf(record, g.s.opts.References)
		for _, d := range damaged {
			r.found(Problem{Kind: KindNode, Digest: d, Text: fmt.Sprintf("its bytes in run %s are damaged", name)})
		}
		for _, n := range own {
			r.Nodes.add(true, int64(len(n.data)))
		}
		runs[name] = namedByRun{stepsOf(record), own}
		add(own.outside(treesOf(runs[name].steps)))
	}
	return runs, nil
}

// namedByRun is what a run names, and the nodes that it has by itself.
type namedByRun struct {
	steps []Step
	own   ownNodes
}

// lookAgain brings the graph up to date where something seemed to be missing.
func (g *graph) lookAgain(c *conn) error {
	for i := 0; i < len(g.nodes); i++ { // grows
		if _, err := g.load(c, int32(i)); err != nil {
			return err
		}
	}
	for i := range g.blobs {
		b := &g.blobs[i]
		if b.size > 0 {
			continue
		}
		ok, err := g.s.present(b.digest, -1)
		if err != nil {
			return err
		}
		b.size = -1
		if ok {
			b.size = 0
		}
	}
	return nil
}

// findBroken tells for each node whether something below it is missing.
func (g *graph) findBroken() []bool {
	broken := make([]bool, len(g.nodes))
	for _, i := range g.childrenFirst(func(*graphNode) bool { return false }) {
		n := &g.nodes[i]
		broken[i] = n.seq == 0 || n.bad ||
			slices.ContainsFunc(n.nodes, func(j int32) bool { return broken[j] }) ||
			slices.ContainsFunc(n.blobs, func(j int32) bool { return g.blobs[j].size < 0 })
	}
	return broken
}

// explain names what is missing directly below a node.
func (g *graph) explain(i int32, r *FsckReport) {
	n := &g.nodes[i]
	for _, j := range n.nodes {
		if m := &g.nodes[j]; m.seq == 0 && !m.bad {
			r.found(Problem{Kind: KindNode, Digest: m.digest, Text: fmt.Sprintf("missing, but node %s names it", n.digest)})
		}
	}
	for _, j := range n.blobs {
		if b := &g.blobs[j]; b.size < 0 {
			r.found(Problem{Kind: KindBlob, Digest: b.digest, Text: fmt.Sprintf("missing, but node %s names it", n.digest)})
		}
	}
}

// dropNode sets a damaged node aside.
func (s *Store) dropNode(c *conn, n *graphNode, r *FsckReport) error {
	p := Problem{Kind: KindNode, Digest: n.digest, Text: "its bytes are damaged"}
	if !s.readOnly {
		p.Text += "; moved to corrupt/"
		var data []byte
		bind := func(st *sqlite3.Stmt) error { return st.BindInt64(1, n.seq) }
		err := c.query("SELECT data FROM nodes WHERE seq = ?", bind, func(st *sqlite3.Stmt) error {
			data = st.ColumnBlob(0, nil)
			return nil
		})
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.path("corrupt"), n.digest.Hex()+".node"), data, 0o600); err != nil {
			return err
		}
		if err := c.query("DELETE FROM nodes WHERE seq = ?", bind, nil); err != nil {
			return err
		}
	}
	r.found(p)
	n.seq = 0
	return nil
}

func (s *Store) setBroken(c *conn, seq int64, broken bool) error {
	if s.readOnly {
		return nil
	}
	return c.query("UPDATE nodes SET broken = ? WHERE seq = ?", func(st *sqlite3.Stmt) error {
		return errors.Join(st.BindBool(1, broken), st.BindInt64(2, seq))
	}, nil)
}

// judgeResults forgets results that are not whole.
func (s *Store) judgeResults(c *conn, g *graph, r *FsckReport) error {
	var drop []int64
	err := c.query("SELECT seq, trees, blobs, key FROM results", nil, func(st *sqlite3.Stmt) error {
		row, err := scanRoots(st)
		if err != nil {
			return err
		}
		key, err := digest.FromSum(st.ColumnRawBlob(3))
		if err != nil {
			return err
		}
		if !g.whole(row) {
			drop = append(drop, row.seq)
			r.found(Problem{Kind: KindResult, Digest: key, Text: "something that it names is missing; forgotten"})
		}
		return nil
	})
	if err != nil || s.readOnly {
		return err
	}
	return c.deleteRows("DELETE FROM results WHERE seq = ?", drop)
}

// lacksSome is what is wrong with a ref or a step that is not whole.
const lacksSome = "something that it names is missing; make it again"

func judgeRefs(c *conn, g *graph, r *FsckReport) error {
	return c.query("SELECT 0, trees, blobs, name FROM refs", nil, func(st *sqlite3.Stmt) error {
		row, err := scanRoots(st)
		if err != nil {
			return err
		}
		if !g.whole(row) {
			r.found(Problem{Kind: KindRef, Name: st.ColumnText(3), Text: lacksSome})
		}
		return nil
	})
}

func judgeRuns(g *graph, runs map[string]namedByRun, r *FsckReport) {
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		lacks := runs[name].own.lacking(g)
		for _, step := range runs[name].steps {
			if slices.ContainsFunc(step.trees(), lacks) {
				r.found(Problem{Kind: KindRun, Name: fmt.Sprintf("%s step %d", name, step.Index), Text: lacksSome})
			}
		}
	}
}

// lacking gives what tells whether something of a tree is missing.
func (own ownNodes) lacking(g *graph) func(tree digest.Digest) bool {
	known := map[digest.Digest]bool{}
	var lacks func(d digest.Digest) bool
	lacks = func(d digest.Digest) bool {
		n, ok := own[d]
		if !ok {
			return !g.whole(roots{trees: []digest.Digest{d}})
		}
		l, ok := known[d]
		if !ok {
			l = !g.whole(roots{blobs: n.blobs}) || slices.ContainsFunc(n.nodes, lacks)
			known[d] = l
		}
		return l
	}
	return lacks
}
