package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// columns are the files of docs/outcomes, and what their columns are called.
var columns = [][2]string{
	{"buildkit-copy", "`COPY`"}, {"buildkit-copy-link", "`COPY --link`"}, {"dagger", "Dagger"},
	{"cp", "`cp -a`"}, {"rsync", "`rsync`"}, {"tar", "`tar`"},
}

// The table stands between these lines.
const (
	tableBegins = "<!-- cases begin -->\n"
	tableEnds   = "<!-- cases end -->\n"
)

// table writes the cases as tables, one for each group.
func table(cases []treetest.Numbered) (string, error) {
	var b strings.Builder
	var all []outcomes
	for _, c := range columns {
		o, err := readOutcomes(c[0])
		if err != nil {
			return "", err
		}
		all = append(all, o)
		if o.head != "" {
			fmt.Fprintf(&b, "- %s: %s\n", c[1], o.head)
		}
	}
	group := ""
	for _, c := range cases {
		if c.Group != group {
			group = c.Group
			fmt.Fprintf(&b, "\n### %s\n\n| | | operation | there is | is copied | Inlay |", group)
			for _, c := range columns {
				fmt.Fprintf(&b, " %s |", c[1])
			}
			b.WriteString("\n|" + strings.Repeat("---|", 6+len(columns)) + "\n")
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s |", c.Number, cell(c.Title), code(c.Line()), code(lines(c.Dst)), code(lines(c.Src)), code(ours(c.Case)))
		for _, o := range all {
			switch what := o.get(c.Number); what {
			case same, hangs, notPossible, unknown:
				fmt.Fprintf(&b, " %s |", what)
			default:
				fmt.Fprintf(&b, " %s |", code(what))
			}
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

// lines gives a listing's lines as one.
func lines(l treetest.Listing) string {
	return strings.ReplaceAll(strings.TrimSpace(l.String()), "\n", ", ")
}

// ours tells what Inlay makes of a case.
func ours(c treetest.Case) string {
	out, _ := c.Run(context.Background())
	if out.Failure != "" {
		return "error: " + out.Err.Error()
	}
	l := slices.Clone(out.Tree)
	for n := range l { // of directories that had to be made: the tests' time for them
		if l[n].Kind == tree.KindDirectory && c.Dst.Find(l[n].Path) == nil && l[n].Attr.ModTime == (tree.Time{Sec: 7}) {
			l[n].Attr.ModTime = tree.Time{}
		}
	}
	return treetest.Brief(c.Dst, l)
}

// cell makes text fit into a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// code gives text as a code span in a cell; what is very long is cut.
func code(s string) string {
	const most = 160
	if s == "" {
		return ""
	}
	if len(s) > most {
		s = s[:most/2] + "…" + s[len(s)-most/4:]
	}
	ticks := "`"
	for strings.Contains(s, ticks) {
		ticks += "`"
	}
	return ticks + cell(s) + ticks
}

// The table of docs/semantics.md is what the outcomes, and our own run of the
// cases, give. With $INLAY_UPDATE it is written.
func TestTheTableOfCasesIsWhatTheOutcomesGive(t *testing.T) {
	cases, err := numbered()
	if err != nil {
		t.Fatal(err)
	}
	want, err := table(cases)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(docs, "semantics.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(text, []byte(tableBegins))
	got, after, ok2 := bytes.Cut(rest, []byte(tableEnds))
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no lines %q and %q", file, tableBegins, tableEnds)
	case string(got) == want:
	case os.Getenv("INLAY_UPDATE") == "":
		t.Errorf("the table of %s is not what the outcomes give; INLAY_UPDATE=1 go test ./interop/peers writes it", file)
	default:
		text = slices.Concat(before, []byte(tableBegins+want+tableEnds), after)
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
