package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// Sizes of text, in pixels. Every line is told how long it is to be, so that it
// fits its box in any font.
const (
	headSize   = 13
	lineSize   = 11
	lineHeight = 16
	padding    = 10
	swatch     = 9 // the square of boxes that are the same
)

// maxCells is the greatest number of boxes, and places where edges pass boxes,
// that are drawn.
const maxCells = 100_000

// swatches are the colours of the squares of boxes that are the same.
var swatches = [...]string{"#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#9c755f", "#edc948"}

func textWidth(s string, size int) int { return (columns(s)*size*6 + 9) / 10 }

// SVG draws the graph. The time it takes grows with the number of boxes and of
// layers that edges pass; a graph that is too large to be looked at is an error.
func (g Graph) SVG() ([]byte, error) {
	same := g.sameness()
	if n := len(g.Boxes) + passed(g); n > maxCells {
		return nil, fmt.Errorf("%d boxes and passing edges are too many to be drawn: write DOT, or look at a part of it", n)
	}
	l := arrange(g, func(i int) (int, int) { return g.size(i, same[i] != "") })
	title := clip(g.Title)
	l.width = max(l.width, textWidth(title, headSize)+2*margin)
	const header = lineHeight + margin/2
	d := drawing{y: header}
	d.add(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="monospace">`+"\n",
		l.width, l.height+header, l.width, l.height+header)
	d.add(`<title>%s</title>`+"\n", escape(plain(g.Title)))
	d.add(`<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555555"/></marker></defs>` + "\n")
	d.add(`<rect width="100%%" height="100%%" fill="#ffffff"/>` + "\n")
	d.text(margin, margin-d.y+headSize/2, title, headSize, `font-weight="bold"`)
	for _, e := range l.edges {
		d.edge(l, e)
	}
	for i, c := range l.boxes {
		d.box(g.Boxes[i], c, i+1, same[i])
	}
	d.add("</svg>\n")
	return d.Bytes(), nil
}

// passed is how many cells edges need that are no boxes.
func passed(g Graph) int {
	layer := layers(g)
	n := 0
	last := make([]int, len(g.Boxes)) // the lowest layer that needs a box
	for i := range g.Boxes {
		for _, in := range g.inputs(i) {
			last[in] = max(last[in], layer[i])
		}
	}
	for i := range g.Boxes {
		n += max(0, last[i]-layer[i]-1)
	}
	return n
}

// sameness gives for each box the colour of the square that it shares with
// others; "" for those that have none.
func (g Graph) sameness() []string {
	out := make([]string, len(g.Boxes))
	groups := 0
	for i, b := range g.Boxes {
		if b.Same == nil || *b.Same < 0 || *b.Same >= i {
			continue
		}
		if out[*b.Same] == "" {
			out[*b.Same] = swatches[groups%len(swatches)]
			groups++
		}
		out[i] = out[*b.Same]
	}
	return out
}

// size is how large a box is.
func (g Graph) size(i int, marked bool) (width, height int) {
	b := g.Boxes[i]
	head := textWidth(clip(b.Head), headSize)
	if marked {
		head += swatch + padding
	}
	width = head
	for _, line := range b.Lines {
		width = max(width, textWidth(clip(line), lineSize))
	}
	return width + 2*padding, (1+len(b.Lines))*lineHeight + padding
}

// drawing is an SVG that is being written; y is added to all that is drawn.
type drawing struct {
	bytes.Buffer
	y int
}

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format, args...) }

func (d *drawing) text(x, y int, s string, size int, more string) {
	if s == "" {
		return
	}
	d.add(`<text x="%d" y="%d" font-size="%d" textLength="%d" lengthAdjust="spacingAndGlyphs" xml:space="preserve" %s>%s</text>`+"\n",
		x, y+d.y, size, textWidth(s, size), more, escape(s))
}

func (d *drawing) box(b Box, c *cell, number int, same string) {
	x, width := c.x-c.width/2, 1
	if b.Marked {
		width = 3
	}
	all := plain(b.Head)
	for _, line := range b.Lines {
		all += "\n" + plain(line)
	}
	d.add(`<g id="s%d"><title>%s</title>`+"\n", number, escape(all))
	d.add(`<rect x="%d" y="%d" width="%d" height="%d" rx="5" fill="%s" stroke="#555555" stroke-width="%d"/>`+"\n",
		x, c.y+d.y, c.width, c.height, b.Colour.value(), width)
	if same != "" {
		d.add(`<path d="M%d %dh%dv%dh-%dz" fill="%s"/>`+"\n", x+c.width-padding-swatch, c.y+d.y+padding/2, swatch, swatch, swatch, same)
	}
	at := c.y + padding/2 + headSize - 1
	d.text(x+padding, at, clip(b.Head), headSize, `font-weight="bold"`)
	for _, line := range b.Lines {
		at += lineHeight
		d.text(x+padding, at, clip(line), lineSize, `fill="#333333"`)
	}
	d.add("</g>\n")
}

// edge draws an edge: straight down beside and below boxes, and from one place
// to another where there are none.
func (d *drawing) edge(l *layout, e edge) {
	first := e.cells[0]
	d.add(`<path class="edge" data-from="s%d" data-to="s%d" d="M%d %d`, e.from+1, e.to+1, first.x, first.y+first.height+d.y)
	for i, c := range e.cells[1:] {
		from := e.cells[i]
		end, top := l.ends[from.layer]+d.y, c.y+d.y
		middle := (end + top) / 2
		d.add("V%dC%d %d %d %d %d %d", end, from.x, middle, c.x, middle, c.x, top)
	}
	d.add(`" fill="none" stroke="#555555" marker-end="url(#head)"/>` + "\n")
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder has no errors
	return b.String()
}
