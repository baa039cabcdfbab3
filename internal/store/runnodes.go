package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
)

// runNode is a node that is a run's own: of a tree that its steps name, few and small, as
// a transaction of the database takes longer than to compose a tree. It is a line of the
// run's record, before those that need it and behind those of what it refers to, unless
// that is in the store. It is not the store's: who names it otherwise brings it again. It
// goes with the run.
type runNode struct {
	Digest digest.Digest `json:"digest"` // first: it is looked for in the bytes of records
	Data   []byte        `json:"data"`
}

// MaxRunNodes is how many bytes of nodes a run can have by itself.
const MaxRunNodes = 64 << 10

// ownNodes are the nodes of a run by their digests: those that are what they should be.
type ownNodes map[digest.Digest]ownNode

type ownNode struct {
	data         []byte
	nodes, blobs []digest.Digest // to which it refers
}

// ownOf gives the nodes of a record, and the digests of those that are damaged.
func ownOf(record []byte, refs References) (own ownNodes, damaged []digest.Digest) {
	own = ownNodes{}
	entries(record, func(e runEntry) {
		if e.Node == nil {
			return
		}
		n := Node(*e.Node)
		nodes, blobs, err := checkNode(n, refs)
		if err != nil {
			damaged = append(damaged, n.Digest)
			return
		}
		own[n.Digest] = ownNode{n.Data, nodes, blobs}
	}, "node")
	return own, damaged
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

// knownNodes are nodes of runs that a Store has read.
type knownNodes struct {
	mu   sync.Mutex
	data map[digest.Digest][]byte
	size map[string]int // how much of the record of each run was read
}

func (k *knownNodes) get(d digest.Digest) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b, ok := k.data[d]
	return b, ok
}

// RunNode gives the bytes of a node that a run has by itself, verified, and claims what
// the run's nodes refer to. What it gave stays readable until the Store is closed, with all
// below it, also when the run is removed. The error of one that no run has is a
// [MissingError]. Unless the node is of a run that was read already, by this or by
// [Store.Steps], it looks through the records of runs, the newest first.
func (s *Store) RunNode(ctx context.Context, d digest.Digest) ([]byte, error) {
	if b, ok := s.known.get(d); ok {
		return b, nil
	}
	if err := s.gate.enter(ctx); err != nil {
		return nil, fmt.Errorf("read nodes of runs: %w", err)
	}
	defer s.gate.leave()
	names, err := s.runNames()
	if err != nil {
		return nil, fmt.Errorf("read nodes of runs: %w", err)
	}
	line := fmt.Appendf(nil, `{"node":{"digest":"%s"`, d)
	for _, run := range slices.Backward(names) {
		record, err := s.readRecord(run)
		if err != nil {
			return nil, fmt.Errorf("read nodes of run %s: %w", run, err)
		}
		if !bytes.Contains(record, line) {
			continue
		}
		s.learn(run, record)
		if b, ok := s.known.get(d); ok {
			return b, nil
		}
	}
	return nil, &MissingError{Kind: KindNode, Digest: d}
}

// KnowsRunNode tells whether RunNode gives a node without a look at the disk. One that
// another one refers to, which RunNode gave, is of the same run or in the store.
func (s *Store) KnowsRunNode(d digest.Digest) bool {
	_, ok := s.known.get(d)
	return ok
}

// learn takes the nodes of a record that was read inside the gate, and claims what they
// refer to. The caller is still there: so it cannot have been collected since.
func (s *Store) learn(run string, record []byte) {
	k := &s.known
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(record) == k.size[run] {
		return
	}
	if k.data == nil {
		k.data, k.size = map[digest.Digest][]byte{}, map[string]int{}
	}
	k.size[run] = len(record)
	own, _ := ownOf(record, s.opts.References)
	nodes, blobs := own.outside(nil)
	s.claim(asAny, nodes...)
	s.claim(asAny, blobs...)
	for d, n := range own {
		k.data[d] = n.data
	}
}

// HasNode tells whether the run has a node by itself.
func (r *Run) HasNode(d digest.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.own[d]
	return ok
}

// Room gives how many bytes of nodes the run can have by itself, beside those that it has.
func (r *Run) Room() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return MaxRunNodes - r.ownSize
}

func sizeOf(nodes []Node) (sum int) {
	for _, n := range nodes {
		sum += len(n.Data)
	}
	return sum
}

// fresh gives those of nodes that the run does not have, each once. The caller holds mu.
func (r *Run) fresh(nodes []Node) (out []Node, err error) {
	seen := map[digest.Digest]bool{}
	for _, n := range nodes {
		if _, ok := r.own[n.Digest]; !ok && !seen[n.Digest] {
			seen[n.Digest] = true
			out = append(out, n)
		}
	}
	if r.ownSize+sizeOf(out) > MaxRunNodes {
		return nil, errors.New("too many nodes for a run to have by itself")
	}
	return out, nil
}

// has notes that nodes are in the record. The caller holds mu.
func (r *Run) has(nodes []Node) {
	if r.own == nil {
		r.own = map[digest.Digest]struct{}{}
	}
	for _, n := range nodes {
		r.own[n.Digest] = struct{}{}
	}
	r.ownSize += sizeOf(nodes)
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
