package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// Export has the daemon push a result to a registry, if its layers can hold what a
// process left in it. Everything else is made here.
func (r *Remote) Export(ctx context.Context, res engine.Result, to engine.Place, o engine.ExportOptions) (engine.Exported, bool, error) {
	if to.Scheme != engine.SchemeName {
		return engine.Exported{}, false, nil
	}
	lost, err := r.lostInLayers(ctx, res)
	if err == nil && lost == "" {
		lost, err = r.lostOnTheWay(ctx, res, func(what string) {
			if o.Progress != nil {
				o.Progress.Event(engine.Progress{Step: -1, What: to.Path + ": " + what})
			}
		})
	}
	if err != nil {
		return engine.Exported{}, true, err
	}
	if lost != "" {
		if o.Progress != nil {
			o.Progress.Event(engine.Progress{Step: -1, What: to.Path + ": made here, as no layer of the daemon's would hold it: " + lost})
		}
		return engine.Exported{}, false, nil
	}
	attrs := map[string]string{
		"name": to.Path, "push": "true", "oci-mediatypes": "true", "store": "false",
		"containerimage.config": string(res.Config.Bytes()), "source-date-epoch": strconv.FormatInt(o.Epoch, 10),
	}
	switch o.Compression {
	case engine.Zstd:
		attrs["compression"] = "zstd"
	case engine.Uncompressed:
		attrs["compression"] = "uncompressed"
	}
	if o.PlainHTTP {
		attrs["registry.insecure"] = "true"
	}
	inline, err := r.inlineFor(ctx, res)
	if err != nil {
		return engine.Exported{}, true, err
	}
	told, err := r.export(ctx, res, client.ExportEntry{Type: client.ExporterImage, Attrs: attrs}, inline, telling(to.Path, o.Progress))
	if err != nil {
		return engine.Exported{}, true, fmt.Errorf("the daemon could not push %s: %w", to.Path, err)
	}
	d, err := digest.Parse(told["containerimage.digest"])
	if err != nil {
		return engine.Exported{}, true, fmt.Errorf("the daemon says that it pushed %s, but not what: %w", to.Path, err)
	}
	return engine.Exported{
		Place: to.String(), Image: &image.Descriptor{MediaType: image.MediaTypeManifest, Digest: d}, Reused: -1,
		Platforms: []string{image.FormatPlatform(res.Config.Platform())},
	}, true, nil
}

// lostInLayers tells what layers that a daemon writes of what a process left do not have,
// apart from parts of seconds; "" if that is nothing.
func (r *Remote) lostInLayers(ctx context.Context, res engine.Result) (string, error) {
	if res.Held == nil {
		return "", nil
	}
	a, base := res.Tree.Attr(), res.Base.Tree.Attr()
	a.ModTime = base.ModTime // who makes something there changes it
	if a != base {
		return "attributes of /", nil
	}
	s, _, err := r.lower(ctx, res)
	if err != nil {
		return "", err
	}
	h, err := r.hold(ctx, s, res.Tree.Attr())
	if err != nil {
		return "", err
	}
	return h.lostInLayers(ctx)
}

// lostInLayers tells of what is held, but for its root, what layers do not have that a
// daemon writes, apart from parts of seconds; "" if that is nothing.
func (h *held) lostInLayers(ctx context.Context) (string, error) {
	t, err := h.whole(ctx)
	if err != nil {
		return "", fmt.Errorf("read the tree at the daemon: %w", err)
	}
	return lostInLayers(ctx, t)
}

// lostInLayers is that of a tree.
func lostInLayers(ctx context.Context, t tree.Tree) (string, error) {
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return "", err
		}
		if it.Path == "/" {
			continue
		}
		if err := inLayer(it.Path, it.Entry); err != nil {
			return strings.TrimPrefix(err.Error(), errUnwritable.Error()+": "), nil
		}
		for name := range it.Entry.Attr().Xattrs.All() {
			if name != "security.capability" {
				return it.Path + " has an extended attribute " + name, nil
			}
		}
	}
	return "", nil
}

// telling gives what tells a sink how far a daemon is with what becomes name. It
// does not say how much that is in all.
func telling(name string, sink engine.Sink) func(*client.SolveStatus) {
	if sink == nil {
		return nil
	}
	return func(s *client.SolveStatus) {
		for _, v := range s.Statuses {
			sink.Event(engine.Progress{Step: -1, What: name + ": " + v.ID, Done: v.Current, Total: v.Total})
		}
	}
}

// export has a daemon export a result.
func (r *Remote) export(ctx context.Context, res engine.Result, e client.ExportEntry, caches []client.CacheOptionsEntry, tell func(*client.SolveStatus)) (told map[string]string, err error) {
	s, _, err := r.lower(ctx, res)
	if err != nil {
		return nil, err
	}
	var exports []client.ExportEntry
	if e.Type != "" {
		exports = append(exports, e)
	}
	err = r.on(ctx, func(d *daemon.Daemon) error {
		if err := endsAgain(ctx, d, heldBy(res)...); err != nil {
			return d.Lost(err)
		}
		def, err := d.Define(ctx, s)
		if err != nil {
			return err
		}
		told, err = d.Export(ctx, def, exports, caches, tell)
		return err
	})
	return told, err
}

// few is how many files are brought here one by one.
const few = 32

// Fetch brings the contents of a result here that are not: a few one by one,
// otherwise all of the tree at once.
func (r *Remote) Fetch(ctx context.Context, res engine.Result) error {
	var all []digest.Digest
	seen := map[digest.Digest]bool{}
	for it, err := range tree.Walk(ctx, res.Tree, tree.WalkOptions{}) {
		if err != nil {
			return err
		}
		if f, ok := it.Entry.(tree.File); ok && f.Size > 0 && !seen[f.Content] {
			seen[f.Content] = true
			all = append(all, f.Content)
		}
	}
	missing, err := r.local.Missing(ctx, all)
	if err != nil || len(missing) == 0 {
		return err
	}
	if len(missing) > few {
		return r.fetchAll(ctx, res)
	}
	for _, d := range missing {
		if err := r.fetchOne(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (r *Remote) fetchOne(ctx context.Context, d digest.Digest) error {
	f, err := r.OpenContent(ctx, d)
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = r.local.Keep(ctx, f)
	return err
}

func (r *Remote) fetchAll(ctx context.Context, res engine.Result) error {
	in, out := io.Pipe()
	kept := make(chan error, 1)
	go func() {
		err := r.local.KeepTar(ctx, in)
		in.CloseWithError(err)
		kept <- err
	}()
	_, err := r.export(ctx, res, client.ExportEntry{
		Type:   client.ExporterTar,
		Output: func(map[string]string) (io.WriteCloser, error) { return out, nil },
	}, nil, nil)
	out.CloseWithError(err)
	return errors.Join(err, <-kept)
}
