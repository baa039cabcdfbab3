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
			{Name: "stdin", Arg: "TEXT|@FILE", Help: "what the process can read: text, or what a file of this machine holds"},
			{Name: "expect", Arg: "CODE", Many: true, Help: "an exit code that is no failure"},
			{Name: "use-entrypoint", Help: "put the image's entrypoint before ARGS"},
			{Name: "env", Arg: "NAME=VALUE", Many: true, Help: "a variable of this process alone"},
			{Name: "again", Arg: "ANYTHING", Help: "a value not given before makes the process run again"},
		},
		Example: "from debian:12 | with-exec -- sh -c 'ls /bin/ | wc -l' | stdout",
		max:     -1, rest: true, label: -1, on: isSystem, run: runWithExec,
	}}
}

func runWithExec(_ context.Context, c *call) (value, error) {
	args, err := c.texts(0)
	if err != nil {
		return nil, err
	}
	o := inlay.ExecOptions{
		UseEntrypoint: c.has("use-entrypoint"),
		NoNetwork:     c.has("no-network"),
		Env:           c.list("env"),
		Again:         c.flag("again"),
	}
	for _, e := range c.flags["env"] {
		if name, _, ok := strings.Cut(e.text, "="); !ok || name == "" {
			return nil, c.runner.script.errorAt(e.at, "with-exec: --env %s: want NAME=VALUE", clip(e.text))
		}
	}
	for _, a := range c.flags["expect"] {
		for code := range strings.SplitSeq(a.text, ",") {
			n, err := strconv.Atoi(code)
			if err != nil || n < 0 || n > 255 {
				return nil, c.runner.script.errorAt(a.at, "with-exec: --expect %s: want an exit code, 0 to 255", clip(a.text))
			}
			o.Expect = append(o.Expect, n)
		}
	}
	if o.Stdin = c.flag("stdin"); strings.HasPrefix(o.Stdin, "@") {
		if o.Stdin, err = readStdin(o.Stdin[1:]); err != nil {
			return nil, err
		}
	}
	s := c.system()
	s.dir = s.container().WithExec(args, o).Root()
	return s, nil
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
