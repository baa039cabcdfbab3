package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/pipeline"
)

// wordList writes all words, group by group.
func wordList() string {
	var b strings.Builder
	all := pipeline.Words()
	for _, g := range pipeline.Groups() {
		fmt.Fprintf(&b, "%s:\n", g)
		for _, w := range all {
			if w.Group != g {
				continue
			}
			name := strings.TrimSpace(w.Name + " " + w.Args)
			if len(name) > 32 {
				fmt.Fprintf(&b, "  %s\n  %32s  %s\n", name, "", w.Short)
			} else {
				fmt.Fprintf(&b, "  %-32s  %s\n", name, w.Short)
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("`inlay do --words WORD` describes one, with its flags.\n")
	return b.String()
}

// describe writes all of one word.
func describe(w pipeline.Word) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s\n", w.Usage(), w.Short)
	if w.Long != "" {
		fmt.Fprintf(&b, "\n  %s\n", strings.ReplaceAll(w.Long, "\n", "\n  "))
	}
	if len(w.Flags) > 0 {
		b.WriteString("\nFlags:\n")
	}
	for _, f := range w.Flags {
		fmt.Fprintf(&b, "  %-24s  %s\n", strings.TrimSpace("--"+f.Name+" "+f.Arg), f.Help)
	}
	fmt.Fprintf(&b, "\nExample:\n  inlay do '%s'\n", strings.ReplaceAll(w.Example, "'", `'\''`))
	return b.String()
}

// wordJSON is a word in JSON.
type wordJSON struct {
	Name    string     `json:"name"`
	Group   string     `json:"group"`
	Args    string     `json:"args"`
	Short   string     `json:"short"`
	Long    string     `json:"long,omitempty"`
	Flags   []flagJSON `json:"flags"`
	Example string     `json:"example"`
}

type flagJSON struct {
	Name   string   `json:"name"`
	Arg    string   `json:"arg,omitempty"`
	Help   string   `json:"help"`
	Many   bool     `json:"many,omitempty"`
	Values []string `json:"values,omitempty"`
}

func wordsJSON(all []pipeline.Word, names []string) []wordJSON {
	out := []wordJSON{}
	for _, w := range all {
		if len(names) > 0 && !slices.Contains(names, w.Name) {
			continue
		}
		j := wordJSON{Name: w.Name, Group: string(w.Group), Args: w.Args, Short: w.Short, Long: w.Long, Flags: []flagJSON{}, Example: w.Example}
		for _, f := range w.Flags {
			j.Flags = append(j.Flags, flagJSON{f.Name, f.Arg, f.Help, f.Many, f.OneOf})
		}
		out = append(out, j)
	}
	return out
}
