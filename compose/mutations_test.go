package compose_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// mutation is an error that somebody could make in the code, and the test that
// is there to notice.
type mutation struct {
	title, file string
	dir, test   string // of the test
	old, new    string
}

// readMutations reads testdata/mutations.txt.
func readMutations(t *testing.T) []mutation {
	t.Helper()
	text, err := os.ReadFile("testdata/mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []mutation
	for part := range strings.SplitSeq("\n"+string(text), "\n## ") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		title, body, _ := strings.Cut(part, "\n")
		a := txtar.Parse([]byte(body))
		file, test, ok := strings.Cut(strings.TrimSpace(string(a.Comment)), " caught by ")
		if !ok || len(a.Files) != 2 {
			t.Fatalf("%s: want FILE caught by [FOLDER] TEST, old and new", title)
		}
		m := mutation{title: title, file: file, dir: "compose", test: test, old: string(a.Files[0].Data), new: string(a.Files[1].Data)}
		if dir, name, elsewhere := strings.Cut(test, " "); elsewhere {
			m.dir, m.test = dir, name
		}
		m.old, m.new = strings.TrimRight(m.old, "\n"), strings.TrimRight(m.new, "\n")
		out = append(out, m)
	}
	return out
}

// mutate gives the file's text with the error in it.
func (m mutation) mutate(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		t.Fatalf("%s: the code that it changes is %d times in %s; change testdata/mutations.txt with it", m.title, n, m.file)
	}
	return strings.Replace(string(text), m.old, m.new, 1)
}

// That each error of a list would be noticed is tried in the long run: the
// package is built with it, and the test must fail. In the default run the list
// is only held to the code.
func TestEveryMutationIsCaught(t *testing.T) {
	dir := t.TempDir()
	for _, m := range readMutations(t) {
		t.Run(m.title, func(t *testing.T) {
			mutated := m.mutate(t)
			if !long() {
				return
			}
			real, err := filepath.Abs(filepath.Join("..", m.file))
			if err != nil {
				t.Fatal(err)
			}
			fake := filepath.Join(dir, "mutated.go")
			if err := os.WriteFile(fake, []byte(mutated), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {real: fake}})
			if err != nil {
				t.Fatal(err)
			}
			list := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(list, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			caught(t, list, m.dir, m.test)
		})
	}
}

// caught runs a test with replaced files as the default run would, and fails
// unless it is built and fails.
func caught(t *testing.T, overlay, dir, test string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-overlay", overlay, "-run", "^"+test+"$", "-timeout", "4m", ".")
	cmd.Dir = filepath.Join("..", dir)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "INLAY_LONG=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	said, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("%s does not notice", test)
	}
	if !strings.Contains(string(said), "--- FAIL: "+test) && !strings.Contains(string(said), "panic: ") {
		t.Fatalf("%s did not run: %v\n%s", test, err, said)
	}
}
