package pipeline

import (
	"slices"
	"strings"
)

// arg is one argument of a word.
type arg struct {
	text  string
	value value // of $(...) or of a variable that is no text; otherwise nil
	at    Pos
	open  bool // what it is, is not known yet
}

// sorted is the arguments of a word, flags and others.
type sorted struct {
	args  []arg
	flags map[string][]arg
}

// sort tells flags from arguments. Flags may stand between arguments, up to
// "--". The number of arguments is checked when it is known.
func (s *Script) sort(c parsedCall, args []arg, known bool) (sorted, error) {
	out := sorted{flags: map[string][]arg{}}
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case !a.open && a.value == nil && a.text == "--":
			out.args = append(out.args, args[i+1:]...)
			return out, s.checkCount(c, out, known)
		case c.word.rest && len(out.args) > 0 || a.open || a.value != nil || !strings.HasPrefix(a.text, "-") || a.text == "-":
			out.args = append(out.args, a)
		default:
			used, err := s.flag(c, out, a, args[i+1:])
			if err != nil {
				return out, err
			}
			i += used
		}
	}
	return out, s.checkCount(c, out, known)
}

// flag takes in one flag, and tells how many of the arguments behind it are
// its value.
func (s *Script) flag(c parsedCall, out sorted, a arg, next []arg) (int, error) {
	name, text, has := strings.Cut(strings.TrimPrefix(a.text, "--"), "=")
	f, ok := c.word.flag(name)
	if !ok || !strings.HasPrefix(a.text, "--") {
		return 0, s.unknownFlag(c, a, name)
	}
	used := 0
	v := arg{text: text, at: a.at}
	switch {
	case f.Arg == "" && has:
		return 0, s.errorAt(a.at, "%s: --%s takes no value", c.word.Name, name)
	case f.Arg != "" && !has:
		if len(next) == 0 {
			return 0, s.errorAt(a.at, "%s: --%s wants a value: --%s %s", c.word.Name, name, name, f.Arg)
		}
		v, used = next[0], 1
	}
	if !f.Empty && f.Arg != "" && !v.open && v.value == nil && v.text == "" {
		return 0, s.errorAt(v.at, "%s: the value of --%s is empty: --%s %s", c.word.Name, name, name, f.Arg)
	}
	if v.value != nil {
		return 0, s.errorAt(v.at, "%s: --%s wants text, not %s", c.word.Name, name, v.value.kind())
	}
	if !f.Many && len(out.flags[name]) > 0 {
		return 0, s.errorAt(a.at, "%s: --%s is given twice", c.word.Name, name)
	}
	if f.OneOf != nil && !v.open && !slices.Contains(f.OneOf, v.text) {
		return 0, s.errorAt(v.at, "%s: --%s %s: want %s", c.word.Name, name, clip(v.text), strings.Join(f.OneOf, " or "))
	}
	out.flags[name] = append(out.flags[name], v)
	return used, nil
}

func (s *Script) unknownFlag(c parsedCall, a arg, name string) error {
	var names []string
	for _, f := range c.word.Flags {
		names = append(names, f.Name)
	}
	hint := "; an argument that starts with - goes behind --"
	if n := nearest(strings.TrimPrefix(name, "-"), names); n != "" {
		hint = "; did you mean --" + n + "?"
	}
	return s.errorAt(a.at, "%s: unknown flag %s%s", c.word.Name, clip(a.text), hint)
}

func (s *Script) checkCount(c parsedCall, out sorted, known bool) error {
	n := len(out.args)
	w := c.word
	switch {
	case !known:
		return nil
	case n < w.min:
		return s.errorAt(c.at, "%s: an argument is missing; usage: %s", w.Name, strings.TrimSpace(w.Name+" "+w.Args))
	case w.max >= 0 && n > w.max:
		return s.errorAt(out.args[w.max].at, "%s: one argument too many: %s; usage: %s", w.Name, clip(out.args[w.max].text), strings.TrimSpace(w.Name+" "+w.Args))
	}
	return nil
}
