package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// lastExec is what the store remembers of the last time that a process was run
// for an exec, to say what is different now. It is kept as the result of the
// keys that [exec.places] gives, and names nothing that it would keep: a tree in
// it may be gone.
type lastExec struct {
	Key      digest.Digest
	Failed   bool `json:",omitempty"`
	Stopped  bool `json:",omitempty"` // it was canceled
	Args     digest.Digest
	Command  string                   // Args, as they are shown; it may be cut
	Env      map[string]digest.Digest // of the values, by name
	Settings map[string]digest.Digest // of all else of the key, by what it is called
	Again    string                   `json:",omitempty"`
	Inputs   []digest.Digest
}

// shownCommand is how much of a command is remembered to be shown.
const shownCommand = 80

// places gives the keys under which an exec is remembered, the most telling first:
// by what it is and where it is, by what it is, and by where it is. It is the same
// exec as another time if it has the same words, after the same source; it is at the
// same place if the same kinds of steps lead to it from the same source, in a graph
// of the same kinds of steps, and it has the same number in its run: of several that
// are alike none is taken for another.
func (x *exec) places() []digest.Digest {
	var ops []string
	for n := range x.step.run.root.All() {
		ops = append(ops, n.Op().Name())
	}
	ops = append(ops, "")
	n := x.node
	for len(n.Inputs()) > 0 {
		ops = append(ops, n.Op().Name())
		n = n.Inputs()[0]
	}
	is := n.Call() + "\n" + x.node.Call()
	at := fmt.Sprintf("%s\n%d\n%s", n.Call(), x.number, strings.Join(ops, "\n"))
	var out []digest.Digest
	for _, key := range []string{
		"inlay last exec by call and place 1\n" + is + "\n" + at,
		"inlay last exec by call 1\n" + is,
		"inlay last exec by place 2\n" + at,
	} {
		out = append(out, digest.Of([]byte(key)))
	}
	return out
}

// this gives what is to be remembered of one that succeeded.
func (x *exec) this(key digest.Digest) (lastExec, error) {
	s := x.spec
	l := lastExec{
		Key: key, Args: digest.Of([]byte(strings.Join(s.Args, "\x00"))),
		Command: strings.Join(s.Args, " "), Env: map[string]digest.Digest{}, Again: s.NoCache, Inputs: x.inputs,
	}
	if r := []rune(l.Command); len(r) > shownCommand {
		l.Command = string(r[:shownCommand]) + "..."
	}
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		l.Env[name] = digest.Of([]byte(value))
	}
	var err error
	l.Settings, err = digests(map[string]any{
		"its working directory": s.Dir, "its user": s.User, "what it reads": s.Stdin, "its network": s.Network,
		"the exit codes that it may have": s.Expect, "its mounts": s.Mounts,
	})
	return l, err
}

func digests(of map[string]any) (map[string]digest.Digest, error) {
	out := map[string]digest.Digest{}
	for name, v := range of {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", name, err)
		}
		out[name] = digest.Of(b)
	}
	return out, nil
}

// remembered gives results that remember the exec, for the store to keep.
func (x *exec) remembered(l lastExec) (map[digest.Digest]store.Record, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode what is remembered of an exec: %w", err)
	}
	out := map[digest.Digest]store.Record{}
	for _, k := range x.places() {
		out[k] = store.Record{Data: data}
	}
	return out, nil
}

// rememberFailure remembers that the process ran, and that it failed or was stopped.
func (x *exec) rememberFailure(ctx context.Context, key digest.Digest, stopped bool) error {
	l, err := x.this(key)
	if err != nil {
		return err
	}
	l.Failed, l.Stopped = !stopped, stopped
	results, err := x.remembered(l)
	if err != nil {
		return err
	}
	sv, err := x.engine().save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	return sv.commit(ctx, store.Changes{Results: results})
}

// tellUncached tells why the exec has to be run. What cannot be found out is
// left out: no run fails because of it.
func (x *exec) tellUncached(ctx context.Context, key digest.Digest) {
	miss := engine.Miss{Cause: engine.NeverRun, Text: "it never ran here"}
	if x.engine().forgot() {
		miss.Text = "it has not run here since gc removed results"
	}
	places := x.places()
	found, err := x.engine().store.Results(ctx, places)
	now, nowErr := x.this(key)
	if err != nil || nowErr != nil {
		return
	}
	for _, p := range places {
		var last lastExec
		if r, ok := found[p]; ok && json.Unmarshal(r.Data, &last) == nil {
			miss = x.miss(ctx, last, now)
			break
		}
	}
	x.event(engine.Uncached{Step: x.number, Miss: miss})
}

// miss says how an exec differs from the last time.
func (x *exec) miss(ctx context.Context, last, now lastExec) engine.Miss {
	switch {
	case last.Key == now.Key && last.Failed:
		return engine.Miss{Cause: engine.FailedBefore, Text: "it failed the last time"}
	case last.Key == now.Key && last.Stopped:
		return engine.Miss{Cause: engine.StoppedBefore, Text: "it was stopped the last time"}
	case last.Key == now.Key:
		return engine.Miss{Cause: engine.Collected, Text: "its earlier result was collected"}
	case last.Args != now.Args:
		return engine.Miss{Cause: engine.CommandChanged, Text: "its command is another one; it was: " + last.Command}
	case last.Again != now.Again:
		return engine.Miss{Cause: engine.ToldAgain, Text: "it is to run again"}
	}
	if names := differing(last.Settings, now.Settings); len(names) > 0 {
		return engine.Miss{Cause: engine.SettingsChanged, Text: few(names) + " changed"}
	}
	if names := differing(last.Env, now.Env); len(names) > 0 {
		return engine.Miss{Cause: engine.EnvironmentChanged, Text: "its environment changed: " + few(names)}
	}
	for i, d := range now.Inputs {
		if i < len(last.Inputs) && last.Inputs[i] != d {
			return engine.Miss{Cause: engine.InputChanged, Text: x.inputName(i) + " changed" + x.changedPaths(ctx, last.Inputs[i], x.in[i].Tree)}
		}
	}
	return engine.Miss{Cause: engine.InputChanged, Text: "something that it sees changed"}
}

// inputName says in words what an input is for the process.
func (x *exec) inputName(i int) string {
	for _, m := range x.spec.Mounts {
		if m.Kind == graph.MountTree && m.Input == i && i > 0 {
			return "what is mounted at " + m.Target
		}
	}
	return "the file system before it"
}

// differing gives the names that stand for different things, sorted.
func differing(a, b map[string]digest.Digest) []string {
	var out []string
	for name := range maps.Keys(a) {
		if b[name] != a[name] {
			out = append(out, name)
		}
	}
	for name := range maps.Keys(b) {
		if _, ok := a[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// few lists the first of some names.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

// changedPaths names the first paths at which two trees differ, if the earlier one
// is still there: ": /etc/passwd, /usr/bin/tool and others". It costs a look at
// the directories on the way there.
func (x *exec) changedPaths(ctx context.Context, was digest.Digest, now tree.Tree) string {
	old, err := tree.Load(ctx, x.engine().withRuns, was)
	if err != nil {
		return ""
	}
	var paths []string
	if _, err := firstChanges(ctx, "/", old, now, &paths); err != nil || len(paths) == 0 {
		return ""
	}
	return ": " + few(paths)
}

// firstChanges adds the first paths at which two directories differ, until there
// are more than [few] shows, and tells whether to go on.
func firstChanges(ctx context.Context, at string, a, b tree.Tree, paths *[]string) (bool, error) {
	for c, err := range tree.Compare(ctx, a, b) {
		if err != nil {
			return false, err
		}
		p := path.Join(at, c.Name)
		old, wasTree := c.Old.(tree.Tree)
		now, isTree := c.New.(tree.Tree)
		if wasTree && isTree && old.Attr() == now.Attr() {
			if more, err := firstChanges(ctx, p, old, now, paths); err != nil || !more {
				return false, err
			}
			continue
		}
		if *paths = append(*paths, p); len(*paths) > 3 {
			return false, nil
		}
	}
	return true, nil
}
