package treetest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// The text form of a listing has a line for each entry, of words that are
// separated by spaces. A word with odd characters is quoted as in Go.
//
//	usr/bin/                          a directory
//	bin -> usr/bin                    a symlink
//	usr/bin/sh = "text of it"         a file
//	usr/bin/bash == usr/bin/sh        another name of a file
//	dev/null char 1:3                 a device; or block
//	run/p fifo                        or socket
//	/ {0700 1:2 @5.000000009 user.k=v} attributes: what differs from 0755 for
//	                                  directories, 0644 for others; 0:0; @0
//
// Directories that only lead to others need no line. A content that is not known
// is written as the digest and the size: = sha256:...:5.

// String gives the text form, which [Parse] reads.
func (l Listing) String() string {
	full := map[string]bool{}
	for _, i := range l {
		if i.Path != "/" {
			full[path.Dir(i.Path)] = true
		}
	}
	var b strings.Builder
	for _, i := range l {
		plain := i.Kind == tree.KindDirectory && i.Attr == defaults(i.Kind)
		if plain && (i.Path == "/" || full[i.Path]) {
			continue
		}
		b.WriteString(i.String() + "\n")
	}
	return b.String()
}

func defaults(k tree.Kind) tree.Attr {
	switch k {
	case tree.KindDirectory:
		return tree.Attr{Mode: 0o755}
	case tree.KindSymlink:
		return tree.Attr{Mode: 0o777}
	}
	return tree.Attr{Mode: 0o644}
}

// String gives the item's line.
func (i Item) String() string {
	p := strings.TrimPrefix(i.Path, "/")
	var s string
	switch i.Kind {
	case tree.KindDirectory:
		s = word(p + "/")
	case tree.KindSymlink:
		s = word(p) + " -> " + word(i.Target)
	case tree.KindCharDevice:
		s = fmt.Sprintf("%s char %d:%d", word(p), i.Major, i.Minor)
	case tree.KindBlockDevice:
		s = fmt.Sprintf("%s block %d:%d", word(p), i.Major, i.Minor)
	case tree.KindFifo:
		s = word(p) + " fifo"
	case tree.KindSocket:
		s = word(p) + " socket"
	default:
		text := word(i.Text)
		if i.Size > 0 && i.Text == "" {
			text = fmt.Sprintf("%s:%d", i.Content, i.Size)
		}
		s = word(p) + " = " + text
	}
	if i.Same != "" {
		return word(p) + " == " + word(strings.TrimPrefix(i.Same, "/"))
	}
	return s + attributes(i.Attr, defaults(i.Kind))
}

func attributes(a, d tree.Attr) string {
	var w []string
	if a.Mode != d.Mode {
		w = append(w, fmt.Sprintf("%04o", a.Mode))
	}
	if a.UID != 0 || a.GID != 0 {
		w = append(w, fmt.Sprintf("%d:%d", a.UID, a.GID))
	}
	if a.ModTime != (tree.Time{}) {
		s := fmt.Sprintf("@%d", a.ModTime.Sec)
		if a.ModTime.Nsec != 0 {
			s += fmt.Sprintf(".%09d", a.ModTime.Nsec)
		}
		w = append(w, s)
	}
	for k, v := range a.Xattrs.All() {
		w = append(w, word(k+"="+v))
	}
	if len(w) == 0 {
		return ""
	}
	return " {" + strings.Join(w, " ") + "}"
}

// word writes one word.
func word(s string) string {
	plain := s != "" && !strings.HasPrefix(s, "--") && !strings.HasPrefix(s, "{") && !strings.HasSuffix(s, "}")
	for _, r := range s {
		plain = plain && r > ' ' && r < 0x7f && r != '"' && r != '\\'
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

// words splits a line into words.
func words(line string) ([]string, error) {
	var out []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		var w string
		if q, err := strconv.QuotedPrefix(strings.TrimPrefix(line, "{")); err == nil {
			brace := ""
			if line[0] == '{' {
				brace, line = "{", line[1:]
			}
			if w, err = strconv.Unquote(q); err != nil {
				return nil, err
			}
			line = line[len(q):]
			w = brace + w
			if strings.HasPrefix(line, "}") {
				w, line = w+"}", line[1:]
			}
		} else if w, line, _ = strings.Cut(line, " "); strings.HasPrefix(w, `"`) {
			return nil, fmt.Errorf("%s: the quote does not end", w)
		}
		out = append(out, w)
	}
	return out, nil
}

// Parse reads a listing's text form.
func Parse(text string) (Listing, error) {
	items := map[string]Item{"/": {Path: "/", Kind: tree.KindDirectory, Attr: defaults(tree.KindDirectory)}}
	links := map[string]string{}
	for line := range strings.Lines(text) {
		w, err := words(strings.TrimSuffix(line, "\n"))
		if err != nil || len(w) == 0 {
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			continue
		}
		if len(w) == 3 && w[1] == "==" {
			links["/"+w[0]] = "/" + w[2]
			continue
		}
		i, err := parseItem(w)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		items[i.Path] = i
	}
	for p, first := range links {
		i, ok := items[first]
		if !ok {
			return nil, &ListingError{p, "it is another name of " + first + ", which is not listed"}
		}
		i.Path, i.Same = p, first
		items[p] = i
	}
	for p := range maps.Clone(items) {
		for p != "/" {
			p = path.Dir(p)
			if _, ok := items[p]; !ok {
				items[p] = Item{Path: p, Kind: tree.KindDirectory, Attr: defaults(tree.KindDirectory)}
			}
		}
	}
	l := Listing(slices.Collect(maps.Values(items)))
	l.Sort()
	return l, nil
}

// MustParse is [Parse] of text that is known to be a listing.
func MustParse(text string) Listing {
	l, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return l
}

func parseItem(w []string) (Item, error) {
	i := Item{Path: path.Clean("/" + w[0]), Kind: tree.KindDirectory}
	rest := w[1:]
	if !strings.HasSuffix(w[0], "/") {
		if len(w) < 2 {
			return i, fmt.Errorf("what it is is missing")
		}
		var err error
		if rest, err = i.parseKind(w[1], w[2:]); err != nil {
			return i, err
		}
	}
	i.Attr = defaults(i.Kind)
	if len(rest) == 0 {
		return i, nil
	}
	n := len(rest) - 1
	if !strings.HasPrefix(rest[0], "{") || !strings.HasSuffix(rest[n], "}") {
		return i, fmt.Errorf("%q: attributes stand in braces", rest)
	}
	rest[0] = rest[0][1:]
	rest[n] = strings.TrimSuffix(rest[n], "}")
	for _, a := range rest {
		if err := parseAttribute(&i.Attr, a); err != nil {
			return i, err
		}
	}
	return i, nil
}

// parseKind reads what stands behind the path, and gives what is left.
func (i *Item) parseKind(kind string, rest []string) ([]string, error) {
	switch kind {
	case "fifo":
		i.Kind = tree.KindFifo
		return rest, nil
	case "socket":
		i.Kind = tree.KindSocket
		return rest, nil
	}
	if len(rest) == 0 {
		return nil, fmt.Errorf("something is missing after %s", kind)
	}
	var err error
	switch kind {
	case "->":
		i.Kind, i.Target = tree.KindSymlink, rest[0]
	case "char", "block":
		i.Kind = tree.KindCharDevice
		if kind == "block" {
			i.Kind = tree.KindBlockDevice
		}
		_, err = fmt.Sscanf(rest[0], "%d:%d", &i.Major, &i.Minor)
	case "=":
		i.Kind, i.Text, i.Size = tree.KindFile, rest[0], int64(len(rest[0]))
		if d, size, ok := cutLast(rest[0], ":"); ok && strings.HasPrefix(d, "sha256:") {
			if i.Content, err = digest.Parse(d); err == nil {
				i.Text = ""
				i.Size, err = strconv.ParseInt(size, 10, 64)
			}
		} else if i.Size > 0 {
			i.Content = digest.Of([]byte(i.Text))
		}
	default:
		err = fmt.Errorf("%s: want =, ==, ->, char, block, fifo or socket", kind)
	}
	return rest[1:], err
}

func cutLast(s, sep string) (before, after string, ok bool) {
	n := strings.LastIndex(s, sep)
	if n < 0 {
		return s, "", false
	}
	return s[:n], s[n+len(sep):], true
}

func parseAttribute(a *tree.Attr, w string) error {
	if name, value, ok := strings.Cut(w, "="); ok {
		a.Xattrs = a.Xattrs.With(name, value)
		return nil
	}
	if t, ok := strings.CutPrefix(w, "@"); ok {
		sec, nsec, _ := strings.Cut(t, ".")
		var err error
		if a.ModTime.Sec, err = strconv.ParseInt(sec, 10, 64); err != nil || nsec == "" {
			return err
		}
		n, err := strconv.ParseUint(nsec, 10, 32)
		a.ModTime.Nsec = uint32(n)
		return err
	}
	if strings.Contains(w, ":") {
		_, err := fmt.Sscanf(w, "%d:%d", &a.UID, &a.GID)
		return err
	}
	m, err := strconv.ParseUint(w, 8, 16)
	a.Mode = tree.Mode(m)
	return err
}
