package inlay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of this module.
const module = "github.com/inlaybuild/inlay"

// rule is the import law for one package: what it may import of this module.
type rule struct {
	name string // of the package, from the module's root; "." is the SDK
	may  string // names, separated by spaces
	why  string // what the package is there for, and so why it may not import more
}

// law has all packages, low to high: a package may import only what its rule
// lists, and a rule lists only packages that stand above it here. Who needs a
// new import thinks about the reason first, and then changes the rule.
var law = []rule{
	{"digest", "", "the name of bytes stands on nothing"},
	{"tree", "digest", "the value knows neither disk nor image nor operation"},
	{"internal/ignore", "", "patterns and paths"},
	{"compose", "digest tree internal/ignore", "operations on values: no disk, no engine"},
	{"internal/treetest", "digest tree compose", "what tests of trees share: for tests"},
	{"internal/model", "tree compose internal/ignore internal/treetest", "the rules as a slow program, for tests"},

	{"internal/program", "digest tree", "what execve would say, over values: no process, no disk, no run"},
	{"internal/compress", "", "streams of bytes"},
	{"internal/sparsejson", "", "an encoding; of what is not its business"},
	{"internal/quiet", "", "logs of others, which nobody reads"},
	{"internal/mount", "", "system calls"},
	{"internal/runtime/wire", "", "what two programs say to each other"},
	{"internal/runtime", "internal/runtime/wire", "a process in a directory; where that comes from is not its business"},
	{"internal/runtime/inlay-runc", "internal/runtime/wire", "a program with cgo: it stays small, and nothing of Inlay is in it"},
	{"internal/terminal", "internal/runtime internal/runtime/wire", "a person's terminal while a process has it; what process is not its business"},
	{"internal/busybox", "digest", "a program of this machine that is lent"},
	{"internal/mask", "", "a stream without secrets; what secrets are, and whose, is not its business"},
	{"internal/steplog", "", "a byte format of what processes say"},
	{"internal/store", "digest internal/sparsejson", "keeps bytes and what names them; what nodes refer to it is told by a function"},
	{"internal/erofs", "digest tree", "a byte format of trees"},
	{"internal/layer", "digest tree compose", "a byte format of trees and change sets"},
	{"internal/capture", "digest tree compose internal/ignore", "disk to values; bodies go to a sink, not to a store"},
	{"internal/checkout", "digest tree compose internal/erofs internal/mount", "values to disk; bodies come by a function, not from a store"},

	{"internal/shim", "digest tree compose internal/mask internal/capture", "what runs in containers of others, and what it says: it knows no engine, and is small"},

	{"internal/daemon", "internal/quiet", "a connection to a BuildKit daemon: it knows states and results, neither trees nor graphs"},
	{"internal/daemontest", "", "daemons for tests"},

	{"graph", "digest tree compose", "what is to be made, without what makes it"},

	{"image", "digest internal/compress", "images are blobs that name blobs; what is in a layer is not their business"},
	{"image/imagetest", "digest image internal/compress", "the laws of places for images, for tests"},
	{"image/layout", "digest image internal/compress", "one place for images"},
	{"image/archive", "digest image image/layout internal/compress", "a tar of a layout"},
	{"image/registry", "digest image internal/compress internal/quiet", "one place for images"},

	{"internal/cache", "digest image", "a byte format of results and objects, at a place for images; what they are of is its caller's business"},

	{"engine", "digest tree compose graph image", "what engines have in common, without any of them"},
	{"engine/runs", "digest tree compose graph image engine internal/sparsejson internal/steplog internal/store", "what engines write down of runs, and how people name them: of any engine with a store"},
	{"engine/enginetest", "digest tree compose graph image image/layout engine engine/runs internal/steplog internal/store internal/treetest",
		"the laws of engines, for tests: of any engine; what they remember is in a store"},
	{"engine/embedded", "digest tree compose graph image image/layout image/archive image/registry engine engine/runs " +
		"internal/cache internal/program internal/compress internal/mount internal/runtime internal/mask internal/sparsejson internal/steplog internal/terminal internal/busybox internal/store internal/erofs internal/layer internal/capture internal/ignore internal/checkout",
		"where all parts meet"},
	{"engine/buildkit", "digest tree compose graph image engine internal/compress internal/daemon internal/layer internal/shim", "what a BuildKit daemon does for an engine: it keeps nothing here itself"},
	{".", "digest tree compose graph image engine engine/embedded", "the SDK: values, and a client of an engine"},
	{"pipeline", "digest tree compose graph image engine .", "a language for the SDK: what it cannot say, the SDK cannot do"},
	{"cmd/inlay/internal/show", "digest tree compose graph engine", "how values look to people, and what engines tell of them; it asks no engine"},
	{"cmd/inlay/internal/progress", "tree compose engine cmd/inlay/internal/show", "how events look to people; some hold what compose says of trees"},
	{"cmd/inlay/internal/prompt", "tree compose engine engine/embedded pipeline cmd/inlay/internal/show", "a conversation on a terminal, which is guarded as that of a session; what looks at values it is given"},
	{"cmd/inlay/internal/chart", "", "draws boxes and arrows; what they stand for is not its business"},
	{"cmd/inlay", "digest tree compose graph image image/layout image/archive image/registry engine engine/runs engine/buildkit engine/embedded . pipeline " +
		"internal/steplog internal/store cmd/inlay/internal/show cmd/inlay/internal/progress cmd/inlay/internal/chart cmd/inlay/internal/prompt",
		"the command: what it does, a program with the SDK can do, but for the care of the store"},
	{"cmd/inlay-shim", "internal/shim", "the program of internal/shim"},
	{"bench", "", "measures the command from outside"},
	{"interop", "", "has tests alone: the whole of Inlay beside other programs"},
	{"interop/peers", "", "has tests alone: copies beside other programs that copy"},
	{"interop/inside", "internal/treetest", "what those tests run in containers of others: for tests"},
}

// The yardsticks that the code is held to.
const (
	maxExports  = 70  // exported names of a package
	maxFunction = 124 // lines of a function
)

// junk are names that say nothing of what a package is for.
var junk = []string{"util", "utils", "common", "helper", "helpers", "types", "misc", "base", "shared", "lib"}

// source is a package with its parsed files.
type source struct {
	name  string // as in rule
	files []*ast.File
	fset  *token.FileSet
}

// sources are the packages of the module, with the files for every system, and
// without tests.
func sources(t *testing.T) map[string]source {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,CgoFiles,IgnoredGoFiles", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	all := map[string]source{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			ImportPath, Dir                   string
			GoFiles, CgoFiles, IgnoredGoFiles []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		s := source{name: short(p.ImportPath), fset: token.NewFileSet()}
		for _, file := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(s.fset, filepath.Join(p.Dir, file), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Error(err)
				continue
			}
			s.files = append(s.files, f)
		}
		if len(s.files) > 0 {
			all[s.name] = s
		}
	}
	return all
}

// short is the name in a rule of an import path of this module.
func short(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// imports gives what the package imports of this module, each with one place
// where it does.
func (s source) imports() map[string]token.Position {
	found := map[string]token.Position{}
	for _, f := range s.files {
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err == nil && (p == module || strings.HasPrefix(p, module+"/")) {
				found[short(p)] = s.at(i)
			}
		}
	}
	return found
}

// at gives the place of a node, with a path relative to the module's root.
func (s source) at(n ast.Node) token.Position {
	p := s.fset.Position(n.Pos())
	if root, err := filepath.Abs("."); err == nil {
		if r, err := filepath.Rel(root, p.Filename); err == nil {
			p.Filename = r
		}
	}
	return p
}

// Every package imports what the law lets it, and nothing else.
func TestImportLaw(t *testing.T) {
	rules, place := map[string]rule{}, map[string]int{}
	for i, r := range law {
		for _, m := range strings.Fields(r.may) {
			if _, above := place[m]; !above {
				t.Errorf("the rule for %s lets it import %s, which does not stand above it", r.name, m)
			}
		}
		rules[r.name], place[r.name] = r, i
	}
	all := sources(t)
	for _, r := range law {
		if _, ok := all[r.name]; !ok {
			t.Errorf("there is a rule for %s, but no such package", r.name)
		}
	}
	for _, s := range sorted(all) {
		r, ok := rules[s.name]
		if !ok {
			t.Errorf("%s: no rule for this package: give it one in layers_test.go, at the height where it stands", s.name)
			continue
		}
		may := strings.Fields(r.may)
		for _, name := range slices.Sorted(maps.Keys(s.imports())) {
			if !slices.Contains(may, name) {
				t.Errorf("%s: %s imports %s. It may import: %s. Why: %s",
					s.imports()[name], s.name, name, strings.Join(append(may, "nothing else of this module"), ", "), r.why)
			}
		}
	}
}

// Seen as folders, with what is in them, imports have no cycle: each part can be
// read without those that stand on it.
func TestFoldersHaveNoCycle(t *testing.T) {
	edges := map[string]map[string]string{} // folder -> folder -> who imports whom
	for _, s := range sorted(sources(t)) {
		for name, at := range s.imports() {
			from, to := folder(s.name), folder(name)
			if from == to {
				continue
			}
			if edges[from] == nil {
				edges[from] = map[string]string{}
			}
			edges[from][to] = at.String()
		}
	}
	state := map[string]int{} // 1: on the way, 2: done
	var visit func(string, []string)
	visit = func(f string, way []string) {
		switch state[f] {
		case 1:
			way = way[slices.Index(way, f):]
			text := ""
			for i, from := range way {
				to := way[(i+1)%len(way)]
				text += fmt.Sprintf("\n\t%s imports %s: %s", from, to, edges[from][to])
			}
			t.Error("a cycle of folders:" + text)
		case 0:
			state[f] = 1
			for _, to := range slices.Sorted(maps.Keys(edges[f])) {
				visit(to, append(way, f))
			}
			state[f] = 2
		}
	}
	for _, f := range slices.Sorted(maps.Keys(edges)) {
		visit(f, nil)
	}
}

// folder is the part of the project that a package belongs to.
func folder(name string) string {
	parts := strings.Split(name, "/")
	if parts[0] == "internal" || parts[0] == "cmd" {
		return path.Join(parts[:2]...)
	}
	return parts[0]
}

// Packages are named for what they are, work without init functions, and stay
// small enough to be known.
func TestShapeOfPackages(t *testing.T) {
	for _, s := range sorted(sources(t)) {
		for _, f := range s.files {
			if name := f.Name.Name; slices.Contains(junk, name) || slices.Contains(junk, path.Base(s.name)) {
				t.Errorf("%s: a package called %s will hold anything: name it for what it is", s.at(f.Name), name)
			}
		}
		exported := map[string]bool{}
		for _, f := range s.files {
			if ast.IsGenerated(f) {
				continue
			}
			for _, d := range f.Decls {
				s.checkFunction(t, d)
				for _, name := range declared(d) {
					if ast.IsExported(name) {
						exported[name] = true
					}
				}
			}
		}
		if s.files[0].Name.Name != "main" && len(exported) > maxExports {
			t.Errorf("%s: %d exported names, more than %d: it is two packages", s.name, len(exported), maxExports)
		}
	}
}

func (s source) checkFunction(t *testing.T, d ast.Decl) {
	t.Helper()
	f, ok := d.(*ast.FuncDecl)
	if !ok {
		return
	}
	if f.Recv == nil && f.Name.Name == "init" {
		t.Errorf("%s: func init: what it prepares goes into a constructor", s.at(f))
	}
	first, last := s.fset.Position(f.Pos()).Line, s.fset.Position(f.End()).Line
	if n := last - first + 1; n > maxFunction {
		t.Errorf("%s: func %s has %d lines, more than %d", s.at(f), f.Name.Name, n, maxFunction)
	}
}

// declared gives the names that a declaration makes. Methods and the values of
// an enumeration count with their types.
func declared(d ast.Decl) []string {
	var names []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		if d.Tok == token.CONST && len(d.Specs) > 1 && d.Specs[0].(*ast.ValueSpec).Type != nil {
			return nil
		}
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, spec.Name.Name)
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

func sorted(all map[string]source) []source {
	list := make([]source, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list
}

// What the operations mean is written down as a program in internal/model, which
// is to be read at once: without what only runs cases, under 400 lines of code.
func TestTheModelIsSmall(t *testing.T) {
	lines := 0
	for _, f := range []string{"fs.go", "copy.go", "edit.go"} {
		text, err := os.ReadFile(filepath.Join("internal", "model", f))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
	}
	if lines >= 400 {
		t.Errorf("internal/model has %d lines of code", lines)
	}
}
