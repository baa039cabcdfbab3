package buildkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strconv"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// apply has a process at the daemon change what a tree began with into the tree. It
// copies what is held from where it is; contents from here are among what it gets.
func (r *Remote) apply(ctx context.Context, b base, res engine.Result) (llb.State, error) {
	t := res.Tree
	a := &applying{remote: r, parts: res.Parts, up: tree.NewDraft(tree.Empty()), numbers: map[*held]int{}}
	list, err := shim.List(ctx, b.tree, t, a.where)
	if err != nil {
		return llb.State{}, err
	}
	if err := keeps(list); err != nil {
		return llb.State{}, err
	}
	var buf bytes.Buffer
	if err := list.Encode(&buf); err != nil {
		return llb.State{}, err
	}
	content, size, err := r.local.Keep(ctx, &buf)
	if err != nil {
		return llb.State{}, err
	}
	a.up.Put("list", tree.File{Attributes: tree.Attr{Mode: 0o600}, Size: size, Content: content})
	up, err := a.up.Tree(ctx)
	if err != nil {
		return llb.State{}, err
	}
	todo, err := r.uploads.state(ctx, up)
	if err != nil {
		return llb.State{}, err
	}
	program, err := r.shim(ctx)
	if err != nil {
		return llb.State{}, err
	}
	args := []string{"/" + shim.Program, "apply", "/in/list", "/out", "/in"}
	with := []llb.RunOption{
		llb.Dir("/"), llb.ReadonlyRootFS(), llb.WithCustomName("inlay: apply changes"),
		llb.AddMount("/in", todo, llb.Readonly),
	}
	id := t.Digest().Append(nil)
	if b.held != nil {
		id = b.held.source().Append(id)
	} else {
		id = b.tree.Digest().Append(id)
	}
	for i, h := range a.sources {
		id = h.source().Append(id)
		at := "/spec/" + strconv.Itoa(i) // the image of the program has the directory above
		args = append(args, at)
		with = append(with, llb.AddMount(at, h.state, llb.Readonly))
	}
	if len(a.sources) > 0 {
		with = append(with, llb.AddMount("/spec", mountPlaces(len(a.sources)), llb.Readonly))
	}
	with = append(with, only(digest.Of(id)))
	run := program.Run(append(with, llb.Args(args))...)
	return run.AddMount("/out", b.state), nil
}

// mountPlaces gives the directories that sources are mounted at.
func mountPlaces(n int) llb.State {
	a := llb.Mkdir("/0", 0o700)
	for i := 1; i < n; i++ {
		a = a.Mkdir("/"+strconv.Itoa(i), 0o700)
	}
	return llb.Scratch().File(a, llb.WithCustomName("inlay: places"))
}

// applying is a list of changes that is being made.
type applying struct {
	remote  *Remote
	parts   []*engine.Held // where contents may be
	up      *tree.Draft    // what comes from here
	sources []*held
	numbers map[*held]int
}

// small is up to which size a content goes with the list itself.
const small = 4 << 10

// where tells where a content is.
func (a *applying) where(ctx context.Context, d digest.Digest) (shim.Content, error) {
	if at, ok := a.remote.places.among(a.parts, d); ok && at.file {
		n, ok := a.numbers[at.held]
		if !ok {
			n = len(a.sources)
			a.numbers[at.held] = n
			a.sources = append(a.sources, at.held)
		}
		return shim.At{Source: n + 1, Path: at.path}, nil
	}
	f, err := a.remote.local.OpenContent(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("what is to be put there: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, small+1))
	if err != nil {
		return nil, err
	}
	if len(b) <= small {
		return shim.Inline(b), nil
	}
	n, err := io.Copy(io.Discard, f)
	if err != nil {
		return nil, err
	}
	a.up.Put(d.Hex(), tree.File{Attributes: tree.Attr{Mode: 0o600}, Size: int64(len(b)) + n, Content: d})
	return shim.At{Source: 0, Path: path.Join("/", d.Hex())}, nil
}
