package main

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/tree"
)

// usageOf is one run of du of a tree.
type usageOf struct {
	*session
	depth, most int
	platform    string
}

// spaceJSON is what takes the space of a tree, in JSON.
type spaceJSON struct {
	Bytes   int64           `json:"bytes"`
	Entries int64           `json:"entries"`
	Paths   []pathSpaceJSON `json:"paths"`           // the largest first
	Steps   []stepSpaceJSON `json:"steps,omitempty"` // of a step of a run: those that brought something, the largest first
}

type pathSpaceJSON struct {
	Path    show.Bytes `json:"path"`
	Kind    string     `json:"kind"`
	Bytes   int64      `json:"bytes"`
	Entries int64      `json:"entries"`
}

type stepSpaceJSON struct {
	Step    int        `json:"step"`
	Call    show.Bytes `json:"call"`
	Bytes   int64      `json:"bytes"`
	Entries int64      `json:"entries"`
}

func (d usageOf) tell(ctx context.Context, src, at string) error {
	r, err := d.known(ctx, src, d.platform)
	if err != nil {
		return err
	}
	steps, versions, err := d.versions(ctx, src, r.Tree)
	if err != nil {
		return err
	}
	at, entry, err := measured(ctx, r.Tree, at)
	if err != nil {
		return err
	}
	_, isDir := entry.(tree.Tree)
	entries := make([]tree.Entry, len(versions))
	for i, v := range versions {
		e, err := v.Lookup(ctx, at)
		if err != nil && !tree.IsNotExist(err) {
			return err
		}
		if _, dir := e.(tree.Tree); e == nil || dir != isDir {
			steps, entries = steps[:min(i, len(steps))], entries[:i]
			break
		}
		entries[i] = e
	}
	space, err := runs.Measure(ctx, entries, d.depth)
	if err != nil {
		return err
	}
	return d.write(d.space(space, steps, at))
}

// measured gives what is to be measured, and its path: what symlinks lead to, or one
// that leads nowhere.
func measured(ctx context.Context, t tree.Tree, at string) (string, tree.Entry, error) {
	follow := tree.FollowAll
	if _, err := entryAt(ctx, t, at, follow); err != nil {
		follow = tree.FollowParents
		e, _ := entryAt(ctx, t, at, follow)
		if _, ok := e.(tree.Symlink); !ok {
			return "", nil, err
		}
	}
	found, err := tree.Resolve(ctx, t, at, follow)
	return found.Path, found.Entry, err
}

// versions gives a tree and, if it is that of a step, the steps that it was made
// by and their trees, the newest first.
func (d usageOf) versions(ctx context.Context, src string, t tree.Tree) ([]*runs.Step, []tree.Tree, error) {
	versions := []tree.Tree{t}
	p, err := place(src)
	if err != nil || p.Scheme != engine.SchemeStep {
		return nil, versions, err
	}
	f, err := d.step(ctx, p.Path)
	if err != nil {
		return nil, nil, err
	}
	steps := f.run.Ancestors(f.step)
	for _, st := range steps[1:] {
		r, err := d.result(ctx, st.After.String(), "")
		if err != nil {
			return nil, nil, err
		}
		versions = append(versions, r.Tree)
	}
	return steps, versions, nil
}

// space gives the JSON form.
func (d usageOf) space(s runs.Space, steps []*runs.Step, below string) spaceJSON {
	out := spaceJSON{Bytes: s.Bytes, Entries: s.Entries, Paths: []pathSpaceJSON{}}
	slices.SortStableFunc(s.Paths, func(a, b runs.PathSpace) int { return cmp.Compare(b.Bytes, a.Bytes) })
	for _, p := range s.Paths {
		out.Paths = append(out.Paths, pathSpaceJSON{show.Bytes(path.Join(below, p.Path)), p.Kind.String(), p.Bytes, p.Entries})
	}
	for i, st := range steps {
		if u := s.Steps[i]; u.Entries > 0 {
			out.Steps = append(out.Steps, stepSpaceJSON{st.Number(), show.Bytes(st.Call), u.Bytes, u.Entries})
		}
	}
	slices.SortStableFunc(out.Steps, func(a, b stepSpaceJSON) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return out
}

func (d usageOf) write(s spaceJSON) error {
	more := 0
	if d.most > 0 && len(s.Paths) > d.most {
		more = len(s.Paths) - d.most
		s.Paths = s.Paths[:d.most]
	}
	if d.json {
		return d.writeJSON(s)
	}
	p := d.page()
	for _, q := range s.Paths {
		name, entries := string(q.Path), ""
		if q.Kind == tree.KindDirectory.String() {
			entries = show.Number(q.Entries)
			name = strings.TrimSuffix(name, "/") + "/"
		}
		p.printf("%10s %9s  %s\n", show.Size(q.Bytes), entries, p.name(name))
	}
	if more > 0 {
		p.printf("%20s  and %s (-n 0 shows all)\n", "", fmt.Sprintf("%s smaller", show.Plural(int64(more), "path")))
	}
	if len(s.Steps) > 0 {
		p.printf("\nby step:\n")
	}
	for _, st := range s.Steps {
		call := strings.ReplaceAll(string(st.Call), "\n", " ")
		p.printf("%10s %9s  #%d %s\n", show.Size(st.Bytes), show.Number(st.Entries), st.Step, show.Clean(call, false))
	}
	return p.Flush()
}
