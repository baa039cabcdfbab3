package treetest

import (
	"fmt"
	"strings"

	"golang.org/x/tools/txtar"
)

// Case is one operation and the trees that it works on. Its text form is the
// operation's line and the trees behind it, as files of a txtar archive:
//
//	copy --overlay /bin /opt
//	-- dst --
//	bin -> usr/bin
//	usr/bin/
//	-- src --
//	bin/tool = t
//
// The operations, each of which works on dst:
//
//	copy FROM... TO      paths and patterns of src, as COPY of a Dockerfile does
//	file FROM TO         a file of src
//	directory TO         the contents of src
//	merge                src, and then more, over it
//	diff                 what makes src of it, applied to it again
//	remove PATTERN...    take away
//	rename FROM TO       give another path
//	hardlink TARGET AT   another name of a file
//	attr PATH...         change attributes of all at and below the paths
//	glob PATTERN         find paths
//
// The flags are those of the command line's words.
type Case struct {
	Verb    string
	Args    []string
	Options Options
	Dst     Listing
	Src     Listing
	More    Listing
}

// Options are the options of a case's operation, as users write them.
type Options struct {
	Owner, Mode, Time, Existing              string
	Include, Exclude                         []string
	Gitignore, Overlay, KeepLink, AllowEmpty bool
	Shallow                                  bool // of attr: not what is below
}

// flags gives the options that are flags with a value, and those that are
// switches.
func (o *Options) flags() (values map[string]*string, lists map[string]*[]string, switches map[string]*bool) {
	return map[string]*string{"owner": &o.Owner, "mode": &o.Mode, "time": &o.Time, "existing": &o.Existing},
		map[string]*[]string{"include": &o.Include, "exclude": &o.Exclude},
		map[string]*bool{
			"gitignore": &o.Gitignore, "overlay": &o.Overlay, "keep-link": &o.KeepLink,
			"allow-empty": &o.AllowEmpty, "shallow": &o.Shallow,
		}
}

// Line gives the operation's line.
func (c Case) Line() string {
	out := []string{c.Verb}
	values, lists, switches := c.Options.flags()
	for _, f := range []string{"owner", "mode", "time", "existing"} {
		if v := *values[f]; v != "" {
			out = append(out, "--"+f, word(v))
		}
	}
	for _, f := range []string{"include", "exclude"} {
		for _, v := range *lists[f] {
			out = append(out, "--"+f, word(v))
		}
	}
	for _, f := range []string{"gitignore", "overlay", "keep-link", "allow-empty", "shallow"} {
		if *switches[f] {
			out = append(out, "--"+f)
		}
	}
	for _, a := range c.Args {
		out = append(out, word(a))
	}
	return strings.Join(out, " ")
}

// String gives the text form, which [ParseCase] reads.
func (c Case) String() string {
	a := txtar.Archive{Comment: []byte(c.Line() + "\n")}
	for _, f := range []struct {
		name string
		list Listing
	}{{"dst", c.Dst}, {"src", c.Src}, {"more", c.More}} {
		if len(f.list) > 0 {
			a.Files = append(a.Files, txtar.File{Name: f.name, Data: []byte(f.list.String())})
		}
	}
	return string(txtar.Format(&a))
}

// Test gives the case as a test that can be put into a file of compose.
func (c Case) Test() string {
	text := "`" + c.String() + "`"
	if strings.Contains(c.String(), "`") {
		text = fmt.Sprintf("%q", c.String())
	}
	return "func TestFound(t *testing.T) {\n\tisWhatTheModelDoes(t, treetest.MustParseCase(" + text + "))\n}\n"
}

// ParseCase reads a case's text form. Files of other names are passed by.
func ParseCase(text string) (Case, error) {
	a := txtar.Parse([]byte(text))
	w, err := words(strings.TrimSpace(string(a.Comment)))
	if err != nil {
		return Case{}, err
	}
	c, err := parseLine(w)
	if err != nil {
		return c, err
	}
	empty, err := Parse("")
	c.Dst = empty
	for _, f := range a.Files {
		l, listErr := Parse(string(f.Data))
		switch f.Name {
		case "dst":
			c.Dst = l
		case "src":
			c.Src = l
		case "more":
			c.More = l
		default:
			continue
		}
		if listErr != nil {
			return c, fmt.Errorf("%s: %w", f.Name, listErr)
		}
	}
	return c, err
}

// MustParseCase is [ParseCase] of text that is known to be a case.
func MustParseCase(text string) Case {
	c, err := ParseCase(text)
	if err != nil {
		panic(err)
	}
	return c
}

func parseLine(w []string) (Case, error) {
	var c Case
	values, lists, switches := c.Options.flags()
	for n := 0; n < len(w); n++ {
		name, isFlag := strings.CutPrefix(w[n], "--")
		if !isFlag {
			c.Args = append(c.Args, w[n])
			continue
		}
		if s := switches[name]; s != nil {
			*s = true
			continue
		}
		n++
		switch v, l := values[name], lists[name]; {
		case n == len(w):
			return c, fmt.Errorf("the value of --%s is missing", name)
		case v != nil:
			*v = w[n]
		case l != nil:
			*l = append(*l, w[n])
		default:
			return c, fmt.Errorf("unknown flag --%s", name)
		}
	}
	if len(c.Args) == 0 {
		return c, fmt.Errorf("the operation is missing")
	}
	c.Verb, c.Args = c.Args[0], c.Args[1:]
	least, most := arity(c.Verb)
	if n := len(c.Args); least < 0 || n < least || most >= 0 && n > most {
		return c, fmt.Errorf("%s does not take %d arguments", c.Verb, n)
	}
	return c, nil
}

// arity gives how many arguments an operation has; least is below 0 for one that
// there is not, most for any number.
func arity(verb string) (least, most int) {
	switch verb {
	case "copy":
		return 2, -1
	case "file", "rename", "hardlink":
		return 2, 2
	case "directory", "glob":
		return 1, 1
	case "merge", "diff":
		return 0, 0
	case "remove", "attr":
		return 1, -1
	}
	return -1, 0
}
