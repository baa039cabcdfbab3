// Package chart draws a graph of boxes, such as the steps of a run, from top to
// bottom.
//
//   - A [Graph] is what is drawn, in words. It is drawn alike every time.
//   - [Graph.DOT] writes it in the language of Graphviz.
//   - [Graph.SVG] draws it, by a layered layout of its own: a picture that any
//     browser shows, without another program.
//
// Words may come from anywhere: what would mean something in DOT or XML is
// written so that it does not.
package chart

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// Graph is boxes with what they follow from.
type Graph struct {
	Title string
	Boxes []Box
}

// Box is one box of a graph.
type Box struct {
	Head  string   // the first line
	Lines []string // what stands below it
	// Inputs are the boxes that lead to this one, as indices. They stand before
	// it in the graph; others are passed by.
	Inputs []int
	// Same is an earlier box that has the same thing to show for itself, such as
	// an equal tree; nil for none.
	Same *int
	// Colour is that of the box; the zero value is white.
	Colour Colour
	// Marked boxes have a thick border.
	Marked bool
}

// Colour is one that text can be read on, as "#rrggbb".
type Colour string

// The colours of boxes.
const (
	White  Colour = ""
	Green  Colour = "#dff3e0"
	Blue   Colour = "#dce9f9"
	Red    Colour = "#f9d9d9"
	Grey   Colour = "#e8e8e8"
	Yellow Colour = "#fbf0c9"
)

func (c Colour) value() string {
	if c == White {
		return "#ffffff"
	}
	return string(c)
}

// maxColumns is how wide a line in a box may be; what is longer is cut.
const maxColumns = 64

// clip makes a line of a word, and cuts it.
func clip(s string) string { return displaywidth.TruncateString(plain(s), maxColumns, "…") }

// plain takes from a word what neither DOT nor XML can hold: what is not UTF-8,
// and control characters. Question marks stand for them, spaces for line breaks.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0, r >= utf8.RuneError && r <= 0xFFFF:
			return '?'
		}
		return r
	}, s)
}

// columns is how wide a line is, in columns of a fixed-width font.
func columns(s string) int { return displaywidth.String(s) }

// inputs gives the inputs of a box that there can be, each once.
func (g Graph) inputs(box int) []int {
	var out []int
	seen := map[int]bool{}
	for _, in := range g.Boxes[box].Inputs {
		if in >= 0 && in < box && !seen[in] {
			seen[in] = true
			out = append(out, in)
		}
	}
	return out
}

// DOT gives the graph in the language of Graphviz. Boxes are s1, s2 and so on. A
// dashed line joins boxes that have the same thing to show for themselves.
func (g Graph) DOT() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "digraph %s {\n", dotQuote(g.Title))
	fmt.Fprintf(&b, "\tgraph [label=%s, labelloc=t, fontname=monospace];\n", dotLabel(g.Title))
	b.WriteString("\tnode [shape=box, style=\"rounded,filled\", fontname=monospace, fontsize=11];\n")
	for i, box := range g.Boxes {
		lines := []string{clip(box.Head)}
		for _, l := range box.Lines {
			lines = append(lines, clip(l))
		}
		width := 1
		if box.Marked {
			width = 3
		}
		fmt.Fprintf(&b, "\ts%d [label=%s, tooltip=%s, fillcolor=%q, penwidth=%d];\n",
			i+1, dotLabel(lines...), dotLabel(box.Head), box.Colour.value(), width)
	}
	for i, box := range g.Boxes {
		for _, in := range g.inputs(i) {
			fmt.Fprintf(&b, "\ts%d -> s%d;\n", in+1, i+1)
		}
		if box.Same != nil {
			fmt.Fprintf(&b, "\ts%d -> s%d [style=dashed, dir=none, constraint=false];\n", *box.Same+1, i+1)
		}
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// dotQuote writes a name. A backslash would mean something before the quote that
// ends it.
func dotQuote(s string) string {
	return `"` + strings.NewReplacer("\\", "/", `"`, `\"`).Replace(plain(s)) + `"`
}

// dotLabel writes lines as a label, in which backslashes and entities of HTML
// mean something too. Lines begin at the left.
func dotLabel(lines ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;")
	var b strings.Builder
	b.WriteByte('"')
	for _, l := range lines {
		b.WriteString(escape.Replace(plain(l)))
		if len(lines) > 1 {
			b.WriteString(`\l`)
		}
	}
	b.WriteByte('"')
	return b.String()
}
