package inlay_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay"
)

// The program of the README, word for word.
func Example_readme() {
	ctx := context.Background()
	client, err := inlay.Open(ctx, inlay.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)

	tools := inlay.HostDirectory("./rootfs", inlay.HostOptions{Gitignore: true})
	image := inlay.From("debian").
		WithDirectory("/", tools).
		WithFile("/bin/tool", inlay.HostFile("./tool"), inlay.CopyOptions{Mode: "0755"}).
		WithExec([]string{"tool", "--version"}).
		WithEntrypoint([]string{"/bin/tool"})

	version, err := image.Stdout(ctx, client)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(version)
	if _, err := image.Export(ctx, client, "oci:out:latest"); err != nil {
		log.Fatal(err)
	}
}

// A file is put at a path as a process would put it there: the symlink /bin
// stays, and the file is where it leads.
func Example() {
	ctx := context.Background()
	store, err := os.MkdirTemp("", "inlay-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(store)
	client, err := inlay.Open(ctx, inlay.Options{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)

	merged := inlay.Scratch().WithNewDirectory("/usr/bin").WithSymlink("usr/bin", "/bin")
	with := merged.WithFile("/bin/tool", inlay.NewFile("tool", "#!/bin/sh\n"))

	top, err := with.Entries(ctx, client, "/")
	if err != nil {
		log.Fatal(err)
	}
	bin, err := with.Entries(ctx, client, "/usr/bin")
	if err != nil {
		log.Fatal(err)
	}
	before, err := merged.Entries(ctx, client, "/usr/bin")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(top, bin, before)
	// Output: [bin usr/] [tool] []
}

// The README's program is one that compiles.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```go\n")
	program, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("no Go program in README.md")
	}
	this, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var indented strings.Builder
	for line := range strings.Lines(program) {
		if line != "\n" {
			indented.WriteByte('\t')
		}
		indented.WriteString(line)
	}
	if !strings.Contains(string(this), indented.String()) {
		t.Error("the program in README.md is not that of Example_readme in readme_test.go")
	}
}
