package inlay_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay"
)

// client gives a client on a store of its own, and what ends both.
func client() (*inlay.Client, func()) {
	dir, err := os.MkdirTemp("", "inlay-example-")
	if err != nil {
		log.Fatal(err)
	}
	c, err := inlay.Open(context.Background(), inlay.Options{Store: filepath.Join(dir, "store")})
	if err != nil {
		log.Fatal(err)
	}
	return c, func() {
		if err := c.Close(context.Background()); err != nil {
			log.Fatal(err)
		}
		os.RemoveAll(dir)
	}
}

// A tool is put into a distribution whose /bin is a symlink: it lands behind
// the symlink, which stays.
func ExampleContainer_WithFile() {
	ctx := context.Background()
	c, end := client()
	defer end()

	distribution := inlay.Scratch().
		WithNewFile("/usr/bin/sh", "...", inlay.CopyOptions{Mode: "755"}).
		WithSymlink("usr/bin", "/bin").
		Container()
	tool := inlay.NewFile("tool", "...", inlay.CopyOptions{Mode: "755"})

	paths, err := distribution.WithFile("/bin/tool", tool).Root().Glob(ctx, c, "/**")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range paths {
		fmt.Println(p)
	}
	// Output:
	// /bin
	// /usr
	// /usr/bin
	// /usr/bin/sh
	// /usr/bin/tool
}

func ExampleDirectory_WithDirectory() {
	ctx := context.Background()
	c, end := client()
	defer end()

	site := inlay.Scratch().
		WithNewFile("index.html", "<p>hello").
		WithNewFile("notes.txt", "not for others")
	www := inlay.Scratch().WithDirectory("/var/www", site, inlay.CopyOptions{Exclude: []string{"*.txt"}, Owner: "33:33"})

	names, err := www.Entries(ctx, c, "/var/www")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
	// Output: [index.html]
}

func ExampleDirectory_WithMerged() {
	ctx := context.Background()
	c, end := client()
	defer end()

	base := inlay.Scratch().WithNewFile("/lib/a", "a").WithSymlink("lib", "/lib64")
	layer := inlay.Scratch().WithNewFile("/lib64/b", "b")

	// Laid over as layers are, a directory takes the place of a symlink.
	merged, err := base.WithMerged(layer).Entries(ctx, c, "/lib")
	if err != nil {
		log.Fatal(err)
	}
	copied, err := base.WithDirectory("/", layer).Entries(ctx, c, "/lib")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(merged, copied)
	// Output: [a] [a b]
}

func ExampleDirectory_Diff() {
	ctx := context.Background()
	c, end := client()
	defer end()

	before := inlay.Scratch().WithNewFile("/etc/a", "1").WithNewFile("/etc/b", "1")
	after := before.WithNewFile("/etc/a", "2").WithoutFile("/etc/b")

	other := inlay.Scratch().WithNewFile("/etc/b", "of another").WithNewFile("/etc/c", "3")
	names, err := other.WithChanges(before.Diff(after)).Entries(ctx, c, "/etc")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
	// Output: [a c]
}

func ExampleDirectory_Digest() {
	ctx := context.Background()
	c, end := client()
	defer end()

	one := inlay.Scratch().WithNewFile("a", "1").WithNewFile("b", "2")
	other := inlay.Scratch().WithNewFile("b", "2").WithNewFile("c", "3").WithNewFile("a", "1").WithoutFile("c")
	d1, err := one.Digest(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	d2, err := other.Digest(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d1 == d2)
	// Output: true
}

func ExampleFile_Contents() {
	ctx := context.Background()
	c, end := client()
	defer end()

	d := inlay.Scratch().WithNewFile("/etc/motd", "welcome").WithSymlink("/etc/motd", "/run/motd")
	b, err := d.File("/run/motd").Contents(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", b)
	// Output: welcome
}

func ExampleContainer_Export() {
	ctx := context.Background()
	c, end := client()
	defer end()
	dir, err := os.MkdirTemp("", "inlay-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	image := inlay.Scratch().WithNewFile("/hello", "hi").Container().
		WithEnv("LANG", "C.UTF-8").
		WithEntrypoint([]string{"/hello"})
	if _, err := image.Export(ctx, c, "oci:"+dir+"/image:v1"); err != nil {
		log.Fatal(err)
	}
	// The image can be the base of another one.
	derived, err := inlay.From("oci:"+dir+"/image:v1").WithNewFile("/more", "more").Export(ctx, c, "oci:"+dir+"/image:v2")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(derived.Reused, "layer of the base,", derived.NewLayer != nil)
	// Output: 1 layer of the base, true
}

// A wrong argument surfaces when the value is resolved, and the error says
// where it was given.
func ExampleCallError() {
	ctx := context.Background()
	c, end := client()
	defer end()

	d := inlay.Scratch().WithNewFile("/etc", "a file").WithNewFile("/etc/passwd", "").WithNewFile("/later", "")
	_, err := d.Digest(ctx, c)
	fmt.Println(err != nil)
	_, err = inlay.Scratch().WithNewFile("/f", "", inlay.CopyOptions{Mode: "rwx"}).WithNewFile("/g", "").Digest(ctx, c)
	fmt.Println(err)
	// Output:
	// true
	// WithNewFile("/f"): mode "rwx": want octal digits, or clauses like u+rwX,go-w
}

func ExampleDirectory_WithRenamed() {
	list(inlay.Scratch().
		WithNewFile("/etc/tool.conf", "...").
		WithRenamed("/etc/tool.conf", "/opt/tool/"))
	// Output:
	// /etc
	// /opt
	// /opt/tool
	// /opt/tool/tool.conf
}

func ExampleDirectory_WithHardlink() {
	list(inlay.Scratch().
		WithNewFile("/bin/busybox", "...").
		WithHardlink("/bin/busybox", "/bin/vi"))
	// Output:
	// /bin
	// /bin/busybox
	// /bin/vi
}

func ExampleDirectory_WithMode() {
	ctx := context.Background()
	c, end := client()
	defer end()

	d := inlay.Scratch().
		WithNewFile("/opt/tool", "...").
		WithMode("u=rwX,go=rX", []string{"/opt"}).
		WithMode("+x", []string{"/opt/t*"}).
		WithOwner("5:6", []string{"/opt"}).
		WithTime(86400, []string{"/"})
	info, err := d.Stat(ctx, c, "/opt/tool")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Mode(), info.ModTime())
	// Output: -rwxr-xr-x 1970-01-02 00:00:00 +0000 UTC
}

func ExampleDirectory_WithoutPaths() {
	list(inlay.Scratch().
		WithNewFile("/var/cache/a/b", "...").
		WithNewFile("/usr/lib/x.pyc", "...").
		WithNewFile("/usr/lib/x.py", "...").
		WithoutPaths("/var/cache/*", "/**/*.pyc"))
	// Output:
	// /usr
	// /usr/lib
	// /usr/lib/x.py
	// /var
	// /var/cache
}

func ExampleDirectory_WithDefaultOverlay() {
	layer := inlay.Scratch().WithNewFile("/bin/tool", "...")
	list(inlay.Scratch().
		WithNewFile("/usr/bin/sh", "...").
		WithSymlink("usr/bin", "/bin").
		WithDefaultOverlay(true).
		WithDirectory("/", layer)) // as a layer does it: /bin is a directory now
	// Output:
	// /bin
	// /bin/tool
	// /usr
	// /usr/bin
	// /usr/bin/sh
}

// list writes the paths of a directory.
func list(d inlay.Directory) {
	ctx := context.Background()
	c, end := client()
	defer end()
	paths, err := d.Glob(ctx, c, "/**")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range paths {
		fmt.Println(p)
	}
}
