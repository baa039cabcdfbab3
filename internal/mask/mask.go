// Package mask takes secrets out of what processes write.
package mask

import (
	"bytes"
	"io"
)

// Writer writes to another writer with secrets replaced by stars. It keeps back
// what may be the start of one until more is written or it is flushed. It is for
// one goroutine.
type Writer struct {
	w       io.Writer
	secrets []masked
	kept    []byte
}

// masked is a secret, and for each of its starts the length of the longest
// shorter start that it ends with (Knuth, Morris and Pratt).
type masked struct {
	value []byte
	falls []int
}

var stars = []byte("***")

// The shortest secret, and the shortest line of one, that is masked: of shorter ones
// too much would be that is none.
const (
	shortest     = 4
	shortestLine = 8
)

// New gives a Writer to w that masks secrets as they are, without the space around
// them, and each long line of one of several lines, as programs pass them on line by
// line. Line ends around a secret are none of it: they stay.
func New(w io.Writer, secrets [][]byte) *Writer {
	m := &Writer{w: w}
	seen := map[string]bool{}
	for _, s := range secrets {
		add := func(form []byte, least int) {
			if len(form) >= least && !seen[string(form)] {
				seen[string(form)] = true
				m.secrets = append(m.secrets, newMasked(form))
			}
		}
		add(bytes.Trim(s, "\r\n"), shortest)
		add(bytes.TrimSpace(s), shortest)
		for line := range bytes.Lines(s) {
			add(bytes.TrimSpace(line), shortestLine)
		}
	}
	return m
}

func newMasked(value []byte) masked {
	s := masked{value, make([]int, len(value)+1)}
	n := 0
	for i := 1; i < len(value); i++ {
		n = s.step(n, value[i])
		s.falls[i+1] = n
	}
	return s
}

// step gives the length of the start that is matched when n bytes were and c
// follows.
func (s masked) step(n int, c byte) int {
	for n > 0 && (n == len(s.value) || s.value[n] != c) {
		n = s.falls[n]
	}
	if s.value[n] == c {
		n++
	}
	return n
}

// begun gives the length of the longest end of b that the secret starts with,
// without being all of it.
func (s masked) begun(b []byte) int {
	n := 0
	for _, c := range b[max(0, len(b)-len(s.value)+1):] {
		n = s.step(n, c)
	}
	return n
}

// Write takes b. The error is the other writer's.
func (m *Writer) Write(b []byte) (int, error) {
	if len(m.secrets) == 0 {
		return m.w.Write(b)
	}
	m.kept = append(m.kept, b...)
	return len(b), m.pass(false)
}

// Flush writes what was kept back.
func (m *Writer) Flush() error { return m.pass(true) }

// pass writes what is kept, masked, up to what may be the start of a secret; at
// the end, all of it.
func (m *Writer) pass(end bool) error {
	out := 0
	for out < len(m.kept) {
		rest := m.kept[out:]
		from, to := m.find(rest)
		if begun := m.begun(rest); !end && begun < to {
			// What began may turn out to be a secret that has more than this.
			from = min(from, begun)
			to = from
		}
		if from > 0 {
			if _, err := m.w.Write(rest[:from]); err != nil {
				return err
			}
		}
		out += to
		if from == to {
			break
		}
		if _, err := m.w.Write(stars); err != nil {
			return err
		}
	}
	m.kept = append(m.kept[:0], m.kept[out:]...)
	return nil
}

// find gives the first place that secrets cover: two that overlap are one. Its
// bounds are the end of b when there is none.
func (m *Writer) find(b []byte) (from, to int) {
	from, to = len(b), len(b)
	for _, s := range m.secrets {
		if i := bytes.Index(b, s.value); i >= 0 && (i < from || i == from && i+len(s.value) > to) {
			from, to = i, i+len(s.value)
		}
	}
	for again := from < to; again; {
		again = false
		for _, s := range m.secrets {
			for i := from; i < to; i++ {
				if i+len(s.value) > to && bytes.HasPrefix(b[i:], s.value) {
					to, again = i+len(s.value), true
				}
			}
		}
	}
	return from, to
}

// begun gives the first place from which to the end of b a secret may be about
// to come.
func (m *Writer) begun(b []byte) int {
	at := len(b)
	for _, s := range m.secrets {
		at = min(at, len(b)-s.begun(b))
	}
	return at
}
