package buildkit

import (
	"context"
	"encoding/json"
	"sync"

	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/daemon"
)

// lists is what daemons listed, remembered here for later runs: by what is held, if that
// has an identity, and the path. They are written at the end, all at once.
type lists struct {
	mu    sync.Mutex
	new   map[digest.Digest][]byte
	asked int // how many a daemon was asked for
}

// largestList is up to how many bytes a list is remembered.
const largestList = 1 << 20

// identify says what is held, however often it is made: an image by its digest, what a
// process left by how that one ended, with its times. Lists of it are remembered.
// Made is the daemon where it ended; nil says that any makes the same.
func (h *held) identify(made *daemon.Daemon, b []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made = made
	h.identity = digest.Of(h.id.Append(append([]byte("inlay held 1\n"), b...)))
}

// listKey names the list of a directory; ok is false if it is not remembered.
func (l lister) listKey() (key digest.Digest, ok bool) {
	l.held.mu.Lock()
	defer l.held.mu.Unlock()
	of := l.held.identity
	return digest.Of(of.Append([]byte("inlay list 1\n" + l.path + "\n"))), !of.IsZero()
}

// recall gives the list of an earlier run; nil if there is none.
func (l lister) recall(ctx context.Context) []*fstypes.Stat {
	key, ok := l.listKey()
	if !ok {
		return nil
	}
	b, err := l.held.remote.local.Recall(ctx, key)
	if err != nil || b == nil {
		return nil // the daemon is asked
	}
	var list []*fstypes.Stat
	if json.Unmarshal(b, &list) != nil {
		return nil
	}
	return list // one that is empty is not nil
}

// remember keeps a list that a daemon gave for later runs.
func (l lister) remember(list []*fstypes.Stat) {
	s := &l.held.remote.lists
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	key, ok := l.listKey()
	if !ok {
		return
	}
	if list == nil {
		list = []*fstypes.Stat{}
	}
	b, err := json.Marshal(list)
	if err != nil || len(b) > largestList {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.new == nil {
		s.new = map[digest.Digest][]byte{}
	}
	s.new[key] = b
}

// write has the store remember what is new.
func (s *lists) write(ctx context.Context, r *Remote) error {
	s.mu.Lock()
	list := s.new
	s.new = nil
	s.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	return r.local.Remember(ctx, list)
}
