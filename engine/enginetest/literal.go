package enginetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// form is how a literal tree comes to an engine.
type form string

const (
	asDirectory form = "directory" // of this machine
	asTar       form = "tar"       // a plain one
	asImage     form = "image"     // of one layer, in an OCI layout, with a configuration
)

// inTar tells whether a tar holds all of a tree, and a layer as well.
func inTar(l treetest.Listing) bool {
	return !slices.ContainsFunc(l, func(i treetest.Item) bool {
		return i.Kind == tree.KindSocket || strings.HasPrefix(path.Base(i.Path), ".wh.")
	})
}

// literal writes the tree to a place of this machine, and gives the op that reads
// it.
func (s step) literal(at string) (graph.Op, error) {
	if s.form == asDirectory {
		err := os.Mkdir(at, 0o755)
		if err == nil {
			err = treetest.Write(s.list, at)
		}
		return graph.Host{Path: at, KeepOwner: true}, err
	}
	b, err := treetest.Layer(s.list).Tar()
	if err != nil {
		return nil, err
	}
	if s.form == asTar {
		return graph.From{Source: "tar:" + at}, os.WriteFile(at, b, 0o644)
	}
	return graph.From{Source: "oci:" + at + ":it"}, writeImage(at, b)
}

// writeImage writes an image of one layer as an OCI layout.
func writeImage(at string, tar []byte) (err error) {
	l, err := layout.Create(at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	layer := image.Layer{Descriptor: image.Describe(image.MediaTypeLayer, tar), DiffID: digest.Of(tar)}
	c, err := image.NewConfig(image.HostPlatform()).WithRun(image.RunConfig{
		Env: []string{"PATH=/usr/bin:/bin", "A=image"}, WorkingDir: "/w", Entrypoint: []string{"/bin/sh"},
		Labels: map[string]string{"of": "image"},
	})
	if err == nil {
		c, err = c.Append(layer.DiffID, image.History{CreatedBy: "the laws"})
	}
	if err != nil {
		return fmt.Errorf("make a config: %w", err)
	}
	made, err := image.Assemble(c, []image.Layer{layer}, image.AssembleOptions{})
	if err != nil {
		return err
	}
	made.Blobs[layer.Digest] = tar
	return image.Copy(context.Background(), l, image.Stage(nil, made.Blobs), made.Descriptor, "it", image.CopyOptions{})
}
