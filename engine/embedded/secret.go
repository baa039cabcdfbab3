package embedded

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxSecret is the greatest size of a secret.
const maxSecret = 1 << 20

// readSecret gives "env:NAME" and "file:PATH".
func readSecret(_ context.Context, name string) ([]byte, error) {
	kind, where, _ := strings.Cut(name, ":")
	switch kind {
	case "env":
		v, ok := os.LookupEnv(where)
		if !ok {
			return nil, fmt.Errorf("secret %s: the variable %s is not set", name, where)
		}
		return []byte(v), nil
	case "file":
		f, err := os.Open(where)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		if len(b) > maxSecret {
			return nil, fmt.Errorf("secret %s: more than %d bytes", name, maxSecret)
		}
		return b, nil
	}
	return nil, fmt.Errorf("secret %q: want env:NAME or file:PATH", name)
}

// mask writes to w with secrets replaced by stars. It keeps back what may be the
// start of one until more is written or it is flushed.
type mask struct {
	w       io.Writer
	secrets [][]byte
	kept    []byte
}

var stars = []byte("***")

// newMask gives w itself when there is nothing to mask. Secrets of less than
// four bytes are not masked: too much would be.
func newMask(w io.Writer, secrets [][]byte) *mask {
	m := &mask{w: w}
	for _, s := range secrets {
		for _, form := range [][]byte{s, bytes.TrimSpace(s)} {
			if len(form) >= 4 && !slices.ContainsFunc(m.secrets, func(t []byte) bool { return bytes.Equal(t, form) }) {
				m.secrets = append(m.secrets, form)
			}
		}
	}
	slices.SortFunc(m.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return m
}

func (m *mask) Write(b []byte) (int, error) {
	if len(m.secrets) == 0 {
		return m.w.Write(b)
	}
	m.kept = append(m.kept, b...)
	for _, s := range m.secrets {
		m.kept = bytes.ReplaceAll(m.kept, s, stars)
	}
	return len(b), m.pass(len(m.kept) - m.partial())
}

// partial gives the length of the longest end of what is kept that a secret may
// start with.
func (m *mask) partial() int {
	longest := 0
	for _, s := range m.secrets {
		for n := min(len(s)-1, len(m.kept)); n > longest; n-- {
			if bytes.HasSuffix(m.kept, s[:n]) {
				longest = n
			}
		}
	}
	return longest
}

func (m *mask) pass(n int) error {
	if n == 0 {
		return nil
	}
	_, err := m.w.Write(m.kept[:n])
	m.kept = append(m.kept[:0], m.kept[n:]...)
	return err
}

// flush writes what was kept back.
func (m *mask) flush() error { return m.pass(len(m.kept)) }
