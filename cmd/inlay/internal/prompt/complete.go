package prompt

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/pipeline"
	"github.com/inlaybuild/inlay/tree"
)

// completer completes lines of a conversation.
type completer struct {
	*Prompt
	ctx context.Context // of the conversation: the editor has none to give
}

// candidate is what an argument could become.
type candidate struct {
	text string
	part bool // more could follow it
}

// whole gives candidates that are complete.
func whole(names ...string) []candidate {
	var out []candidate
	for _, n := range names {
		out = append(out, candidate{text: n})
	}
	return out
}

// Do gives what could follow at a place of a line, and how much of it is there.
func (c completer) Do(line []rune, pos int) ([][]rune, int) {
	t := typing(string(line[:pos]))
	typed := t.args[len(t.args)-1]
	var out [][]rune
	for _, s := range c.candidates(t) {
		if rest, ok := strings.CutPrefix(s.text, typed); ok {
			if rest, ok = t.finish(rest, s.part); ok {
				out = append(out, []rune(rest))
			}
		}
	}
	return out, utf8.RuneCountInString(t.raw)
}

// candidates gives what the last argument of what is typed could be.
func (c completer) candidates(t typed) []candidate {
	text := t.args[len(t.args)-1]
	switch {
	case len(t.args) == 1:
		return c.words(t.before != '|', t.before == 0)
	case strings.HasPrefix(t.raw, "$"), strings.HasPrefix(t.raw, `"$`):
		var out []string
		for _, name := range c.values.Names() {
			out = append(out, "$"+name)
		}
		return whole(out...)
	}
	name, given := t.args[0], t.args[1:len(t.args)-1]
	if cmd, ok := c.isCommand(name, t.before == 0); ok {
		return c.ofCommand(cmd, text)
	}
	for _, w := range pipeline.Words() {
		if w.Name == name {
			return c.ofWord(w, given, text)
		}
	}
	return nil
}

func (c completer) isCommand(name string, first bool) (Command, bool) {
	for _, cmd := range c.commands() {
		if cmd.Name == name && first {
			return cmd, true
		}
	}
	return Command{}, false
}

// words gives what a line or a part of it can start with.
func (c completer) words(begins, first bool) []candidate {
	_, goesOn := c.values.Current()
	var out []candidate
	for _, w := range pipeline.Words() {
		source := w.Group == pipeline.Sources
		if source && begins || !source && (!begins || first && goesOn) {
			out = append(out, candidate{text: w.Name})
		}
	}
	if first {
		for _, cmd := range c.commands() {
			if !slices.Contains(out, candidate{text: cmd.Name}) {
				out = append(out, candidate{text: cmd.Name})
			}
		}
	}
	slices.SortFunc(out, func(a, b candidate) int { return strings.Compare(a.text, b.text) })
	return out
}

func (c completer) ofCommand(cmd Command, typed string) []candidate {
	switch cmd.Takes {
	case Paths:
		return slices.Concat(c.paths(typed), c.numbered(), c.steps(typed))
	case Values:
		return append(c.numbered(), c.steps(typed)...)
	case Runs:
		return whole(c.Runs(c.ctx)...)
	case files:
		return hostPaths(typed)
	case words:
		var out []candidate
		for _, w := range pipeline.Words() {
			out = append(out, candidate{text: w.Name})
		}
		return out
	}
	return nil
}

// steps gives the names of runs and steps, once something of one is typed: there are
// many.
func (c completer) steps(typed string) []candidate {
	if typed == "" {
		return nil
	}
	return whole(c.Runs(c.ctx)...)
}

// numbered gives the names of values.
func (c completer) numbered() []candidate {
	var out []candidate
	for _, name := range c.values.Names() {
		if isValue.MatchString(name) {
			out = append(out, candidate{text: name})
		}
	}
	return out
}

// ofWord gives what an argument of a word could be, by what its usage calls it.
func (c completer) ofWord(w pipeline.Word, given []string, typed string) []candidate {
	if strings.HasPrefix(typed, "-") {
		var out []candidate
		for _, f := range w.Flags {
			out = append(out, candidate{text: "--" + f.Name})
		}
		return out
	}
	at := 0
	for i := 0; i < len(given); i++ {
		name, isFlag := strings.CutPrefix(given[i], "--")
		if !isFlag {
			at++
			continue
		}
		for _, f := range w.Flags {
			if f.Name != name || f.Arg == "" {
				continue
			}
			if i++; i == len(given) { // what is typed is its value
				var out []candidate
				for _, v := range f.OneOf {
					out = append(out, candidate{text: v})
				}
				return out
			}
		}
	}
	if w.Group == pipeline.Execs {
		return append(c.programs(at), c.paths(typed)...)
	}
	kinds := strings.Fields(w.Args)
	if len(kinds) == 0 {
		return nil
	}
	switch kind := strings.Trim(kinds[min(at, len(kinds)-1)], "[]."); {
	case kind == "SRC":
		return append(append(whole(c.Sources(c.ctx)...), c.starts()...), hostPaths(typed)...)
	case kind == "DEST":
		return c.starts()
	case kind == "FILE", kind == "DIR", w.Name == "host":
		return append(hostPaths(typed), whole(c.Sources(c.ctx)...)...)
	case kind == "PATH", kind == "FROM", kind == "TO", kind == "TARGET", kind == "PATTERN":
		return c.paths(typed)
	}
	return nil
}

// starts gives what a place may start with.
func (c completer) starts() []candidate {
	var out []candidate
	for _, s := range c.Places {
		out = append(out, candidate{s, true})
	}
	return out
}

// mostNames is how many names are offered.
const mostNames = 1000

// paths gives the paths of the current value that a text could become.
func (c completer) paths(typed string) []candidate {
	now, ok := c.values.Current()
	if !ok {
		return nil
	}
	dir, _ := path.Split(typed)
	found, err := tree.Resolve(c.ctx, now.Result.Tree, "/"+dir, tree.FollowAll)
	if err != nil {
		return nil
	}
	t, ok := found.Entry.(tree.Tree)
	if !ok {
		return nil
	}
	var out []candidate
	for child, err := range t.All(c.ctx) {
		if err != nil || len(out) == mostNames {
			break
		}
		if name := dir + child.Name; strings.HasPrefix(name, typed) {
			out = append(out, entry(name, child.Entry.Kind() == tree.KindDirectory))
		}
	}
	return out
}

// programs gives the names of programs of the current value, for a command.
func (c completer) programs(at int) []candidate {
	now, ok := c.values.Current()
	if !ok || at > 0 {
		return nil
	}
	var out []candidate
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		found, err := tree.Resolve(c.ctx, now.Result.Tree, dir, tree.FollowAll)
		if err != nil {
			continue
		}
		if t, ok := found.Entry.(tree.Tree); ok {
			for child, err := range t.All(c.ctx) {
				if err != nil {
					break
				}
				out = append(out, candidate{text: child.Name})
			}
		}
	}
	slices.SortFunc(out, func(a, b candidate) int { return strings.Compare(a.text, b.text) })
	return slices.Compact(out)
}

// entry gives a path as a candidate: of a directory more could follow.
func entry(name string, dir bool) candidate {
	if dir {
		return candidate{name + "/", true}
	}
	return candidate{text: name}
}

// hostPaths gives the paths of this machine that a text could become.
func hostPaths(typed string) []candidate {
	dir, _ := filepath.Split(typed)
	at := dir
	if at == "" {
		at = "."
	}
	list, err := os.ReadDir(at)
	if err != nil {
		return nil
	}
	if dir == "" {
		dir = "./"
	}
	var out []candidate
	for _, e := range list {
		if len(out) < mostNames {
			out = append(out, entry(dir+e.Name(), e.IsDir()))
		}
	}
	return out
}
