// Package prompt is a conversation on a terminal: lines of the pipeline language,
// each word of which makes a value, and commands that look at values.
//
//   - [Talk] reads lines and carries them out until the user ends it.
//   - A [Command] is something that a line can say beside pipelines. Those that go
//     from value to value are of this package; who opens a conversation gives the
//     others.
package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ergochat/readline"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/pipeline"
)

// Config says what a conversation is about.
type Config struct {
	Stdin, Stdout, Stderr *os.File
	// Environment is what lines are run with.
	Environment pipeline.Environment
	// Commands are those beside the ones of this package.
	Commands []Command
	// Pause is called before something is written to the terminal.
	Pause func()
	// Report says what is wrong with a line.
	Report func(ctx context.Context, err error)
	// Cancel ends the context of the conversation, for a signal that means its end.
	Cancel func(os.Signal)
	// Words describes words of the language; all of them if none is named.
	Words func(names []string) error
	// Sources gives the names in the store, and Runs those of runs and steps, to
	// complete them.
	Sources, Runs func(ctx context.Context) []string
	// Places is what other places may start with.
	Places []string
}

// Prompt is a conversation.
type Prompt struct {
	Config
	values *pipeline.Session
	editor *readline.Instance
}

// Talk reads lines from the terminal and carries them out until the user ends it.
func Talk(ctx context.Context, c Config) error {
	p := &Prompt{Config: c}
	p.values = pipeline.NewSession(c.Environment, p.tell)
	var err error
	terminal := &answering{in: c.Stdin, out: c.Stdout}
	p.editor, err = readline.NewFromConfig(&readline.Config{
		Prompt: p.text(), HistoryFile: historyFile(), HistoryLimit: 2000,
		AutoComplete: completer{p, ctx}, EOFPrompt: "\n",
		Stdin: terminal, Stdout: terminal, Stderr: c.Stderr,
	})
	if err != nil {
		return fmt.Errorf("open the terminal: %w", err)
	}
	defer p.editor.Close()
	unguard, err := embedded.Streams{Stdin: c.Stdin}.Guard()
	if err != nil {
		return err
	}
	defer unguard()
	quit := make(chan os.Signal, 1) // which stops what goes on, as an interrupt does
	signal.Notify(quit, syscall.SIGQUIT)
	defer signal.Stop(quit)
	defer p.ends()()
	p.Say("Start with a source, such as `from debian:12`. `help` tells what else there is; ^D ends.")
	return p.loop(ctx)
}

// ends lets signals that mean the end close the terminal first, which is in raw
// mode. Call what it gives when that is no longer needed.
func (p *Prompt) ends() func() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		if s, ok := <-ch; ok {
			p.Cancel(s)
			_ = p.editor.Close() // the end of a line that is being read is what it is for
		}
	}()
	return func() { signal.Stop(ch); close(ch) }
}

// historyFile is where lines are remembered, for the user alone; "" if there is no
// place for it.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	dir = filepath.Join(dir, "inlay")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	name := filepath.Join(dir, "history")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) // with its mode, before the editor makes it
	if err != nil {
		return ""
	}
	_ = f.Close() // nothing was written
	return name
}

// text is what stands before a line.
func (p *Prompt) text() string {
	if now, ok := p.values.Current(); ok {
		return fmt.Sprintf("inlay v%d> ", now.Number)
	}
	return "inlay> "
}

// errEnd ends the conversation.
var errEnd = errors.New("the end")

func (p *Prompt) loop(ctx context.Context) error {
	for {
		line, err := p.read()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, errUnfinished):
			p.Say("the line is not finished: nothing was done")
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read from the terminal: %w", err)
		}
		if errors.Is(p.carryOut(ctx, line), errEnd) {
			return nil
		}
	}
}

// read reads a line, and those that it goes on in.
func (p *Prompt) read() (string, error) {
	p.editor.SetPrompt(p.text())
	line, err := p.editor.ReadLine()
	for err == nil && p.unfinished(line) {
		var more string
		p.editor.SetPrompt(strings.Repeat(".", len(p.text())-2) + "> ")
		if more, err = p.editor.ReadLine(); errors.Is(err, io.EOF) {
			err = errUnfinished
		}
		line += "\n" + more
	}
	return line, err
}

// errUnfinished is the end of input within a line that goes on.
var errUnfinished = errors.New("unfinished")

// unfinished tells whether a line of the language goes on in the next one.
func (p *Prompt) unfinished(line string) bool {
	if strings.HasSuffix(line, `\`) && !strings.HasSuffix(line, `\\`) {
		return true
	}
	if _, _, ok := p.command(line); ok {
		return false
	}
	_, err := pipeline.Parse("", line)
	var se *pipeline.SyntaxError
	return errors.As(err, &se) && se.Incomplete
}

// carryOut carries out a line, and says what is wrong with it. An interrupt stops
// what goes on, and not the conversation.
func (p *Prompt) carryOut(ctx context.Context, line string) error {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(strings.TrimSpace(line), "#") {
		return nil
	}
	work, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGQUIT)
	defer stop()
	err := p.run(work, line)
	p.Pause()
	switch {
	case errors.Is(err, errEnd):
		return err
	case err != nil && work.Err() != nil && ctx.Err() == nil:
		p.Say("stopped; the value is what it was")
	case err != nil:
		p.Report(ctx, err)
	}
	return nil
}

func (p *Prompt) run(ctx context.Context, line string) error {
	if c, args, ok := p.command(line); ok {
		if err := c.unknownFlag(args); err != nil {
			return err
		}
		if err := c.Run(ctx, p, args); err != nil {
			return err
		}
		if c.Looks {
			p.values.Note(strings.TrimSpace(line))
		}
		return nil
	}
	if err := p.misplaced(line); err != nil {
		return err
	}
	return p.values.Run(ctx, line)
}

// tell says in a line what a word made.
func (p *Prompt) tell(ctx context.Context, v pipeline.Value) error {
	text := v.Kind
	if v.Kind == "a file system" {
		t := v.Result.Tree
		text = show.Entries(t.Count()) + ", " + show.Size(t.Bytes())
		if from, err := p.values.Value(v.From); err == nil && from.Kind == v.Kind {
			c, err := compose.Count(ctx, from.Result.Tree, t)
			if err != nil {
				return err
			}
			text = show.Changes(c)
		}
	}
	p.Say("v%d = %s: %s", v.Number, show.Line(v.Word), text)
	return nil
}

// Say writes a line to the user.
func (p *Prompt) Say(format string, args ...any) { p.write(fmt.Sprintf(format, args...) + "\n") }

func (p *Prompt) write(text string) {
	p.Pause()
	_, _ = io.WriteString(p.Stdout, text) // the next read says what is wrong with the terminal
}
