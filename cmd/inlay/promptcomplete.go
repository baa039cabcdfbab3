package main

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/pipeline"
	"github.com/inlaybuild/inlay/tree"
)

// completer completes lines of a conversation.
type completer struct {
	*prompt
	ctx context.Context // of the conversation: the editor has none to give
}

// Do gives what could follow at a place of a line, and how much of it is there.
func (c completer) Do(line []rune, pos int) ([][]rune, int) {
	typed, all := c.candidates(string(line[:pos]))
	var out [][]rune
	for _, s := range all {
		if strings.HasPrefix(s, typed) {
			out = append(out, []rune(s[len(typed):]))
		}
	}
	return out, utf8.RuneCountInString(typed)
}

// candidates gives the last argument of a text as it was typed, and what it could
// be, followed by a space where it would be whole.
func (c completer) candidates(text string) (typed string, all []string) {
	start := strings.LastIndexAny(text, "|(;") + 1
	begins := start == 0 || text[start-1] != '|'
	args := split(text[start:])
	typed = args[len(args)-1]
	switch {
	case len(args) == 1:
		return typed, c.words(begins, start == 0)
	case strings.HasPrefix(typed, "$"):
		for _, name := range c.values.Names() {
			all = append(all, "$"+name+" ")
		}
		return typed, all
	}
	name, given := args[0], args[1:len(args)-1]
	if cmd, ok := c.isCommand(name, start == 0); ok {
		return typed, c.ofCommand(cmd, typed)
	}
	for _, w := range pipeline.Words() {
		if w.Name == name {
			return typed, c.ofWord(w, given, typed)
		}
	}
	return typed, nil
}

func (c completer) isCommand(name string, first bool) (promptCommand, bool) {
	for _, cmd := range promptCommands() {
		if cmd.name == name && first {
			return cmd, true
		}
	}
	return promptCommand{}, false
}

// words gives what a line or a part of it can start with.
func (c completer) words(begins, first bool) []string {
	_, goesOn := c.values.Current()
	var out []string
	for _, w := range pipeline.Words() {
		source := w.Group == pipeline.Sources
		if source && begins || !source && (!begins || first && goesOn) {
			out = append(out, w.Name+" ")
		}
	}
	if first {
		for _, cmd := range promptCommands() {
			if !slices.Contains(out, cmd.name+" ") {
				out = append(out, cmd.name+" ")
			}
		}
	}
	slices.Sort(out)
	return out
}

func (c completer) ofCommand(cmd promptCommand, typed string) []string {
	switch cmd.name {
	case "ls", "cat":
		return append(c.paths(typed), c.numbered()...)
	case "diff", "use", "shell":
		return c.numbered()
	case "save":
		return hostPaths(typed)
	case "help":
		var out []string
		for _, w := range pipeline.Words() {
			out = append(out, w.Name+" ")
		}
		return out
	}
	return nil
}

// numbered gives the names of values.
func (c completer) numbered() []string {
	var out []string
	for _, name := range c.values.Names() {
		if isValue.MatchString(name) {
			out = append(out, name+" ")
		}
	}
	return out
}

// ofWord gives what an argument of a word could be, by what its usage calls it.
func (c completer) ofWord(w pipeline.Word, given []string, typed string) []string {
	if strings.HasPrefix(typed, "-") {
		var out []string
		for _, f := range w.Flags {
			out = append(out, "--"+f.Name+" ")
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
				var out []string
				for _, v := range f.OneOf {
					out = append(out, v+" ")
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
		return append(append(c.refs(), schemes()...), hostPaths(typed)...)
	case kind == "DEST":
		return schemes()[:len(schemes())-1]
	case kind == "FILE", kind == "DIR", w.Name == "host":
		return append(hostPaths(typed), c.refs()...)
	case kind == "PATH", kind == "FROM", kind == "TO", kind == "TARGET", kind == "PATTERN":
		return c.paths(typed)
	}
	return nil
}

// refs gives the names in the store.
func (c completer) refs() []string {
	var out []string
	refs, err := c.embedded.Store().Refs(c.ctx)
	if err != nil {
		return nil
	}
	for _, r := range refs {
		out = append(out, r.Name+" ")
	}
	return out
}

// mostNames is how many names are offered.
const mostNames = 1000

// paths gives the paths of the current value that a text could become.
func (c completer) paths(typed string) []string {
	now, ok := c.values.Current()
	if !ok {
		return nil
	}
	dir, _ := path.Split(unescape(typed))
	e, err := entryAt(c.ctx, now.Result.Tree, "/"+dir, tree.FollowAll)
	if err != nil {
		return nil
	}
	t, ok := e.(tree.Tree)
	if !ok {
		return nil
	}
	var out []string
	for child, err := range t.All(c.ctx) {
		if err != nil || len(out) == mostNames {
			break
		}
		end := " "
		if child.Entry.Kind() == tree.KindDirectory {
			end = "/"
		}
		if name, ok := escapeName(dir + child.Name); ok && strings.HasPrefix(name, typed) {
			out = append(out, name+end)
		}
	}
	return out
}

// programs gives the names of programs of the current value, for a command.
func (c completer) programs(at int) []string {
	now, ok := c.values.Current()
	if !ok || at > 0 {
		return nil
	}
	var out []string
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		e, err := entryAt(c.ctx, now.Result.Tree, dir, tree.FollowAll)
		if err != nil {
			continue
		}
		if t, ok := e.(tree.Tree); ok {
			for child, err := range t.All(c.ctx) {
				if err != nil {
					break
				}
				if name, ok := escapeName(child.Name); ok {
					out = append(out, name+" ")
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// hostPaths gives the paths of this machine that a text could become.
func hostPaths(typed string) []string {
	dir, _ := filepath.Split(unescape(typed))
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
	var out []string
	for _, e := range list {
		end := " "
		if e.IsDir() {
			end = "/"
		}
		if name, ok := escapeName(dir + e.Name()); ok && len(out) < mostNames {
			out = append(out, name+end)
		}
	}
	return out
}

// special are the characters that mean something in a line.
const special = " \t'\"\\$`|&;()<>*?[]#~{}!"

// escapeName writes a name as it can stand in a line. Names that a terminal would
// not show as they are are not offered.
func escapeName(s string) (string, bool) {
	var b strings.Builder
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return "", false
		}
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String(), true
}

// unescape reads a name as it stands in a line.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// split gives the arguments of a text, as they are written; the last one is what
// is being typed, and may be empty.
func split(text string) []string {
	text = strings.TrimLeft(text, " ")
	out := []string{""}
	var quote byte
	for i := 0; i < len(text); i++ {
		last := &out[len(out)-1]
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '\\' && i+1 < len(text):
			*last += text[i : i+1]
			i++
			c = text[i]
		case c == ' ':
			if *last != "" {
				out = append(out, "")
			}
			continue
		}
		*last += string([]byte{c})
	}
	return out
}
