package pipeline

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay"
)

// maxStdin is the greatest size of what --stdin reads.
const maxStdin = 16 << 20

func execWords() []Word {
	return []Word{{
		Name: "with-exec", Group: Execs, Args: "[--] ARGS...", Short: "run a process; what it leaves is the next file system",
		Long: "Without ARGS the image's entrypoint runs with its default arguments. Nothing is run by\n" +
			"a shell: write `with-exec -- sh -c '...'` for one.",
		Flags: []Flag{
			{Name: "no-network", Help: "the process reaches only itself"},
			{Name: "stdin", Arg: "TEXT|@FILE", Empty: true, Help: "what the process can read: text, or what a file of this machine holds"},
			{Name: "expect", Arg: "CODE", Many: true, Help: "an exit code that is no failure"},
			{Name: "use-entrypoint", Help: "put the image's entrypoint before ARGS"},
			{Name: "env", Arg: "NAME=VALUE", Many: true, Help: "a variable of this process alone"},
			{Name: "again", Arg: "ANYTHING", Empty: true, Help: "a value not given before makes the process run again"},
		},
		Example: "from debian:12 | with-exec -- sh -c 'ls /bin/ | wc -l' | stdout",
		max:     -1, rest: true, label: -1, on: isSystem, run: runWithExec,
	}, terminalWord()}
}

func runWithExec(_ context.Context, c *call) (value, error) {
	args := c.texts(0)
	o := inlay.ExecOptions{
		UseEntrypoint: c.has("use-entrypoint"),
		NoNetwork:     c.has("no-network"),
		Env:           c.env(),
		Expect:        c.expect(),
		Stdin:         c.stdin(),
		Again:         c.flag("again"),
	}
	return c.change(func(inlay.Directory) inlay.Directory { return c.system().container().WithExec(args, o).Root() })
}

// env reads --env.
func (c *call) env() []string {
	for _, a := range c.flags["env"] {
		if name, _, ok := strings.Cut(a.text, "="); !ok || name == "" {
			c.fail(a.at, "%s: --env %s: want NAME=VALUE", c.parsed.word.Name, clip(a.text))
		}
	}
	return c.list("env")
}

// expect reads --expect, whose codes may also stand in one, with commas.
func (c *call) expect() []int {
	var codes []int
	for _, a := range c.flags["expect"] {
		for code := range strings.SplitSeq(a.text, ",") {
			n, err := strconv.Atoi(code)
			if err != nil || n < 0 || n > 255 {
				c.fail(a.at, "with-exec: --expect %s: want an exit code, 0 to 255", clip(a.text))
			}
			codes = append(codes, n)
		}
	}
	return codes
}

// stdin reads --stdin, and the file that it names; none after an error, or when
// the word is skipped.
func (c *call) stdin() string {
	path, ok := strings.CutPrefix(c.flag("stdin"), "@")
	if !ok || c.err != nil || c.runner.skipping {
		return path
	}
	s, err := readStdin(path)
	c.err = err
	return s
}

func readStdin(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStdin+1))
	if err == nil && len(b) > maxStdin {
		err = &os.PathError{Op: "read", Path: path, Err: errTooLarge}
	}
	return string(b), err
}
