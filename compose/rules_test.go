package compose_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// made makes a tree of lines: "path/" is a directory, "path -> target" a symlink,
// "path = text" a file, "path == other" another name of that file.
func made(t testing.TB, lines ...string) tree.Tree {
	t.Helper()
	ctx := context.Background()
	d := tree.NewDraft(tree.Empty())
	at := func(p string) (*tree.Draft, string) {
		dir := d
		parts := strings.Split(p, "/")
		for _, n := range parts[:len(parts)-1] {
			sub, ok, err := dir.Dir(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				sub = dir.MakeDir(n, tree.Attr{Mode: 0o755})
			}
			dir = sub
		}
		return dir, parts[len(parts)-1]
	}
	for _, l := range lines {
		if p, to, ok := strings.Cut(l, " -> "); ok {
			dir, name := at(p)
			dir.Put(name, tree.Symlink{Target: to})
		} else if p, other, ok := strings.Cut(l, " == "); ok {
			from, name := at(other)
			e, _, _ := from.Get(ctx, name)
			dir, name := at(p)
			dir.Put(name, e)
			d.Link(p, other)
		} else if p, text, ok := strings.Cut(l, " = "); ok {
			dir, name := at(p)
			dir.Put(name, tree.File{Attributes: tree.Attr{Mode: 0o644}, Size: int64(len(text)), Content: digest.Of([]byte(text))})
		} else {
			dir, name := at(strings.TrimSuffix(l, "/"))
			dir.MakeDir(name, tree.Attr{Mode: 0o755})
		}
	}
	tr, err := d.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// told gives a tree as the lines that made takes, with the first letter of a
// file's digest for its text.
func told(tr tree.Tree) string {
	var out []string
	for it, err := range tree.Walk(context.Background(), tr, tree.WalkOptions{}) {
		if err != nil {
			return err.Error()
		}
		p := strings.TrimPrefix(it.Path, "/")
		switch e := it.Entry.(type) {
		case tree.Tree:
			if p == "" || e.Len() > 0 {
				continue
			}
			p += "/"
		case tree.Symlink:
			p += " -> " + e.Target
		}
		if it.Link != nil && it.Link.First != it.Path {
			p += " == " + strings.TrimPrefix(it.Link.First, "/")
		}
		out = append(out, p)
	}
	return strings.Join(out, ", ")
}

func TestTheRulesOfCopying(t *testing.T) {
	debian := []string{"bin -> usr/bin", "usr/bin/sh = old", "etc/passwd = p", "tmp/", "out -> missing/dir", "file = f", "tofile -> file", "loop -> loop"}
	src := []string{"bin/tool = t", "sub/x = x", "sub/y == sub/x", "link -> sub", "dangling -> no", "file = f"}
	for name, c := range map[string]struct {
		to   string
		from []string
		o    compose.Options
		want string // of what differs; or of the error
	}{
		"a directory meets a link to one":          {"/", []string{"/"}, compose.Options{Include: []string{"bin"}}, "+usr/bin/tool"},
		"as an overlay it replaces the link":       {"/", []string{"/"}, compose.Options{Include: []string{"bin"}, Overlay: true}, "-bin -> usr/bin +bin/tool"},
		"a file goes into a directory":             {"/tmp", []string{"bin/tool"}, compose.Options{}, "-tmp/ +tmp/tool"},
		"and into one that a link names":           {"/bin", []string{"bin/tool"}, compose.Options{}, "+usr/bin/tool"},
		"and onto another name":                    {"/bin/other", []string{"bin/tool"}, compose.Options{}, "+usr/bin/other"},
		"a slash makes the directory":              {"/new/", []string{"bin/tool"}, compose.Options{}, "+new/tool"},
		"a dangling link is created through":       {"/out", []string{"bin/tool"}, compose.Options{}, "+missing/dir"},
		"so with a slash":                          {"/out/", []string{"bin/tool"}, compose.Options{}, "+missing/dir/tool"},
		"so for a directory":                       {"/out", []string{"sub"}, compose.Options{}, "+missing/dir/x +missing/dir/y == missing/dir/x"},
		"a link to a file is written through":      {"/tofile/", []string{"bin/tool"}, compose.Options{}, "error not a directory"},
		"a parent that is a file":                  {"/file/x", []string{"bin/tool"}, compose.Options{}, "error not a directory"},
		"which an overlay replaces":                {"/file/x", []string{"bin/tool"}, compose.Options{Overlay: true}, "-file +file/x"},
		"an overlay replaces a link on the way":    {"/bin/x", []string{"bin/tool"}, compose.Options{Overlay: true}, "-bin -> usr/bin +bin/x"},
		"a loop":                                   {"/loop/x", []string{"bin/tool"}, compose.Options{}, "error too many symlinks"},
		"the source's last link is followed":       {"/tmp", []string{"link"}, compose.Options{}, "-tmp/ +tmp/x +tmp/y == tmp/x"},
		"unless it is kept":                        {"/tmp/", []string{"link"}, compose.Options{KeepLink: true}, "-tmp/ +tmp/link -> sub"},
		"a dangling source":                        {"/tmp/", []string{"dangling"}, compose.Options{}, "error file does not exist"},
		"a missing source":                         {"/tmp/", []string{"sub/none/x"}, compose.Options{}, "error file does not exist; the nearest directory that exists is /sub"},
		"several files":                            {"/tmp", []string{"sub/x", "file"}, compose.Options{}, "-tmp/ +tmp/file +tmp/x"},
		"two names of one inode stay one":          {"/tmp", []string{"sub/x", "sub/y"}, compose.Options{}, "-tmp/ +tmp/x +tmp/y == tmp/x"},
		"a pattern":                                {"/tmp", []string{"sub/*"}, compose.Options{}, "-tmp/ +tmp/x +tmp/y == tmp/x"},
		"a pattern of any depth":                   {"/tmp", []string{"**/[xt]*"}, compose.Options{}, "-tmp/ +tmp/tool +tmp/x"},
		"a pattern that nothing matches":           {"/tmp", []string{"z*"}, compose.Options{}, "error nothing matches"},
		"which is allowed":                         {"/tmp", []string{"z*"}, compose.Options{AllowEmpty: true}, ""},
		"one of several that matches nothing":      {"/new", []string{"z*", "file"}, compose.Options{AllowEmpty: true}, "+new/file"},
		"contents of a file":                       {"/tmp", []string{"file"}, compose.Options{Contents: true}, "error not a directory"},
		"a directory onto a file":                  {"/file", []string{"sub"}, compose.Options{}, "-file +file/x +file/y == file/x"},
		"an emptied destination":                   {"/usr", []string{"sub"}, compose.Options{Existing: compose.ExistingReplace}, "-usr/bin/sh +usr/x +usr/y == usr/x"},
		"emptied once for several":                 {"/usr", []string{"file", "sub", "bin"}, compose.Options{Existing: compose.ExistingReplace}, "-usr/bin/sh +usr/file +usr/tool +usr/x +usr/y == usr/x"},
		"a file does not empty a directory":        {"/usr", []string{"file"}, compose.Options{Existing: compose.ExistingReplace}, "+usr/file"},
		"groups go across selected sources":        {"/tmp", []string{"sub", "/"}, compose.Options{Include: []string{"x", "sub/y"}}, "-tmp/ +tmp/sub/y +tmp/x == tmp/sub/y"},
		"a path that cleaning takes out of itself": {"/bin/../tmp", []string{"file"}, compose.Options{}, "-tmp/ +tmp/file"},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := made(t, debian...), made(t, src...)
			r, err := compose.CopySeveral(t.Context(), d, c.to, s, c.from, c.o)
			if want, ok := strings.CutPrefix(c.want, "error "); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("%v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			old, now := strings.Split(told(d), ", "), strings.Split(told(r.Tree), ", ")
			var got []string
			for _, l := range old {
				if !slices.Contains(now, l) {
					got = append(got, "-"+l)
				}
			}
			for _, l := range now {
				if !slices.Contains(old, l) {
					got = append(got, "+"+l)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Fatalf("%q, want %q", strings.Join(got, " "), c.want)
			}
		})
	}
}

func TestForbidListsAllThatWouldBeOverwritten(t *testing.T) {
	d := made(t, "a/x = 1", "a/y = 1", "b -> a", "c = 1", "d/e/f = 1")
	s := made(t, "a/x = 2", "a/new = 2", "b/y = 2", "c/z = 2", "d = 2")
	_, err := compose.CopySeveral(t.Context(), d, "/", s, []string{"/", "/a"}, compose.Options{Existing: compose.ExistingForbid})
	var forbidden *compose.ForbidError
	if !errors.As(err, &forbidden) || fmt.Sprint(forbidden.Paths) != "[/a/x /a/y /c /d]" {
		t.Fatal(err)
	}
	for _, p := range forbidden.Paths {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%s is not in %q", p, err)
		}
	}
	_, err = compose.Copy(t.Context(), d, "/c/under/x", s, "/d", compose.Options{Existing: compose.ExistingForbid, Overlay: true})
	if !errors.As(err, &forbidden) || fmt.Sprint(forbidden.Paths) != "[/c]" {
		t.Fatal("an overlay's parent:", err)
	}
	if r, err := compose.Copy(t.Context(), d, "/", made(t, "a/new = 2", "b/new = 2"), "/", compose.Options{Existing: compose.ExistingForbid}); !errors.As(err, &forbidden) {
		// The second is the first, by way of the link.
		t.Fatal(told(r.Tree), err)
	}
}

func TestWhatIsReplacedIsTold(t *testing.T) {
	d := made(t, "dir/a = 1", "dir/b/c = 1", "file = 1", "dangling -> no", "afile -> file", "same = 1")
	s := made(t, "dir = 2", "file/x = 2", "dangling/x = 2", "afile/x = 2", "same = 2")
	r, err := compose.Copy(t.Context(), d, "/", s, "/", compose.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "[{/afile symlink directory 1 2} {/dangling symlink directory 1 2} {/dir directory file 4 1} {/file file directory 1 2}]"
	if got := fmt.Sprint(r.Replaced); got != want {
		t.Fatalf("%s, want %s", got, want)
	}
}

func TestAttributesOfMergedDirectories(t *testing.T) {
	ctx := t.Context()
	with := func(tr tree.Tree, p string, a tree.Attr) tree.Tree {
		d := tree.NewDraft(tr)
		if p == "/" {
			d.SetAttr(a)
		} else {
			sub, _, _ := d.Dir(ctx, p)
			sub.SetAttr(a)
		}
		out, err := d.Tree(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	low := tree.Attr{Mode: 0o1777, UID: 1, ModTime: tree.Time{Sec: 1}, Xattrs: tree.NewXattrs(map[string]string{"user.low": "1", "user.both": "1"})}
	high := tree.Attr{Mode: 0o700, UID: 2, ModTime: tree.Time{Sec: 2}, Xattrs: tree.NewXattrs(map[string]string{"user.both": "2"})}
	d := with(with(made(t, "dir/a = 1"), "dir", low), "/", low)
	s := with(with(made(t, "dir/b = 1"), "dir", high), "/", high)
	r, err := compose.Copy(ctx, d, "/", s, "/", compose.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := compose.Merge(ctx, d, s)
	if err != nil {
		t.Fatal(err)
	}
	at := func(tr tree.Tree) tree.Attr {
		e, err := tr.Lookup(ctx, "/dir")
		if err != nil {
			t.Fatal(err)
		}
		return e.Attr()
	}
	if at(r.Tree) != high || at(m.Tree) != high || r.Tree.Attr() != low || m.Tree.Attr() != high {
		t.Fatalf("copy %v %v, merge %v %v", r.Tree.Attr(), at(r.Tree), m.Tree.Attr(), at(m.Tree))
	}
}

// Copying into the place where links lead is a copy into the link's directory.
func TestALinkThatIsReplacedMakesTheSecondCopyAnother(t *testing.T) {
	d, s := made(t, "a -> z", "z/"), made(t, "a/f = 1", "z = 1")
	once, err := compose.Copy(t.Context(), d, "/", s, "/", compose.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := told(once.Tree); got != "a -> z, z" {
		t.Fatal(got)
	}
	twice, err := compose.Copy(t.Context(), once.Tree, "/", s, "/", compose.Options{})
	if err != nil || told(twice.Tree) != "a/f, z" {
		t.Fatal(told(twice.Tree), err)
	}
}

func TestSymbolicModesAreChmods(t *testing.T) {
	if _, err := exec.LookPath("chmod"); err != nil {
		t.Skip("chmod is the judge")
	}
	dir := t.TempDir()
	file, sub := filepath.Join(dir, "f"), filepath.Join(dir, "d")
	if os.WriteFile(file, nil, 0o600) != nil || os.Mkdir(sub, 0o700) != nil {
		t.Fatal("no files")
	}
	n := 0
	for _, spec := range []string{"u+rwX,go-w", "a=rX", "u=rwx,g=u,o=g-w", "+t", "o+t", "ug+s", "u+s,g-s", "a-x+X", "go=", "o=u", "u-s", "a=s", "=", "+X", "g=rws", "u=t", "a=t", "0755", "7", "4755"} {
		m, err := compose.ParseMode(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []tree.Mode{0, 0o644, 0o755, 0o4711, 0o2070, 0o1777, 0o7777, 0o100} {
			for _, p := range []string{file, sub} {
				set := exec.Command("chmod", fmt.Sprintf("%05o", from), p)
				change := exec.Command("sh", "-c", `umask 0; exec chmod "$@"`, "sh", "--", spec, p)
				if set.Run() != nil || change.Run() != nil {
					t.Fatal(spec)
				}
				i, err := os.Stat(p)
				if err != nil {
					t.Fatal(err)
				}
				want := tree.Mode(i.Mode().Perm())
				for bit, is := range map[tree.Mode]fs.FileMode{tree.SetUID: fs.ModeSetuid, tree.SetGID: fs.ModeSetgid, tree.Sticky: fs.ModeSticky} {
					if i.Mode()&is != 0 {
						want |= bit
					}
				}
				octal := strings.Trim(spec, "01234567") == ""
				if got := m.Of(from, p == sub); got != want && !(octal && p == sub) { // GNU chmod keeps a directory's set-id bits
					t.Errorf("%s of %o (directory %v): %o, chmod gives %o", spec, from, p == sub, got, want)
				}
				n++
			}
		}
		if testing.Short() && n > 64 {
			break
		}
	}
	for _, bad := range []string{"", "8", "u+q", "x+u", "77777", "u", "u+r,", "99999999999999999999"} {
		if _, err := compose.ParseMode(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestCancelledOperationsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, b := made(t, "a/x = 1", "b = 1"), made(t, "a/y = 1")
	if _, err := compose.Merge(ctx, a, b); !errors.Is(err, context.Canceled) {
		t.Error("merge:", err)
	}
	if _, err := compose.Diff(ctx, a, b); !errors.Is(err, context.Canceled) {
		t.Error("diff:", err)
	}
	if _, err := compose.Select(ctx, a, compose.Selection{Include: []string{"a"}}); !errors.Is(err, context.Canceled) {
		t.Error("select:", err)
	}
	if _, err := compose.Glob(ctx, a, "**"); !errors.Is(err, context.Canceled) {
		t.Error("glob:", err)
	}
	if _, err := compose.Copy(ctx, a, "/", b, "/", compose.Options{}); !errors.Is(err, context.Canceled) {
		t.Error("copy:", err)
	}
}

func TestManyStarsCostNoMoreThanOne(t *testing.T) {
	tr := made(t, strings.Repeat("d/", 40)+"x = 1")
	got, err := compose.Glob(t.Context(), tr, strings.Repeat("**/d/", 20)+"**/x")
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
}
