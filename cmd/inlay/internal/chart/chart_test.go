package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/graph/formats/dot"
	"gonum.org/v1/gonum/graph/formats/dot/ast"
	"pgregory.net/rapid"
)

// hostile are words that mean something in DOT, HTML, XML or nowhere.
var hostile = []string{
	"with-file /bin/tool ./tool", "", " ", `"`, `\`, `a\`, `\"`, `\l\N\G`, `"];evil [label="`, "--> ]]> <!-- -->",
	"</title><script>alert(1)</script>", "&amp;&lt;&#10;", "<b>x</b>", "a{b|c}", "日本語のパス", "e\u0301", "tab\there",
	strings.Repeat("long", 60), "%s%d%!", "'", "\u202e", "\x00", "line\nline", "\xff\xfe",
}

func graphs() *rapid.Generator[Graph] {
	return rapid.Custom(func(t *rapid.T) Graph {
		word := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String())
		g := Graph{Title: word.Draw(t, "title")}
		wide := rapid.IntRange(1, 30).Draw(t, "wide")
		for i := range rapid.IntRange(0, 40).Draw(t, "boxes") {
			b := Box{Head: word.Draw(t, "head"), Lines: rapid.SliceOfN(word, 0, 4).Draw(t, "lines"), Colour: Green}
			b.Inputs = rapid.SliceOfN(rapid.IntRange(max(-1, i-wide), i), 0, 4).Draw(t, "inputs")
			if i > 0 && rapid.Bool().Draw(t, "alike") {
				same := rapid.IntRange(0, i-1).Draw(t, "same")
				b.Same = &same
			}
			g.Boxes = append(g.Boxes, b)
		}
		return g
	})
}

// An independent reader of DOT finds in it the boxes, their words and what leads
// to what, and nothing else.
func TestDOTSaysWhatTheGraphIsWhateverTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graphs().Draw(t, "graph")
		file, err := dot.ParseBytes(g.DOT())
		if err != nil {
			t.Fatalf("%v\n%s", err, g.DOT())
		}
		var boxes, edges, want []string
		for _, s := range file.Graphs[0].Stmts {
			switch s := s.(type) {
			case *ast.NodeStmt:
				for _, a := range s.Attrs {
					if a.Key == "tooltip" {
						boxes = append(boxes, s.Node.ID+" "+unquoted(a.Val))
					}
				}
			case *ast.EdgeStmt:
				if len(s.Attrs) == 0 {
					edges = append(edges, s.From.(*ast.Node).ID+" "+s.To.Vertex.(*ast.Node).ID)
				}
			}
		}
		for i, b := range g.Boxes {
			at := i
			if at >= len(boxes) || boxes[at] != fmt.Sprintf("s%d %s", i+1, plain(b.Head)) {
				t.Fatalf("box %d is not in %q", i+1, boxes)
			}
			for _, in := range g.inputs(i) {
				want = append(want, fmt.Sprintf("s%d s%d", in+1, i+1))
			}
		}
		if len(boxes) != len(g.Boxes) || !slices.Equal(edges, want) {
			t.Fatalf("%d boxes, edges %q, want %q", len(boxes), edges, want)
		}
	})
}

// unquoted is what Graphviz shows of a label.
func unquoted(s string) string {
	s = strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)
	return strings.ReplaceAll(strings.ReplaceAll(s, `\\`, `\`), "&amp;", "&")
}

// picture is an SVG as a reader of XML finds it.
type picture struct {
	Width  float64 `xml:"width,attr"`
	Height float64 `xml:"height,attr"`
	Title  string  `xml:"title"`
	Edges  []struct {
		From string `xml:"data-from,attr"`
		To   string `xml:"data-to,attr"`
		Path string `xml:"d,attr"`
	} `xml:"path"`
	Boxes []struct {
		ID    string `xml:"id,attr"`
		Title string `xml:"title"`
		Rect  struct {
			X      float64 `xml:"x,attr"`
			Y      float64 `xml:"y,attr"`
			Width  float64 `xml:"width,attr"`
			Height float64 `xml:"height,attr"`
		} `xml:"rect"`
		Text []struct {
			X      float64 `xml:"x,attr"`
			Y      float64 `xml:"y,attr"`
			Length float64 `xml:"textLength,attr"`
		} `xml:"text"`
	} `xml:"g"`
}

type point struct{ x, y float64 }

// points follows a path of the commands M, V and C.
func points(t *rapid.T, d string) []point {
	var out []point
	for d != "" {
		n := strings.IndexAny(d[1:], "MVC") + 1
		if n == 0 {
			n = len(d)
		}
		var v []float64
		for _, f := range strings.Fields(d[1:n]) {
			x, err := strconv.ParseFloat(f, 64)
			if err != nil {
				t.Fatal(err)
			}
			v = append(v, x)
		}
		switch d[0] {
		case 'M':
			out = append(out, point{v[0], v[1]})
		case 'V':
			from := out[len(out)-1]
			for i := range 8 {
				out = append(out, point{from.x, from.y + (v[0]-from.y)*float64(i+1)/8})
			}
		case 'C':
			from := out[len(out)-1]
			for i := range 16 {
				s := float64(i+1) / 16
				at := func(a, b, c, d float64) float64 {
					return a*math.Pow(1-s, 3) + 3*b*s*math.Pow(1-s, 2) + 3*c*s*s*(1-s) + d*math.Pow(s, 3)
				}
				out = append(out, point{at(from.x, v[0], v[2], v[4]), at(from.y, v[1], v[3], v[5])})
			}
		}
		d = d[n:]
	}
	return out
}

// Boxes stand apart and hold their words; edges lead from box to box, or begin on
// another edge of the same box, and cross no box.
func TestPicturesCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graphs().Draw(t, "graph")
		b, err := g.SVG()
		if err != nil {
			t.Fatal(err)
		}
		var p picture
		if err := xml.Unmarshal(b, &p); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if len(p.Boxes) != len(g.Boxes) || p.Title != plain(g.Title) {
			t.Fatalf("%d boxes, title %q, want %q", len(p.Boxes), p.Title, g.Title)
		}
		for i, a := range p.Boxes {
			r := a.Rect
			if r.X < 0 || r.Y < 0 || r.X+r.Width > p.Width || r.Y+r.Height > p.Height {
				t.Fatalf("%s is outside of the picture", a.ID)
			}
			if head, _, _ := strings.Cut(a.Title, "\n"); head != plain(g.Boxes[i].Head) {
				t.Fatalf("%s says %q, want %q", a.ID, a.Title, g.Boxes[i].Head)
			}
			for _, line := range a.Text {
				if line.X < r.X || line.X+line.Length > r.X+r.Width || line.Y < r.Y || line.Y > r.Y+r.Height {
					t.Fatalf("a line of %s is outside of it", a.ID)
				}
			}
			for _, c := range p.Boxes[:i] {
				s := c.Rect
				if r.X < s.X+s.Width && s.X < r.X+r.Width && r.Y < s.Y+s.Height && s.Y < r.Y+r.Height {
					t.Fatalf("%s is on top of %s", a.ID, c.ID)
				}
			}
		}
		checkEdges(t, g, p)
		if again, _ := g.SVG(); !bytes.Equal(again, b) {
			t.Fatal("another picture every time")
		}
	})
}

func checkEdges(t *rapid.T, g Graph, p picture) {
	reached := map[string][]point{} // by edges from a box
	n := 0
	for i := range g.Boxes {
		for _, in := range g.inputs(i) {
			if n >= len(p.Edges) {
				t.Fatalf("only %d edges", len(p.Edges))
			}
			e := p.Edges[n]
			n++
			if e.From != p.Boxes[in].ID || e.To != p.Boxes[i].ID {
				t.Fatalf("an edge from %s to %s, want one from %d to %d", e.From, e.To, in+1, i+1)
			}
			way := points(t, e.Path)
			from, to, first, last := p.Boxes[in].Rect, p.Boxes[i].Rect, way[0], way[len(way)-1]
			if last.y != to.Y || last.x < to.X || last.x > to.X+to.Width {
				t.Fatalf("the edge to %s ends at %v", e.To, last)
			}
			begins := first.y == from.Y+from.Height && first.x >= from.X && first.x <= from.X+from.Width
			if !begins && !slices.Contains(reached[e.From], first) {
				t.Fatalf("the edge from %s to %s begins at %v", e.From, e.To, first)
			}
			reached[e.From] = append(reached[e.From], way...)
			for _, q := range way {
				for _, c := range p.Boxes {
					r := c.Rect
					if q.x > r.X && q.x < r.X+r.Width && q.y > r.Y && q.y < r.Y+r.Height {
						t.Fatalf("the edge from %s to %s crosses %s", e.From, e.To, c.ID)
					}
				}
			}
		}
	}
	if n != len(p.Edges) {
		t.Fatalf("%d edges, want %d", len(p.Edges), n)
	}
}

func TestWhatIsTooLargeIsRefusedAtOnce(t *testing.T) {
	var g Graph
	for i := range 3000 { // each needs the last and one from long ago
		g.Boxes = append(g.Boxes, Box{Head: "x", Inputs: []int{i - 1, i / 2}})
	}
	if _, err := g.SVG(); err == nil || !strings.Contains(err.Error(), "DOT") {
		t.Errorf("%v", err)
	}
	if _, err := dot.ParseBytes(g.DOT()); err != nil {
		t.Error(err)
	}
}

func BenchmarkALongRun(b *testing.B) {
	var g Graph
	for i := range 2000 {
		g.Boxes = append(g.Boxes, Box{Head: "with-file /bin/tool ./tool", Lines: []string{"done 0.0s"}, Inputs: []int{i - 2, i - 4 + i%2, 0}})
	}
	for b.Loop() {
		if _, err := g.SVG(); err != nil {
			b.Fatal(err)
		}
	}
}
