package pipeline

import (
	"context"
	"strings"
)

// Word is one word of the language, as help and completion show it.
type Word struct {
	Name  string
	Group Group
	Args  string // "PATH FILE", as usage has it
	Short string // one line
	Long  string // more, if there is more to say; without the line of Short
	Flags []Flag

	// Example is a pipeline with the word in it.
	Example string

	min, max int  // arguments; a max below 0 is no bound
	rest     bool // flags end at the first argument
	on       kind // what the word can follow
	label    int  // how many arguments name a call of it; below 0: all
	run      func(context.Context, *call) (value, error)
}

// Group says what a word is for.
type Group string

// The groups of words, in the order that help has them.
const (
	Sources Group = "Where a pipeline starts"
	Files   Group = "Files and directories"
	Execs   Group = "Processes"
	Mounts  Group = "What processes see, and is not kept"
	Config  Group = "Configuration"
	Parts   Group = "Parts and differences"
	Prints  Group = "Words that print"
	Writes  Group = "Words that write"
)

// Groups gives all groups, in the order that help has them.
func Groups() []Group {
	return []Group{Sources, Files, Execs, Mounts, Config, Parts, Prints, Writes}
}

// Flag is an option of a word.
type Flag struct {
	Name  string
	Arg   string // what its value is, as usage has it; "" for a switch
	Help  string
	Many  bool     // may be given more than once
	OneOf []string // the only values; nil for any
	Empty bool     // the value may be empty
}

// Usage gives the word with its flags and arguments, on one line.
func (w Word) Usage() string {
	var b strings.Builder
	b.WriteString(w.Name)
	for _, f := range w.Flags {
		b.WriteString(" [--" + f.Name)
		if f.Arg != "" {
			b.WriteString(" " + f.Arg)
		}
		b.WriteByte(']')
		if f.Many {
			b.WriteString("...")
		}
	}
	if w.Args != "" {
		b.WriteString(" " + w.Args)
	}
	return b.String()
}

func (w *Word) flag(name string) (Flag, bool) {
	for _, f := range w.Flags {
		if f.Name == name {
			return f, true
		}
	}
	return Flag{}, false
}

// Words gives all words of the language, group by group. The caller may keep
// and change it.
func Words() []Word {
	var all []Word
	for _, group := range [][]Word{
		sourceWords(), copyWords(), fileWords(), editWords(), execWords(), mountWords(),
		configWords(), partWords(), printWords(), writeWords(),
	} {
		all = append(all, group...)
	}
	return all
}
