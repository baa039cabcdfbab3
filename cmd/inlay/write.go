package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/progress"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
)

// aboutNames is what help says of names.
const aboutNames = `
A name that holds control characters, such as a line end, is quoted as a shell reads
it back; --json has it as it is.

`

// page writes what was asked for to standard output.
type page struct {
	*bufio.Writer
	terminal bool
}

// page gives the standard output, and takes live lines away from it. Flush it.
func (a *app) page() *page {
	if a.display != nil {
		a.display.Pause()
	}
	return &page{bufio.NewWriterSize(a.stdout, 32<<10), progress.IsTerminal(a.stdout)}
}

// name writes a name: quoted where a terminal would be steered by it, or a line
// would not be one.
func (p *page) name(s string) string {
	if p.terminal {
		return show.Quote(s)
	}
	return show.Name(s)
}

// printf writes formatted text. An error stays until the page is flushed.
func (p *page) printf(format string, args ...any) {
	fmt.Fprintf(p.Writer, format, args...)
}

// writeJSON writes one JSON value, indented.
func (a *app) writeJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	p := a.page()
	p.Write(show.JSON(b.Bytes()))
	return p.Flush()
}

// names writes names, one on each line.
func (a *app) names(names []string) error {
	if a.json {
		list := make([]show.Bytes, len(names))
		for i, n := range names {
			list[i] = show.Bytes(n)
		}
		return a.writeJSON(list)
	}
	p := a.page()
	for _, n := range names {
		p.WriteString(p.name(n) + "\n")
	}
	return p.Flush()
}
