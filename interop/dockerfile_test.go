package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// dockerfile gives a case that copies as a Dockerfile, in which dst and src are
// named contexts; or the reason why none says the same.
func dockerfile(c treetest.Case, link bool) (text, reason string) {
	switch c.Verb {
	case "copy", "file", "directory":
	default:
		return "", "COPY is no " + c.Verb
	}
	switch o := c.Options; {
	case len(o.Include) > 0:
		return "", "no --include"
	case o.Gitignore:
		return "", "no .gitignore"
	case o.KeepLink:
		return "", "a source that is a symlink is followed always"
	case o.Existing != "":
		return "", "no choice of what becomes of what is there"
	case o.Time != "":
		return "", "no time"
	case o.Overlay && !link:
		return "", "COPY --link is the overlay"
	case !o.Overlay && link:
		return "", "COPY --link is an overlay always"
	case link && o.Mode != "":
		return "", "COPY --link with --chmod is no link: this BuildKit makes a COPY of it"
	}
	from, to := c.From()
	var args bytes.Buffer
	e := json.NewEncoder(&args)
	e.SetEscapeHTML(false)
	escaped := []string{}
	for _, a := range append(append(escaped, from...), to) {
		escaped = append(escaped, strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`, `$`, `\$`).Replace(a))
	}
	if err := e.Encode(escaped); err != nil {
		return "", err.Error()
	}
	words := []string{"COPY --from=src"}
	if link {
		words = append(words, "--link")
	}
	if c.Options.Owner != "" {
		words = append(words, "--chown="+c.Options.Owner)
	}
	if c.Options.Mode != "" {
		words = append(words, "--chmod="+c.Options.Mode)
	}
	for _, p := range c.Options.Exclude {
		words = append(words, "--exclude="+p)
	}
	for _, w := range append(append([]string{}, c.Args...), words...) {
		if !utf8.ValidString(w) {
			return "", "paths of a Dockerfile are UTF-8"
		}
	}
	return fmt.Sprintf("FROM dst\n%s %s", strings.Join(words, " "), args.String()), ""
}
