package compose_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

func benchFile(i int) tree.File {
	return tree.File{
		Attributes: tree.Attr{Mode: 0o644, ModTime: tree.Time{Sec: 1_700_000_000, Nsec: uint32(i % 1000)}},
		Size:       int64(i + 1),
		Content:    digest.Of([]byte{byte(i), byte(i >> 8), byte(i >> 16)}),
	}
}

func benchTree(b *testing.B, d *tree.Draft) tree.Tree {
	b.Helper()
	t, err := d.Tree(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	t.Digest()
	return t
}

// distribution gives a usr-merged tree of about n entries.
func distribution(b *testing.B, n int) tree.Tree {
	b.Helper()
	d := tree.NewDraft(tree.Empty())
	dir := tree.Attr{Mode: 0o755}
	usr := d.MakeDir("usr", dir)
	for _, name := range []string{"bin", "sbin", "lib"} {
		d.Put(name, tree.Symlink{Target: "usr/" + name})
		sub := usr.MakeDir(name, dir)
		for i := range 300 {
			sub.Put(fmt.Sprintf("%s-tool%04d", name, i), benchFile(i))
		}
	}
	for _, name := range []string{"etc", "var", "opt", "home", "root", "tmp", "srv", "dev", "proc", "sys", "run"} {
		d.MakeDir(name, dir)
	}
	share := usr.MakeDir("share", dir)
	for made := 900; made < n; {
		sub := share.MakeDir(fmt.Sprintf("package%06d", made), dir)
		for i := range min(60, n-made) {
			sub.Put(fmt.Sprintf("file%03d", i), benchFile(made+i))
		}
		made += 61
	}
	return benchTree(b, d)
}

func wideTree(b *testing.B, dirs, files int) tree.Tree {
	b.Helper()
	d := tree.NewDraft(tree.Empty())
	for i := range dirs {
		at := d
		if dirs > 1 {
			at = d.MakeDir(fmt.Sprintf("dir%04d", i), tree.Attr{Mode: 0o755})
		}
		for k := range files {
			at.Put(fmt.Sprintf("data%06d", k), benchFile(i*files+k))
		}
	}
	return benchTree(b, d)
}

// A thousand chained copies of one file each, and the digest of the result.
func BenchmarkThousandCopies(b *testing.B) {
	for _, n := range []int{6_800, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("base=%d", n), func(b *testing.B) {
			if n > 500_000 && testing.Short() {
				b.Skip("a tree of a million entries in short mode")
			}
			ctx := context.Background()
			base := distribution(b, n)
			d := tree.NewDraft(tree.Empty())
			d.Put("tool", benchFile(1))
			src := benchTree(b, d)
			b.ReportAllocs()
			for b.Loop() {
				t := base
				for i := range 1000 {
					r, err := compose.Copy(ctx, t, fmt.Sprintf("/bin/tool%d", i), src, "/tool", compose.Options{})
					if err != nil {
						b.Fatal(err)
					}
					t = r.Tree
				}
				t.Digest()
			}
		})
	}
}

// A hundred copies onto a base with 20,000 hardlinks from one directory to
// another: groups that a copy does not touch cost nothing.
func BenchmarkCopiesBesideHardlinks(b *testing.B) {
	ctx := context.Background()
	d := tree.NewDraft(distribution(b, 6_800))
	one, two := d.MakeDir("one", tree.Attr{Mode: 0o755}), d.MakeDir("two", tree.Attr{Mode: 0o755})
	for i := range 20_000 {
		n := fmt.Sprintf("name%05d", i)
		one.Put(n, benchFile(i))
		two.Put(n, benchFile(i))
		d.Link("/one/"+n, "/two/"+n)
	}
	base := benchTree(b, d)
	b.ReportAllocs()
	for b.Loop() {
		t := base
		for i := range 100 {
			r, err := compose.Put(ctx, t, fmt.Sprintf("/bin/tool%d", i), "tool", benchFile(i), compose.Options{})
			if err != nil {
				b.Fatal(err)
			}
			t = r.Tree
		}
		t.Digest()
	}
}

// A directory of 100,000 files, copied into a base that has none of them; nodes
// is what saving the result adds to a store that has both trees.
func BenchmarkCopyHundredThousandFiles(b *testing.B) {
	ctx := context.Background()
	base := distribution(b, 6_800)
	sources := map[string]tree.Tree{"deep": wideTree(b, 1000, 100), "flat": wideTree(b, 1, 100_000)}
	d := tree.NewDraft(base)
	small := d.MakeDir("small", tree.Attr{Mode: 0o755})
	for i := range 20 {
		small.Put(fmt.Sprintf("own%02d", i), benchFile(i))
	}
	base = benchTree(b, d)
	for _, name := range []string{"deep", "flat"} {
		src := sources[name]
		for _, to := range []string{"/new/place", "/", "/small", "/bin"} {
			b.Run(name+to, func(b *testing.B) {
				mem := tree.NewMemory()
				for _, t := range []tree.Tree{base, src} {
					if _, err := mem.Save(ctx, t); err != nil {
						b.Fatal(err)
					}
				}
				before := mem.Len()
				var out tree.Tree
				b.ReportAllocs()
				for b.Loop() {
					r, err := compose.Copy(ctx, base, to, src, "/", compose.Options{})
					if err != nil {
						b.Fatal(err)
					}
					out = r.Tree
				}
				b.StopTimer()
				out.Digest()
				if _, err := mem.Save(ctx, out); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(mem.Len()-before), "nodes")
			})
		}
	}
}

// Merge and Diff of two trees that differ in one file of 100,000.
func BenchmarkDiffOfOneFile(b *testing.B) {
	ctx := context.Background()
	base := distribution(b, 100_000)
	r, err := compose.Copy(ctx, base, "/bin/", tree.Empty(), "/", compose.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if r, err = compose.Put(ctx, r.Tree, "/bin/x", "x", benchFile(3), compose.Options{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := compose.Diff(ctx, base, r.Tree); err != nil {
			b.Fatal(err)
		}
	}
}
