package pipeline

import (
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"mvdan.cc/sh/v3/syntax"
)

// Pos is a place in a script: line and column, from 1, the column in bytes.
type Pos struct {
	Line, Col uint
}

func posOf(p syntax.Pos) Pos { return Pos{p.Line(), p.Col()} }

// String gives "line:column".
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Col) }

// SyntaxError is the error of a script that does not mean anything: a quote that
// is not closed, an unknown word or flag, a missing argument.
type SyntaxError struct {
	Name string // of the script's file; "" for a command line
	Pos  Pos
	Text string // what is wrong, and what would be right

	// Incomplete tells that there might be no error if the script went on.
	Incomplete bool
}

// Error gives the place first.
func (e *SyntaxError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("pipeline %s: %s", e.Pos, e.Text)
	}
	return fmt.Sprintf("%s:%s: %s", e.Name, e.Pos, e.Text)
}

func (s *Script) errorAt(p Pos, format string, args ...any) error {
	return &SyntaxError{Name: s.name, Pos: p, Text: fmt.Sprintf(format, args...)}
}

// CallError is the error of a word that was run.
type CallError struct {
	Name string // of the script's file; "" for a command line
	Pos  Pos    // of the word
	Word string // with its arguments, where they tell more
	Err  error  // names the word's arguments, or gets its name put before it

	named bool
}

// Error names the word, and the place if the script is a file.
func (e *CallError) Error() string {
	text := e.Err.Error()
	if !e.named {
		text = e.Word + ": " + text
	}
	if _, ok := asExec(e.Err); ok && errors.As(e.Err, new(*graph.CallError)) { // which names the word
		text = engine.ErrorText(e.Err)
	}
	if e.Name != "" {
		text = fmt.Sprintf("%s:%s: %s", e.Name, e.Pos, text)
	}
	return text
}

func asExec(err error) (*engine.ExecError, bool) {
	var exec *engine.ExecError
	ok := errors.As(err, &exec)
	return exec, ok
}

// Unwrap gives the error itself.
func (e *CallError) Unwrap() error { return e.Err }
