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
	for {
		begin := bytes.Index(rest, e.prefix)
		if begin < 0 {
			break
		}
		if err := e.pass(rest[:begin]); err != nil {
			return 0, err
		}
		rest = rest[begin:]
		text := rest[len(e.prefix):]
		end := bytes.IndexByte(text, 0)
		if end < 0 && len(text) < maxWords {
			e.held = bytes.Clone(rest)
			return len(b), nil
		}
		if end < 0 {
			break // nobody has so much to say
		}
		if err := e.said(text[:end]); err != nil {
			return 0, err
		}
		rest = text[end+1:]
	}
	last := bytes.LastIndexByte(rest, 0) // the mark has no NUL
	if last < 0 || !bytes.HasPrefix(e.prefix, rest[last:]) {
		last = len(rest)
	}
	err := e.pass(rest[:last])
	e.held = bytes.Clone(rest[last:])
	return len(b), err
}

func (e *Ear) pass(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := e.to.Write(b)
	return err
}

// Flush passes on what could have become words.
func (e *Ear) Flush() error {
	err := e.pass(e.held)
	e.held = nil
	return err
}
