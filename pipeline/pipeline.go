// Package pipeline is the language of `inlay do`.
//
//   - A [Script] is pipelines, one after the other, and variables.
//   - A pipeline is words separated by "|". It starts with a source, such as
//     "from debian:12", and each further word makes a new value of the one
//     before it, prints something of it, or writes it somewhere.
//   - A [Word] is a method of the SDK in kebab-case, with its options as flags.
//     All of them are in one table, [Words], which help and completion read too.
//   - An [Output] is what a word printed.
//
// Quoting, variables, comments and $(...) are the shell's. A $(...) holds a
// pipeline; it stands for the value of that, or for the text that it prints.
// Nothing is run by a shell: words are looked up in the table alone.
//
// Parsing does no input or output, and finds what is wrong with words, flags
// and numbers of arguments in all of the script before any of it is run.
package pipeline

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Script is pipelines that were parsed and checked. It does not change, and may
// be run several times.
type Script struct {
	name  string
	words map[string]*Word
	stmts []statement

	goesOn bool // pipelines may begin without a source
}

// statement is a line of a script: a pipeline, or assignments.
type statement struct {
	assigns  []*syntax.Assign
	pipeline pipeline
}

// pipeline is the calls of one pipeline.
type pipeline []parsedCall

// parsedCall is a word with its arguments as they are written.
type parsedCall struct {
	word *Word
	at   Pos
	args []*syntax.Word
}

// Parse reads a script and checks it. The name is the file that it comes from,
// for errors; "" for a command line. Errors are *[SyntaxError].
func Parse(name, text string) (*Script, error) { return parse(name, text, false) }

// parse parses a script. With goesOn its pipelines need no source: they go on from
// something.
func parse(name, text string, goesOn bool) (*Script, error) {
	s := &Script{goesOn: goesOn, name: name, words: map[string]*Word{}}
	for _, w := range Words() {
		s.words[w.Name] = &w
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), name)
	if err != nil {
		return nil, s.shellError(err)
	}
	for _, st := range file.Stmts {
		parsed, err := s.statement(st)
		if err != nil {
			return nil, err
		}
		s.stmts = append(s.stmts, parsed)
	}
	if len(s.stmts) == 0 {
		return nil, s.errorAt(Pos{1, 1}, "there is no pipeline: start with one such as `from debian:12 | digest`")
	}
	return s, nil
}

// shellError gives an error of the shell's grammar as one of ours.
func (s *Script) shellError(err error) error {
	var pe syntax.ParseError
	if errors.As(err, &pe) {
		return &SyntaxError{Name: s.name, Pos: posOf(pe.Pos), Text: pe.Text, Incomplete: pe.Incomplete}
	}
	var le syntax.LangError
	if errors.As(err, &le) {
		return s.errorAt(posOf(le.Pos), "%s are not part of this language", le.Feature)
	}
	return s.errorAt(Pos{1, 1}, "%v", err)
}
