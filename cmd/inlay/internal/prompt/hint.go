package prompt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/pipeline"
	"mvdan.cc/sh/v3/syntax"
)

// misplaced is the error of a line that is no command, and has the name of one or of
// a value where only a word of the language can be.
func (p *Prompt) misplaced(line string) error {
	if name := strings.TrimPrefix(strings.TrimSpace(line), "$"); IsValue(name) {
		return fmt.Errorf("%s is a value: `use %[1]s` goes on from it", name)
	}
	file, err := syntax.NewParser().Parse(strings.NewReader(line), "")
	if err != nil {
		return nil // which the language says itself
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 || err != nil {
			return err == nil
		}
		switch name := call.Args[0].Lit(); {
		case IsValue(name):
			err = fmt.Errorf("%s is a value: `from $%[1]s` begins with it", name)
		case p.isCommand(name) && !isWord(name):
			err = fmt.Errorf("%s is a command of the prompt, and stands alone in its line: without |, ;, && and the like", name)
		}
		return true
	})
	return err
}

func (p *Prompt) isCommand(name string) bool {
	return name == "quit" || slices.ContainsFunc(p.commands(), func(c Command) bool { return c.Name == name })
}

func isWord(name string) bool {
	return slices.ContainsFunc(pipeline.Words(), func(w pipeline.Word) bool { return w.Name == name })
}

// unknownFlag is the error of arguments with a flag that the command does not have, if
// it has some. What follows -- or, where that can follow, something else is no flag.
func (c Command) unknownFlag(args []string) error {
	var flags []string
	takes := map[string]bool{} // a value
	usage := strings.FieldsFunc(c.Args, func(r rune) bool { return strings.ContainsRune("[] ", r) })
	for i, f := range usage {
		if strings.HasPrefix(f, "-") {
			flags = append(flags, f)
			takes[f] = i+1 < len(usage) && len(f) > len("--") && strings.ToUpper(usage[i+1]) == usage[i+1] && usage[i+1][0] != '-'
		}
	}
	if len(flags) == 0 {
		return nil
	}
	runs := slices.Contains(flags, "--")
	for i := 0; i < len(args); i++ {
		arg := args[i]
		isFlag := strings.HasPrefix(arg, "-") && arg != "-"
		switch {
		case arg == "--", runs && !isFlag && !(i == 0 && (IsValue(arg) || isStep(arg))):
			return nil
		case isFlag && !slices.Contains(flags, arg):
			return fmt.Errorf("%s has no flag %s; usage: %s", c.Name, show.Quote(arg), c.Usage())
		case takes[arg]:
			i++
		}
	}
	return nil
}

func isStep(arg string) bool {
	p, err := engine.ParsePlace(arg)
	return err == nil && p.Scheme == engine.SchemeStep
}
