package main

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

// sources is what help says of SRC.
const sources = `SRC is a name in the store or a registry's reference, oci:DIR[:TAG],
oci-archive:FILE, docker-archive:FILE, tar:FILE[.gz|.zst] (- is standard input),
dir:PATH, scratch, a digest, or a step of a run: last, last@3, last@failed,
RUN@STEP. A path that starts with / or . is a directory of this machine.`

// destinations is what help says of DEST.
const destinations = `DEST is oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, tar:FILE[.gz|.zst]
(- is standard output), dir:PATH, or a registry's reference.`

// place reads a SRC.
func place(src string) (engine.Place, error) {
	if src == "." || src == ".." || strings.HasPrefix(src, "/") || strings.HasPrefix(src, "./") || strings.HasPrefix(src, "../") {
		src = "dir:" + src
	}
	p, err := engine.ParsePlace(src)
	if err != nil {
		return p, usageError{err}
	}
	return p, nil
}

// destination reads a DEST.
func destination(dest string) (engine.Place, error) {
	if dest == "." || dest == ".." || strings.HasPrefix(dest, "/") || strings.HasPrefix(dest, "./") || strings.HasPrefix(dest, "../") {
		return engine.Place{}, usageErrorf("%s: say what to write: dir:%[1]s, tar:%[1]s, oci:%[1]s, oci-archive:%[1]s or docker-archive:%[1]s", dest)
	}
	return place(dest)
}

// platformFlag gives a command the flag --platform.
func platformFlag(c *cobra.Command, platform *string) {
	c.Flags().StringVar(platform, "platform", "", "which image of several, such as linux/arm64; this machine's if not given")
}

// result resolves a SRC.
func (s *session) result(ctx context.Context, src, platform string) (engine.Result, error) {
	p, err := place(src)
	if err != nil {
		return engine.Result{}, err
	}
	n := inlay.From(p.String(), inlay.FromOptions{Platform: platform}).Node()
	return s.client.Resolve(ctx, graph.New(n.Op(), p.String(), n.Inputs()...))
}

// known resolves a SRC, of which all digests are wanted.
func (s *session) known(ctx context.Context, src, platform string) (engine.Result, error) {
	r, err := s.result(ctx, src, platform)
	if err != nil {
		return r, err
	}
	return r.Known(ctx)
}

// at resolves a SRC, and a path in it. What is shown as JSON has digests.
func (s *session) at(ctx context.Context, src, platform, path string, follow tree.Follow) (tree.Entry, error) {
	if s.json {
		return s.knownAt(ctx, src, platform, path, follow)
	}
	r, err := s.result(ctx, src, platform)
	if err != nil {
		return nil, err
	}
	return entryAt(ctx, r.Tree, path, follow)
}

// knownAt is at, with digests.
func (s *session) knownAt(ctx context.Context, src, platform, path string, follow tree.Follow) (tree.Entry, error) {
	r, err := s.known(ctx, src, platform)
	if err != nil {
		return nil, err
	}
	return entryAt(ctx, r.Tree, path, follow)
}

func entryAt(ctx context.Context, t tree.Tree, path string, follow tree.Follow) (tree.Entry, error) {
	if strings.HasSuffix(path, "/") {
		follow = tree.FollowAll
	}
	found, err := tree.Resolve(ctx, t, path, follow)
	if err != nil {
		return nil, err
	}
	if found.Entry == nil {
		return nil, fmt.Errorf("%w; the nearest directory that exists is %s", &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}, found.Nearest)
	}
	if strings.HasSuffix(path, "/") && found.Entry.Kind() != tree.KindDirectory {
		return nil, &fs.PathError{Op: "find", Path: path, Err: tree.ErrNotDirectory}
	}
	return found.Entry, nil
}

// pathOf gives the path argument behind SRC.
func pathOf(args []string) string {
	if len(args) > 1 {
		return args[1]
	}
	return "/"
}
