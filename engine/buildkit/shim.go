package buildkit

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// Where containers have what is ours. The directories below are in the image of the
// program, so that nothing else has to be made for what is mounted there.
const (
	ours    = "/.inlay"
	program = ours + "/" + shim.Program
	specDir = ours + "/spec"
	outDir  = ours + "/out"
	inDir   = ours + "/in"
)

// What processes are told of where they run, as everywhere.
const (
	hostname     = "inlay"
	hostnameFile = "hostname" // of the image of the program
)

// shim gives the image of the program for the daemon's architecture.
func (r *Remote) shim(ctx context.Context) (llb.State, error) {
	t, err := r.shimTree(ctx)
	if err != nil {
		return llb.State{}, err
	}
	return r.uploads.state(ctx, t)
}

func (r *Remote) shimTree(ctx context.Context) (tree.Tree, error) {
	arch := ""
	err := r.on(ctx, func(d *daemon.Daemon) error {
		arch = d.Platform().Architecture
		return nil
	})
	if err != nil {
		return tree.Tree{}, err
	}
	r.shims.Lock()
	defer r.shims.Unlock()
	if t, ok := r.shims.of[arch]; ok {
		return t, nil
	}
	t, err := r.findShim(ctx, arch)
	if err == nil {
		if r.shims.of == nil {
			r.shims.of = map[string]tree.Tree{}
		}
		r.shims.of[arch] = t
	}
	return t, err
}

// shims are the images of the program, by architecture.
type shims struct {
	sync.Mutex
	of map[string]tree.Tree
}

func (r *Remote) findShim(ctx context.Context, arch string) (tree.Tree, error) {
	file, err := shim.Find(arch)
	if err != nil {
		return tree.Tree{}, fmt.Errorf("the program that runs at a daemon of linux/%s: %w", arch, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return tree.Tree{}, err
	}
	defer f.Close()
	content, size, err := r.local.Keep(ctx, f)
	if err != nil {
		return tree.Tree{}, err
	}
	d := tree.NewDraft(tree.Empty())
	d.Put(shim.Program, tree.File{Attributes: tree.Attr{Mode: 0o755}, Size: size, Content: content})
	name, nameSize, err := r.local.Keep(ctx, strings.NewReader(hostname+"\n"))
	if err != nil {
		return tree.Tree{}, err
	}
	d.Put(hostnameFile, tree.File{Attributes: tree.Attr{Mode: 0o644}, Size: nameSize, Content: name})
	for _, dir := range []string{specDir, outDir, inDir} {
		d.MakeDir(path.Base(dir), tree.Attr{Mode: 0o700})
	}
	return d.Tree(ctx)
}

// files gives small files that this process writes down in the state itself.
func files(all map[string][]byte) llb.State {
	s := llb.Scratch()
	var a *llb.FileAction
	for _, name := range sortedKeys(all) {
		if a == nil {
			a = llb.Mkfile("/"+name, 0o600, all[name])
		} else {
			a = a.Mkfile("/"+name, 0o600, all[name])
		}
	}
	if a == nil {
		return s
	}
	return s.File(a, llb.WithCustomName("inlay: what to do"))
}
