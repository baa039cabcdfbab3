package shim

import (
	"bytes"
	"crypto/rand"
	"io"
)

// MarkVariable names the variable of the program's own environment that has the mark
// of [Enter].
const MarkVariable = "INLAY_MARK"

// NewMark gives a mark that no process can guess.
func NewMark() string { return rand.Text() }

// Of what a process and the program write to one stream, the program's own words are
//
//	NUL MARK TEXT NUL
//
// and its text is empty, or an encoded [Exit]. A terminal changes none of that.
func utter(w io.Writer, mark string, text []byte) error {
	b := append([]byte{0}, mark...)
	_, err := w.Write(append(append(b, text...), 0))
	return err
}

// maxWords is the size of the longest text that the program has.
const maxWords = 1 << 20

// Ear hears what [Enter] says among what the process writes, and passes everything
// else on.
type Ear struct {
	prefix []byte
	to     io.Writer
	said   func(text []byte) error
	held   []byte // begins with NUL, or is empty
}

// NewEar gives what hears the words that bear a mark. Said is called with each text.
func NewEar(mark string, to io.Writer, said func(text []byte) error) *Ear {
	return &Ear{prefix: append([]byte{0}, mark...), to: to, said: said}
}

// Write passes on what is no word of the program's.
func (e *Ear) Write(b []byte) (int, error) {
	rest := append(e.held, b...)
	for len(rest) > 0 {
		n := bytes.IndexByte(rest, 0)
		if n < 0 {
			n = len(rest)
		}
		if n == 0 {
			var whole bool
			var err error
			if n, whole, err = e.hear(rest); err != nil {
				return 0, err
			}
			if whole {
				rest = rest[n:]
				continue
			}
			if n == 0 {
				break
			}
		}
		if _, err := e.to.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	e.held = bytes.Clone(rest)
	return len(b), nil
}

// hear looks at what begins with NUL: n bytes are words, which were heard if they are
// whole, or are the process'. None are neither as yet.
func (e *Ear) hear(b []byte) (n int, whole bool, err error) {
	text, ok := bytes.CutPrefix(b, e.prefix)
	if !ok {
		if bytes.HasPrefix(e.prefix, b) {
			return 0, false, nil
		}
		return 1, false, nil
	}
	end := bytes.IndexByte(text, 0)
	if end < 0 {
		if len(text) > maxWords {
			return len(b), false, nil
		}
		return 0, false, nil
	}
	return len(e.prefix) + end + 1, true, e.said(text[:end])
}

// Flush passes on what could have become words.
func (e *Ear) Flush() error {
	_, err := e.to.Write(e.held)
	e.held = nil
	return err
}
