package buildkit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// Pull gives an image of a registry. The daemon fetches it; the reference is pinned
// to what it stands for now.
func (r *Remote) Pull(ctx context.Context, ref, platform string, p engine.Sink) (engine.Result, error) {
	var want *ocispec.Platform
	if platform != "" {
		pf, err := image.ParsePlatform(platform)
		if err != nil {
			return engine.Result{}, err
		}
		want = &pf
	}
	var config []byte
	pinned := ref
	err := r.on(ctx, func(d *daemon.Daemon) error {
		name, dgst, dt, err := d.Gateway().ResolveImageConfig(ctx, ref, sourceresolver.Opt{
			ImageOpt: &sourceresolver.ResolveImageOpt{Platform: want},
		})
		if err = d.Lost(err); err != nil {
			if ctx.Err() == nil && !errors.Is(err, daemon.ErrLost) {
				err = fmt.Errorf("%w: check the name and the tag, and whether the daemon reaches the registry; a private repository may need \"docker login\"", err)
			}
			return err
		}
		if _, asked, ok := strings.Cut(ref, "@"); ok && dgst.String() != asked {
			return fmt.Errorf("%w: the daemon gives %s", digest.ErrMismatch, dgst)
		}
		config, pinned = dt, name
		if dgst != "" {
			pinned = withDigest(name, dgst.String())
		}
		return nil
	})
	if err != nil {
		return engine.Result{}, fmt.Errorf("%s could not be pulled by the daemon: %w", ref, err)
	}
	c, err := image.ParseConfig(config)
	if err != nil {
		return engine.Result{}, fmt.Errorf("%s: %w", ref, err)
	}
	if is := c.Platform(); want != nil && (want.OS != is.OS || want.Architecture != is.Architecture) {
		return engine.Result{}, fmt.Errorf("%s: no image for the platform %s: it is for %s", ref, image.FormatPlatform(*want), image.FormatPlatform(is))
	}
	o := []llb.ImageOption{llb.WithCustomName("inlay: pull " + ref)}
	if want != nil {
		o = append(o, llb.Platform(*want))
	}
	root, err := r.local.RootAttr(ctx, pinned, c.Platform())
	if err != nil { // as when the daemon alone reaches the registry
		if ctx.Err() != nil {
			return engine.Result{}, err
		}
		p.Event(engine.Progress{Step: -1, What: "the root has the usual attributes, as this machine cannot look at the image: " + err.Error()})
		root = tree.Empty().Attr()
	}
	h, err := r.hold(ctx, llb.Image(pinned, o...), root)
	if err != nil {
		return engine.Result{}, err
	}
	if strings.Contains(pinned, "@") {
		h.identify(nil, nil)
	}
	held := h.asView()
	return engine.Result{Tree: held.Tree, Held: held, Config: c, Base: engine.Base{Tree: tree.Empty()}}, nil
}

// withDigest pins a reference.
func withDigest(ref, d string) string {
	name, _, _ := strings.Cut(ref, "@")
	return name + "@" + d
}
