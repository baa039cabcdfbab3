package pipeline

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"mvdan.cc/sh/v3/syntax"
)

// call is one word that is being run.
//
// What reads an argument or a flag gives the value alone. The first error stays
// in err, and is what the word fails with, whatever its function returns. After
// it, readers do no I/O, and change, configure, mount and resolve do nothing.
type call struct {
	runner *runner
	parsed parsedCall
	in     value // what the word before made; nil for a source
	sorted
	err   error // the first of the arguments
	print func(context.Context, Output) error
}

// do expands the arguments, runs the word and names what it made.
func (c *call) do(ctx context.Context) (value, error) {
	args, err := c.runner.args(ctx, c.parsed.args)
	if err != nil {
		return nil, err
	}
	if c.sorted, err = c.runner.script.sort(c.parsed, args, true); err != nil {
		return nil, err
	}
	w := c.parsed.word
	if c.in != nil && w.on&c.in.kind() == 0 {
		return nil, c.errorf("%s works on %s, and what comes before the | is %s", w.Name, wanted(w.on), c.in.kind())
	}
	if g := w.Group; c.runner.skipping && (g == Prints || g == Writes) {
		c.runner.plan(c.in)
		return c.in, nil
	}
	label := c.label()
	c.runner.labels[label] = c
	v, err := c.lasting(ctx)
	if c.err != nil {
		return nil, c.err
	}
	if err != nil {
		return nil, err
	}
	if c.in == nil && len(c.args) > 0 && c.args[0].value != nil {
		return v, nil // from $(...): what has its names already
	}
	switch v := v.(type) {
	case system:
		var before *graph.Node
		if in, ok := c.in.(system); ok {
			before = in.dir.Node()
			if v.dir.Node() == before {
				return v, nil
			}
		}
		v.dir = v.dir.On(relabel(before, v.dir.Node(), label))
		if c.in == nil && c.runner.env.Overlay {
			v.dir = v.dir.WithDefaultOverlay(true)
		}
		return v, nil
	case changes:
		return changes{relabel(nil, v.node, label)}, nil
	}
	return v, nil
}

// mostLosses is how many caches may be lost while a word is run.
const mostLosses = 8

// lasting runs the word, and again if a part of what it looked at was lost with a
// cache: then that is made.
func (c *call) lasting(ctx context.Context) (v value, err error) {
	for range mostLosses {
		if v, err = c.parsed.word.run(ctx, c); !errors.Is(err, engine.ErrLost) || ctx.Err() != nil {
			break
		}
		clear(c.runner.made)
	}
	return v, err
}

func wanted(k kind) string {
	var names []string
	for _, one := range []kind{isSystem, isFile, isChanges} {
		if k&one != 0 {
			names = append(names, one.String())
		}
	}
	return strings.Join(names, " or ")
}

// label is the word with the arguments that tell it from others.
func (c *call) label() string {
	w := c.parsed.word
	parts := []string{w.Name}
	for i, a := range c.args {
		if w.label >= 0 && i >= w.label {
			break
		}
		switch {
		case a.value != nil:
			parts = append(parts, "$(...)")
		case w.Name == "with-env" && strings.Contains(a.text, "="):
			name, _, _ := strings.Cut(a.text, "=")
			parts = append(parts, name)
		default:
			parts = append(parts, quote(a.text))
		}
	}
	s := strings.Join(parts, " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:97]) + "..."
	}
	return s
}

// quote writes an argument as it could stand in a script.
func quote(s string) string {
	q, err := syntax.Quote(s, syntax.LangBash)
	if err != nil {
		return strconv.Quote(s)
	}
	return q
}

func (c *call) errorf(format string, args ...any) error {
	return c.runner.script.errorAt(c.parsed.at, format, args...)
}

// fail remembers an error of an argument, unless there is one already.
func (c *call) fail(at Pos, format string, args ...any) {
	if c.err == nil {
		c.err = c.runner.script.errorAt(at, format, args...)
	}
}

// system gives the file system that the word works on.
func (c *call) system() system { s, _ := c.in.(system); return s }

// change gives the file system that the word works on, changed.
func (c *call) change(f func(inlay.Directory) inlay.Directory) (value, error) {
	if c.err != nil {
		return nil, c.err
	}
	s := c.system()
	s.dir = f(s.dir)
	return s, nil
}

// configure gives the file system that the word works on, with its configuration
// changed.
func (c *call) configure(f func(inlay.Container) inlay.Container) (value, error) {
	return c.change(func(d inlay.Directory) inlay.Directory { return f(d.Container()).Root() })
}

func (c *call) has(flag string) bool { return len(c.flags[flag]) > 0 }

func (c *call) flag(name string) string {
	if a := c.flags[name]; len(a) > 0 {
		return a[0].text
	}
	return ""
}

func (c *call) list(flag string) []string {
	var out []string
	for _, a := range c.flags[flag] {
		out = append(out, a.text)
	}
	return out
}

// text gives an argument that must be text; "" for one that is not there.
func (c *call) text(i int) string {
	if c.err != nil || i >= len(c.args) {
		return ""
	}
	if v := c.args[i].value; v != nil {
		c.fail(c.args[i].at, "%s wants text here, not %s", c.parsed.word.Name, v.kind())
		return ""
	}
	return c.args[i].text
}

// texts gives the arguments from one on, which must be text.
func (c *call) texts(from int) []string {
	out := []string{}
	for i := from; i < len(c.args); i++ {
		out = append(out, c.text(i))
	}
	return out
}

// path gives an argument that is a path in a file system; the root if it is not
// there.
func (c *call) path(i int) string {
	if i >= len(c.args) {
		return "/"
	}
	s := c.text(i)
	if s == "" {
		c.fail(c.args[i].at, "%s: the path is empty", c.parsed.word.Name)
	}
	return s
}

// isHost tells whether an argument is a path of this machine.
func isHost(s string) bool {
	return s == "." || s == ".." || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")
}

// named gives a directory that an argument stands for, named as the language
// would have it on its own.
func (c *call) named(d inlay.Directory, word, arg string) inlay.Directory {
	label := word + " " + quote(arg)
	c.runner.within[label] = c
	return d.On(relabel(nil, d.Node(), label))
}

// file gives an argument that is a file: a path of this machine or $(...).
func (c *call) file(i int) (f inlay.File) {
	if c.err != nil {
		return f
	}
	a, word := c.args[i], c.parsed.word.Name
	switch v := a.value.(type) {
	case file:
		return v.File
	case nil:
	default:
		c.fail(a.at, "%s wants a file, not %s: end $(...) in `file PATH`", word, v.kind())
		return f
	}
	switch {
	case a.text == "":
		c.fail(a.at, "%s: the name of the file is empty", word)
		return f
	case isHost(a.text):
		dir, at := inlay.HostFile(a.text).Directory()
		return c.named(dir, "host", a.text).File(at)
	}
	if _, err := os.Lstat(a.text); err == nil {
		c.fail(a.at, "%s: a file of this machine is written as ./%s", word, clip(a.text))
		return f
	}
	c.fail(a.at, "%s: %q is no file: want ./PATH or /PATH of this machine, or $(from SRC | file PATH)", word, clip(a.text))
	return f
}

// files gives the arguments from one on, which must be files.
func (c *call) files(from int) []inlay.File {
	var out []inlay.File
	for i := from; i < len(c.args); i++ {
		out = append(out, c.file(i))
	}
	return out
}

// directory gives an argument that is a file system: a SRC, a path of this
// machine, or $(...). The options are for a path of this machine.
func (c *call) directory(i int, o inlay.HostOptions) (d inlay.Directory, host bool) {
	if c.err != nil {
		return d, false
	}
	a := c.args[i]
	switch v := a.value.(type) {
	case system:
		return v.dir, false
	case nil:
	default:
		c.fail(a.at, "%s wants a file system, not %s", c.parsed.word.Name, v.kind())
		return d, false
	}
	if isHost(a.text) {
		return c.named(inlay.HostDirectory(a.text, o), "host", a.text), true
	}
	src := c.src(i)
	p, err := engine.ParsePlace(src)
	if err != nil {
		c.fail(a.at, "%s: %v", c.parsed.word.Name, err)
		return d, false
	}
	if p.Scheme == engine.SchemeScratch {
		return inlay.Scratch(), false
	}
	return c.named(inlay.From(src).Root(), "from", src), false
}

// src gives an argument that is a SRC, as a place. A step of the last run gets its exact
// name, where the environment knows it, also in what is written of the word: of a script
// a word is carried out once.
func (c *call) src(i int) string {
	a := c.args[i]
	if isHost(a.text) {
		return "dir:" + a.text
	}
	run, _, _ := strings.Cut(a.text, "@")
	if run != "last" || c.runner.env.Step == nil {
		return a.text
	}
	name := c.runner.env.Step(a.text)
	for _, w := range c.parsed.args {
		if posOf(w.Pos()) == a.at && name != a.text {
			w.Parts = []syntax.WordPart{&syntax.Lit{ValuePos: w.Pos(), ValueEnd: w.End(), Value: name}}
		}
	}
	return name
}

// copyOptions reads the flags that copying words share.
func (c *call) copyOptions() inlay.CopyOptions {
	o := inlay.CopyOptions{
		Owner:      c.flag("owner"),
		Mode:       c.flag("mode"),
		Include:    c.list("include"),
		Exclude:    c.list("exclude"),
		Gitignore:  c.has("gitignore"),
		Overlay:    c.has("overlay"),
		NoOverlay:  c.has("no-overlay"),
		KeepLink:   c.has("keep-link"),
		AllowEmpty: c.has("allow-empty"),
	}
	if c.has("mode") {
		c.mode(c.flags["mode"][0])
	}
	if o.Overlay && o.NoOverlay {
		c.fail(c.flags["overlay"][0].at, "%s: --overlay and --no-overlay exclude each other", c.parsed.word.Name)
	}
	if e := c.flag("existing"); e != "merge" {
		o.Existing = compose.Existing(e)
	}
	if c.has("time") {
		t := c.time(c.flags["time"][0])
		o.Time = &t
	}
	return o
}

// mode gives an argument that is a mode, as text.
func (c *call) mode(a arg) string {
	if a.value != nil {
		c.fail(a.at, "%s wants a mode, not %s", c.parsed.word.Name, a.value.kind())
		return ""
	}
	if _, err := compose.ParseMode(a.text); err != nil {
		c.fail(a.at, "%s: %v", c.parsed.word.Name, err)
	}
	return a.text
}

// time reads a time, in seconds since 1970.
func (c *call) time(a arg) int64 {
	t, err := parseTime(a.text)
	if err != nil || a.value != nil {
		c.fail(a.at, "%s: %s is no time: want whole seconds since 1970 or a date such as 2006-01-02T15:04:05Z", c.parsed.word.Name, quote(clip(a.text)))
	}
	return t
}

// parseTime reads a time without fractions of a second.
func parseTime(s string) (int64, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil && t.Nanosecond() == 0 {
			return t.Unix(), nil
		}
	}
	return 0, strconv.ErrSyntax
}
