package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
)

// nodesName is the file of a run that has nodes which are its own: of trees that its
// steps name, and few and small, as a transaction of the database takes longer than to
// compose a tree. They are not the store's: who names one of them otherwise brings it
// again. They go with the run.
//
// The file is written as the run goes on, before the lines of the record that need it. It
// is one node behind the other, children before parents:
//
//	size    4 bytes, big endian; 1 to 65,536
//	digest  32 bytes, the SHA-256 of the node
//	node    size bytes
//
// What a node refers to is before it in the file, or in the store. What is behind the
// last whole one counts for nothing: its writer died, or there was a power cut.
const nodesName = "nodes"

// MaxRunNodes is how many bytes of nodes a run can have by itself.
const MaxRunNodes = 64 << 10

const runNodeHead = 4 + digest.Size

// appendRunNode adds a node to a file in b.
func appendRunNode(b []byte, n Node) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(n.Data)))
	return append(n.Digest.Append(b), n.Data...)
}

// splitRunNodes gives the nodes of a file as it says they are, without holding any
// against its digest, and how many bytes behind them count for nothing.
func splitRunNodes(file []byte) (nodes []Node, rest int) {
	for len(file) >= runNodeHead {
		size := binary.BigEndian.Uint32(file)
		if size == 0 || size > MaxRunNodes || int(size) > len(file)-runNodeHead {
			break
		}
		d, err := digest.FromSum(file[4:runNodeHead])
		if err != nil {
			break
		}
		end := runNodeHead + int(size)
		nodes = append(nodes, Node{d, file[runNodeHead:end:end]})
		file = file[end:]
	}
	return nodes, len(file)
}

// ownNodes are the nodes of a run by their digests: those that are what they should be.
type ownNodes map[digest.Digest]ownNode

type ownNode struct {
	data         []byte
	nodes, blobs []digest.Digest // to which it refers
}

// readOwn reads the nodes of a run, and gives the digests of those that are damaged. What
// a record says is looked at before: its lines need only what was there already.
func (s *Store) readOwn(run string) (own ownNodes, damaged []digest.Digest, rest int, err error) {
	file, err := s.readRunFile(run, nodesName)
	if err != nil {
		return nil, nil, 0, err
	}
	list, rest := splitRunNodes(file)
	own = ownNodes{}
	for _, n := range list {
		nodes, blobs, err := s.opts.References(n.Data)
		if err != nil || digest.Of(n.Data) != n.Digest {
			damaged = append(damaged, n.Digest)
			continue
		}
		own[n.Digest] = ownNode{n.Data, nodes, blobs}
	}
	return own, damaged, rest, nil
}

// outside gives what the nodes refer to that is not among them, and those of some trees
// that are not.
func (own ownNodes) outside(trees []digest.Digest) (nodes, blobs []digest.Digest) {
	add := func(ds []digest.Digest) {
		for _, d := range ds {
			if _, ok := own[d]; !ok {
				nodes = append(nodes, d)
			}
		}
	}
	add(trees)
	for _, n := range own {
		add(n.nodes)
		blobs = append(blobs, n.blobs...)
	}
	return nodes, blobs
}

// knownNodes are nodes of runs that a Store has read.
type knownNodes struct {
	mu    sync.Mutex
	data  map[digest.Digest][]byte
	size  map[string]int64     // of the file of each run from which they are
	index map[string]nodeIndex // of the files of all runs that there are
}

// nodeIndex says what is in the file of a run.
type nodeIndex struct {
	size  int64
	nodes []digest.Digest
}

// RunNode gives the bytes of a node that a run has by itself, verified, and claims what
// the run's nodes refer to. What it gives stays readable until the Store is closed, also
// when the run is removed. The error of one that no run has is a [MissingError]. It looks
// through the runs, which takes about 5 microseconds for each, unless the node is of a run
// that was read already: by this or by [Store.Steps].
func (s *Store) RunNode(ctx context.Context, d digest.Digest) ([]byte, error) {
	if b, ok := s.known.get(d); ok {
		return b, nil
	}
	if err := s.gate.enter(ctx); err != nil {
		return nil, fmt.Errorf("read nodes of runs: %w", err)
	}
	defer s.gate.leave()
	having, err := s.runsHaving(d)
	if err != nil {
		return nil, fmt.Errorf("read nodes of runs: %w", err)
	}
	for _, run := range having {
		if _, err := s.learn(run); err != nil {
			return nil, fmt.Errorf("read nodes of run %s: %w", run, err)
		}
		if b, ok := s.known.get(d); ok {
			return b, nil
		}
	}
	return nil, &MissingError{Kind: KindNode, Digest: d}
}

// KnowsRunNode tells whether RunNode gives a node without a look at the disk. One that
// refers to it, and that RunNode gave, is of the same run.
func (s *Store) KnowsRunNode(d digest.Digest) bool {
	_, ok := s.known.get(d)
	return ok
}

func (k *knownNodes) get(d digest.Digest) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b, ok := k.data[d]
	return b, ok
}

// learn reads the nodes of a run, if there are new ones, and claims what they refer to. It
// tells whether the run is there afterwards: if it is not, some of it may be gone. The
// caller is inside the gate.
func (s *Store) learn(run string) (there bool, err error) {
	k := &s.known
	k.mu.Lock()
	defer k.mu.Unlock()
	size, err := s.runFileSize(run, nodesName)
	if err != nil || size > 0 && size == k.size[run] {
		return err == nil, err
	}
	own, _, _, err := s.readOwn(run)
	if err != nil {
		return false, err
	}
	if size, err := s.recordSize(run); size == 0 || err != nil {
		return false, err
	}
	if len(own) == 0 {
		return true, nil
	}
	nodes, blobs := own.outside(nil)
	s.claim(asAny, nodes...)
	s.claim(asAny, blobs...)
	if k.data == nil {
		k.data, k.size = map[digest.Digest][]byte{}, map[string]int64{}
	}
	for d, n := range own {
		k.data[d] = n.data
	}
	k.size[run] = size
	return true, nil
}

// runsHaving gives the runs in whose files there is a node.
func (s *Store) runsHaving(d digest.Digest) (having []string, err error) {
	names, err := s.runNames()
	if err != nil {
		return nil, err
	}
	k := &s.known
	k.mu.Lock()
	defer k.mu.Unlock()
	now := make(map[string]nodeIndex, len(names))
	for _, name := range names {
		x := k.index[name]
		size, err := s.runFileSize(name, nodesName)
		if err != nil {
			return nil, err
		}
		if size != x.size {
			file, err := s.readRunFile(name, nodesName)
			if err != nil {
				return nil, err
			}
			list, _ := splitRunNodes(file)
			x = nodeIndex{size: int64(len(file))}
			for _, n := range list {
				x.nodes = append(x.nodes, n.Digest)
			}
		}
		if size > 0 {
			now[name] = x
		}
		if slices.Contains(x.nodes, d) {
			having = append(having, name)
		}
	}
	k.index = now
	return having, nil
}

// HasNode tells whether the run has a node by itself.
func (r *Run) HasNode(d digest.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.own[d]
	return ok
}

// Takes tells whether the run can have nodes by itself, beside those that it has.
func (r *Run) Takes(nodes []Node) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := r.nodesSize
	for _, n := range nodes {
		size += runNodeHead + int64(len(n.Data))
	}
	return size <= MaxRunNodes
}

// putOwn writes nodes that the run does not have, all or none unless the process dies. The
// caller holds mu.
func (r *Run) putOwn(nodes []Node) (err error) {
	var b []byte
	fresh := map[digest.Digest]struct{}{}
	for _, n := range nodes {
		_, twice := fresh[n.Digest]
		if _, ok := r.own[n.Digest]; !ok && !twice {
			fresh[n.Digest] = struct{}{}
			b = appendRunNode(b, n)
		}
	}
	if len(b) == 0 {
		return nil
	}
	if r.nodesSize+int64(len(b)) > MaxRunNodes {
		return errors.New("too many nodes for a run to have by itself")
	}
	if r.nodes == nil {
		if r.nodes, err = os.OpenFile(r.s.path("logs", r.name, nodesName), os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return err
		}
	}
	if _, err := r.nodes.WriteAt(b, r.nodesSize); err != nil {
		return errors.Join(fmt.Errorf("write the nodes of a run: %w", err), r.nodes.Truncate(r.nodesSize))
	}
	r.nodesSize += int64(len(b))
	if r.own == nil {
		r.own = map[digest.Digest]struct{}{}
	}
	maps.Copy(r.own, fresh)
	return nil
}

// outside gives what the changes need that the run neither has by itself nor gets: nodes
// and blobs that must be in the store.
func (ch *RunChanges) outside(refs References) (nodes, blobs []digest.Digest, err error) {
	get := make(ownNodes, len(ch.Nodes))
	for _, n := range ch.Nodes {
		sub, bodies, err := checkNode(n, refs)
		if err != nil {
			return nil, nil, err
		}
		get[n.Digest] = ownNode{n.Data, sub, bodies}
	}
	nodes, blobs = get.outside(treesOf(ch.Steps))
	return slices.DeleteFunc(nodes, ch.Run.HasNode), blobs, nil
}

// checkNode holds a node against its digest, and gives what it refers to.
func checkNode(n Node, refs References) (nodes, blobs []digest.Digest, err error) {
	if got := digest.Of(n.Data); got != n.Digest {
		return nil, nil, fmt.Errorf("node %s: %w: its bytes are %s", n.Digest, digest.ErrMismatch, got)
	}
	if nodes, blobs, err = refs(n.Data); err != nil {
		return nil, nil, fmt.Errorf("node %s: %w", n.Digest, err)
	}
	return nodes, blobs, nil
}

// readRunFile reads a file of a run; nil if there is none.
func (s *Store) readRunFile(run, name string) ([]byte, error) {
	if size, err := s.runFileSize(run, name); size == 0 || err != nil {
		return nil, err
	}
	b, err := os.ReadFile(s.path("logs", run, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
