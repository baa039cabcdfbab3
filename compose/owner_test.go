package compose_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// texts is what the files of made trees hold.
type texts map[digest.Digest]io.Reader

func (c texts) OpenContent(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	r, ok := c[d]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if s, ok := r.(*strings.Reader); ok {
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(r), nil
}

// endless is a file that does not end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '\n'
	}
	return len(b), nil
}

func TestOwnersAreLookedUpInTheDestination(t *testing.T) {
	passwd := "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\nminus:x:-1:5::/:/bin/sh\nword:x:abc:5::/:/bin/sh\nhollow:x:::::/bin/sh\ngreat:x:4294967296:5::/:/bin/sh\nlast:x:4294967295:5::/:/bin/sh\nodd:x:7:-3::/:/bin/sh\nbroken\n"
	group := "root:x:0:\nadm:x:4:web\nnone:x:4294967295:\n"
	c := texts{digest.Of([]byte(passwd)): strings.NewReader(passwd), digest.Of([]byte(group)): strings.NewReader(group)}
	tr := made(t, "usr/share/passwd = "+passwd, "etc/group = "+group, "etc/passwd -> /usr/share/passwd")
	for spec, want := range map[string]string{
		"0": "{0 0}", "1000": "{1000 1000}", "1000:5": "{1000 5}", "1000:": "{1000 1000}",
		"web": "{33 34}", "web:adm": "{33 4}", "web:9": "{33 9}", "12:adm": "{12 4}", "4294967294": "{4294967294 4294967294}",
		"4294967295": "error not a possible number", "4294967296:0": "error not a possible number", "1:4294967295": "error not a possible number", ":33": "error want user", "nobody": "error use its number", "web:nobody": "error use its number",
		"word": "error not a possible number", "hollow": "error not a possible number", "minus": "error not a possible number", "great": "error not a possible number", "last": "error not a possible number", "odd": "error not a possible number", "0:none": "error not a possible number",
		"": "error", "-1": "error use its number",
	} {
		o, err := compose.LookupOwner(t.Context(), spec, tr, c)
		if what, bad := strings.CutPrefix(want, "error"); bad {
			if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(what)) {
				t.Errorf("%q: %v %v", spec, o, err)
			}
		} else if err != nil || fmt.Sprint(o) != want {
			t.Errorf("%q: %v %v, want %s", spec, o, err, want)
		}
	}
	big := made(t, "etc/passwd = endless")
	if _, err := compose.LookupOwner(t.Context(), "web", big, texts{digest.Of([]byte("endless")): endless{}}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error("an endless file of accounts:", err)
	}
	if _, err := compose.LookupOwner(t.Context(), "web", tree.Empty(), nil); err == nil || !strings.Contains(err.Error(), "use numbers") {
		t.Error("no accounts:", err)
	}
}

func TestDeepTreesAreCopied(t *testing.T) {
	deep := made(t, strings.Repeat("d/", 1000)+"x = 1")
	other := made(t, strings.Repeat("d/", 1000)+"y = 1")
	r, err := compose.Copy(t.Context(), deep, "/", other, "/", compose.Options{})
	if err != nil || r.Tree.Count() != 1002 {
		t.Fatal(r.Tree.Count(), err)
	}
	if r, err = compose.Copy(t.Context(), r.Tree, strings.Repeat("d/", 1000), other, "/", compose.Options{}); err != nil || r.Tree.Count() != 2003 {
		t.Fatal(r.Tree.Count(), err)
	}
	c, err := compose.Diff(t.Context(), deep, r.Tree)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := compose.Patch(t.Context(), deep, c); err != nil || got.Digest() != r.Tree.Digest() {
		t.Fatal(err)
	}
}
