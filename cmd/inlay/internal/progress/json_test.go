package progress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// every is one event of each kind with all that it can say, and the same kinds
// with as little as they can say.
var every = []engine.Event{
	engine.StepStarted{Step: 3, Op: "with-exec", Call: "with-exec make", At: time.Unix(1767225600, 0).UTC()},
	engine.StepStarted{Step: 3, Op: "with-exec", Call: "with-exec make", At: time.Unix(1767225600, 0).UTC()},
	engine.Uncached{Step: 3, Miss: engine.Miss{Cause: engine.InputChanged, Text: "the file system before it changed: /src/main.c"}},
	engine.Lowered{Step: 3, Lowering: engine.Lowering{How: engine.LowerMerge, Why: "1 file is put"}},
	engine.Output{Step: 3, Data: []byte("cc -o tool main.c\n")},
	engine.Progress{Step: 3, What: "/src", Done: 1024, Total: 4096, Count: 7},
	engine.Progress{Step: -1, What: "/src"},
	engine.Replaced{Step: 3, Replacement: compose.Replacement{Path: "/etc", Was: tree.KindDirectory, Now: tree.KindFile, Entries: 14, Came: 1}},
	engine.Placed{Step: 3, Placements: engine.Placements{More: 3, List: []engine.Placement{{
		Action: compose.Graft, Root: true, Asked: "/bin/tool", From: "/tool", To: "/usr/bin/tool",
		Hops: []tree.Hop{{Path: "/bin", Target: "usr/bin"}}, Kind: tree.KindFile, Was: tree.KindSymlink,
	}}}},
	engine.Placed{Step: 3, Placements: engine.Placements{List: []engine.Placement{{Action: compose.Take, To: "/old"}}}},
	engine.Written{Step: 3, Blobs: 5120, Nodes: 730},
	engine.Written{Step: -1},
	engine.LeftOut{Paths: []string{"/run/socket"}, Why: "a tar cannot hold sockets"},
	engine.TerminalOpened{Step: 3, Args: []string{"bash"}},
	engine.TerminalOpened{Step: -1},
	engine.TerminalClosed{Step: 3, Left: engine.Left{ExitCode: 1, Took: 12 * time.Second, Changed: 4}},
	engine.TerminalClosed{Step: -1},
	engine.NotKept{Step: 3, What: "its log", Err: errors.New("no space left on device")},
	engine.NotKept{Step: -1, What: "the run", Err: errors.New("no space left on device")},
	engine.Lost{Step: 1, Of: "last@failed"},
	engine.Lost{Step: -1, Of: "last"},
	engine.FromCache{Step: 3, Cache: "registry.example.org/team/cache:main"},
	engine.CacheTold{Cache: "registry.example.org/team/cache:main", Text: "there is none yet"},
	engine.CacheTold{Cache: "registry.example.org/team/cache:main", Text: "it is not used any more: registry unavailable", Warning: true},
	engine.StepEnded{Step: 3, Took: 1500 * time.Millisecond, Err: &graph.CallError{
		Call: "with-exec make", Err: &engine.ExecError{Args: []string{"make"}, ExitCode: 2},
	}},
	engine.StepEnded{Step: 3, Cached: true},
}

// events gives the JSON lines of events.
func events(t *testing.T, list []engine.Event) (lines []string, objects []map[string]any) {
	t.Helper()
	var b bytes.Buffer
	j := &jsonLines{w: &b}
	for _, e := range list {
		j.Event(e)
	}
	for line := range strings.Lines(b.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		lines, objects = append(lines, strings.TrimSuffix(line, "\n")), append(objects, v)
	}
	if len(lines) != len(list) {
		t.Fatalf("%d lines of %d events", len(lines), len(list))
	}
	return lines, objects
}

// table gives the rows below a heading of a document, by their first cell.
func table(t *testing.T, doc, heading string) map[string][]string {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the document has no %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n#")
	rows := map[string][]string{}
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		name := strings.Trim(strings.TrimSpace(cells[0]), "`")
		if len(cells) > 2 && strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
			rows[name] = cells[1:]
		}
	}
	return rows
}

var quoted = regexp.MustCompile("`([a-z-]+)`(\\?)?")

// document is the reference of JSON lines.
func document(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../../docs/progress.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The document lists each event with the fields that it always has, and those
// that it may have; each field with its type; and shows what is written.
func TestTheDocumentOfJSONLinesIsTrue(t *testing.T) {
	doc := document(t)
	rows, fields := table(t, doc, "### Events"), table(t, doc, "### Fields")
	lines, objects := events(t, every)
	seen, always := map[string]map[string]bool{}, map[string]map[string]bool{}
	for i, o := range objects {
		name := o["event"].(string)
		keys := map[string]bool{}
		for key, v := range o {
			if key == "event" {
				continue
			}
			keys[key] = true
			if f, ok := fields[key]; !ok || strings.TrimSpace(f[0]) != kindOf(v) {
				t.Errorf("%s: %s is a %s, and the document says %q", name, key, kindOf(v), f)
			}
		}
		if seen[name] == nil {
			if !strings.Contains(doc, "\n"+lines[i]+"\n") {
				t.Errorf("the document does not show %s", lines[i])
			}
			seen[name], always[name] = map[string]bool{}, maps.Clone(keys)
		}
		maps.Copy(seen[name], keys)
		maps.DeleteFunc(always[name], func(k string, _ bool) bool { return !keys[k] })
	}
	used := map[string]bool{}
	for name, cells := range rows {
		all, sure := map[string]bool{}, map[string]bool{}
		for _, m := range quoted.FindAllStringSubmatch(cells[0], -1) {
			all[m[1]], used[m[1]] = true, true
			if m[2] == "" {
				sure[m[1]] = true
			}
		}
		if !maps.Equal(all, seen[name]) || !maps.Equal(sure, always[name]) {
			t.Errorf("%s: the document has %v, the program writes %v, of which always %v", name, cells[0], sortedKeys(seen[name]), sortedKeys(always[name]))
		}
	}
	if a, b := sortedKeys(rows), sortedKeys(seen); !slices.Equal(a, b) {
		t.Errorf("events: the document has %v, the program writes %v", a, b)
	}
	if a, b := sortedKeys(fields), sortedKeys(used); !slices.Equal(a, b) {
		t.Errorf("fields: the document has %v, events have %v", a, b)
	}
}

// The document lists what a placement and a hop have, and all causes and states.
func TestTheDocumentOfJSONValuesIsTrue(t *testing.T) {
	doc := document(t)
	for heading, typ := range map[string]reflect.Type{
		"### Placements": reflect.TypeFor[show.Placement](), "### Hops": reflect.TypeFor[show.Hop](),
	} {
		var want []string
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			want = append(want, name)
		}
		slices.Sort(want)
		if got := sortedKeys(table(t, doc, heading)); !slices.Equal(got, want) {
			t.Errorf("%s: the document has %v, the program %v", heading, got, want)
		}
	}
	causes := sortedKeys(table(t, doc, "### Causes"))
	source, err := os.ReadFile("../../../../engine/uncached.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`Cause = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, m[1])
	}
	slices.Sort(want)
	if !slices.Equal(causes, want) {
		t.Errorf("causes: the document has %v, the engine %v", causes, want)
	}
	for _, e := range []engine.StepEnded{{}, {Cached: true}, {Err: errors.New("x")}, {Err: fmt.Errorf("x: %w", context.Canceled)}} {
		if s := state(e); !strings.Contains(doc, "`"+s+"`") {
			t.Errorf("the state %s is not in the document", s)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "list"
	}
	return "object"
}

// Steps are counted as people do, bytes that are not UTF-8 arrive, and what a
// process wrote is as it was.
func TestJSONKeepsWhatWasWritten(t *testing.T) {
	_, objects := events(t, []engine.Event{
		engine.StepStarted{Step: 1, Call: "a"},
		engine.Output{Step: 1, Stderr: true, Data: []byte("\x1b[2Jraw\n")},
		engine.Output{Step: 1, Data: []byte("\xff")},
		engine.Progress{Step: -1, What: "x"},
	})
	if objects[0]["step"] != 1.0 || objects[1]["data"] != "\x1b[2Jraw\n" || objects[1]["stream"] != "stderr" {
		t.Errorf("%v", objects)
	}
	if o, ok := objects[2]["data"].(map[string]any); !ok || o["base64"] != "/w==" {
		t.Errorf("%v", objects[2])
	}
	if _, ok := objects[3]["step"]; ok {
		t.Errorf("%v is of a step", objects[3])
	}
}

func TestTheErrorOfAStepHasItsCallOnce(t *testing.T) {
	for want, err := range map[string]error{
		"with-exec make all: exited with code 2":      &graph.CallError{Call: "with-exec make all", Err: &engine.ExecError{Args: []string{"make", "all"}, ExitCode: 2}},
		"with-exec make: did not start: it is absent": &graph.CallError{Call: "with-exec make", Err: &engine.ExecError{Args: []string{"make"}, Reason: "it is absent"}},
		"copy /a: there is no such file":              &graph.CallError{Call: "copy /a", Err: errors.New("there is no such file")},
		"stopped":                                     errors.New("stopped"),
	} {
		if _, objects := events(t, []engine.Event{engine.StepEnded{Step: 1, Err: err}}); objects[0]["error"] != want {
			t.Errorf("%v, want %q", objects[0], want)
		}
	}
}
