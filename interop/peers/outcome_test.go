package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// docs is where the documentation is.
const docs = "../../docs"

// outcomes is what a peer makes of the numbered cases. It has a file in
// docs/outcomes: a line "# " with the peer, its version and how it was run; then
// a line for each case, of its number, a tab and the outcome.
type outcomes struct {
	head string
	of   map[int]string
}

// The outcomes that are not told by what changes, or by "error: " and why.
const (
	same        = "same" // as Inlay
	hangs       = "hangs"
	notPossible = "not possible" // to tell the peer
	unknown     = "?"
)

func outcomesFile(name string) string { return filepath.Join(docs, "outcomes", name+".txt") }

// readOutcomes reads a file; one that does not exist has no outcomes.
func readOutcomes(name string) (outcomes, error) {
	o := outcomes{of: map[int]string{}}
	text, err := os.ReadFile(outcomesFile(name))
	if os.IsNotExist(err) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, "# "); ok {
			o.head = head
			continue
		}
		number, what, ok := strings.Cut(line, "\t")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || what == "" {
			return o, fmt.Errorf("%s: %q is no outcome", outcomesFile(name), line)
		}
		o.of[n] = what
	}
	return o, nil
}

func (o outcomes) write(name string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", o.head)
	var numbers []int
	for n := range o.of {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		fmt.Fprintf(&b, "%d\t%s\n", n, o.of[n])
	}
	return os.WriteFile(outcomesFile(name), []byte(b.String()), 0o644)
}

// get gives the outcome of a case.
func (o outcomes) get(n int) string {
	if what := o.of[n]; what != "" {
		return what
	}
	return unknown
}

// numbered reads the numbered cases.
func numbered() ([]treetest.Numbered, error) {
	text, err := os.ReadFile(filepath.Join(docs, "cases.txt"))
	if err != nil {
		return nil, err
	}
	return treetest.ParseNumbered(string(text))
}
