package buildkit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moby/buildkit/client/llb"
	godigest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// uploads is what this process has and daemons may lack: trees, as images of
// layers that are written when a daemon asks for them, and images with the layers that
// they came with. A daemon that has an image asks for its manifest alone.
type uploads struct {
	local engine.Local
	sent  atomic.Int64 // bytes of layers that were given

	mu     sync.Mutex
	bodies map[godigest.Digest][]byte    // manifests and configs
	layers map[godigest.Digest]*uploaded // by the digest of the tar
	trees  map[digest.Digest]llb.State
	bases  map[digest.Digest]error // what [unpacks] says of images' trees
}

// uploaded is the layer of a tree.
type uploaded struct {
	tree tree.Tree
	size int64

	mu   sync.Mutex
	idle []*stream
}

func newUploads(local engine.Local) *uploads {
	return &uploads{
		local: local, bodies: map[godigest.Digest][]byte{}, layers: map[godigest.Digest]*uploaded{},
		trees: map[digest.Digest]llb.State{}, bases: map[digest.Digest]error{},
	}
}

// close ends all that is being written.
func (u *uploads) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, up := range u.layers {
		up.stop()
	}
}

// state gives a tree of which all contents are here as a state. All of it is read
// once, for the digest of its layer.
func (u *uploads) state(ctx context.Context, t tree.Tree) (llb.State, error) {
	key := t.Digest()
	u.mu.Lock()
	s, ok := u.trees[key]
	u.mu.Unlock()
	if ok {
		return s, nil
	}
	parts, err := split(ctx, t)
	if err != nil {
		return llb.State{}, err
	}
	var layers []ocispec.Descriptor
	for _, part := range parts {
		l, err := u.serve(ctx, part)
		if err != nil {
			return llb.State{}, err
		}
		layers = append(layers, l)
	}
	manifest, err := u.image(layers)
	if err != nil {
		return llb.State{}, err
	}
	s = daemon.Image(manifest)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.trees[key] = s
	return s, nil
}

// serve makes a tree a layer that is given to who asks for it.
func (u *uploads) serve(ctx context.Context, t tree.Tree) (ocispec.Descriptor, error) {
	up := &uploaded{tree: t}
	d, err := u.layer(ctx, t.Digest(), up)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.layers[d] == nil {
		u.layers[d] = up
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: d, Size: up.size}, nil
}

// unpacks tells why daemons that unpack the layers of an image do not get its tree.
func (u *uploads) unpacks(ctx context.Context, t tree.Tree) error {
	key := t.Digest()
	u.mu.Lock()
	why, ok := u.bases[key]
	u.mu.Unlock()
	if ok {
		return why
	}
	why = unpacks(ctx, t)
	if why == nil || errors.Is(why, errUnwritable) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.bases[key] = why
	}
	return why
}

// layer finds the digest and the size of the layer of a tree.
func (u *uploads) layer(ctx context.Context, key digest.Digest, up *uploaded) (godigest.Digest, error) {
	b, err := u.local.Recall(ctx, key)
	if err != nil {
		return "", err
	}
	if text, size, ok := strings.Cut(string(b), " "); ok {
		d, err := digest.Parse(text)
		n, sizeErr := strconv.ParseInt(size, 10, 64)
		if err == nil && sizeErr == nil {
			up.size = n
			return godigest.Digest(d.String()), nil
		}
	}
	if err := unpacks(ctx, up.tree); err != nil {
		return "", err
	}
	h := digest.NewHasher()
	if _, err := up.write(ctx, u.local, h); err != nil {
		return "", err
	}
	up.size = h.Size()
	d := h.Digest().String()
	if up.size < worthIt {
		return godigest.Digest(d), nil
	}
	return godigest.Digest(d), u.local.Remember(ctx, map[digest.Digest][]byte{key: []byte(d + " " + strconv.FormatInt(up.size, 10))})
}

// worthIt is the size from which on a layer is not read twice to be known.
const worthIt = 4 << 20

// write writes the layer.
func (up *uploaded) write(ctx context.Context, local engine.Local, w io.Writer) (layer.Written, error) {
	return layer.WriteTree(ctx, w, up.tree, layer.WriteOptions{Open: local.OpenContent})
}

// image makes an image of layers, and gives the digest of its manifest.
func (u *uploads) image(layers []ocispec.Descriptor) (godigest.Digest, error) {
	var ids []godigest.Digest
	for _, l := range layers {
		ids = append(ids, l.Digest)
	}
	config, err := u.body(ocispec.Image{
		Platform: ocispec.Platform{OS: "linux", Architecture: "unknown"},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: ids},
	})
	if err != nil {
		return "", err
	}
	d, err := u.body(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: config.Digest, Size: config.Size},
		Layers: layers,
	})
	return d.Digest, err
}

// body keeps a value as JSON.
func (u *uploads) body(v any) (ocispec.Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("encode an image: %w", err)
	}
	d := godigest.FromBytes(b)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bodies[d] = b
	return ocispec.Descriptor{Digest: d, Size: int64(len(b))}, nil
}

// Blob opens what a daemon asks for.
func (u *uploads) Blob(ctx context.Context, d godigest.Digest) (io.ReaderAt, int64, error) {
	u.mu.Lock()
	body, isBody := u.bodies[d]
	up := u.layers[d]
	u.mu.Unlock()
	switch {
	case isBody:
		return strings.NewReader(string(body)), int64(len(body)), nil
	case up != nil:
		return reading{ctx, up, u.local, &u.sent}, up.size, nil
	}
	own, err := digest.Parse(d.String())
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return u.local.Blob(ctx, own)
}

// stream is a layer that is being written, read up to an offset.
type stream struct {
	r   *io.PipeReader
	end context.CancelFunc
	at  int64
}

func (s *stream) stop() {
	s.end()
	s.r.Close()
}

// reading is a layer as a daemon reads it: each piece by a reader of its own, one
// after the other.
type reading struct {
	ctx   context.Context // of the one blob that was opened
	of    *uploaded
	local engine.Local
	sent  *atomic.Int64
}

// ReadAt reads what is at an offset: of a stream that has come there, or of a new
// one.
func (r reading) ReadAt(b []byte, off int64) (int, error) {
	s := r.of.take(off)
	if s == nil {
		s = r.begin()
	}
	if off > s.at {
		n, err := io.CopyN(io.Discard, s.r, off-s.at)
		s.at += n
		if err != nil {
			s.stop()
			return 0, err
		}
	}
	n, err := io.ReadFull(s.r, b)
	s.at += int64(n)
	r.sent.Add(int64(n))
	if err != nil {
		s.stop()
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return n, err
	}
	r.of.give(s)
	return n, nil
}

func (r reading) begin() *stream {
	ctx, end := context.WithCancel(context.WithoutCancel(r.ctx))
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(out, 1<<20)
		_, err := r.of.write(ctx, r.local, w)
		if err == nil {
			err = w.Flush()
		}
		out.CloseWithError(err)
	}()
	return &stream{r: in, end: end}
}

// take gives the stream that came nearest to an offset; nil if there is none.
func (up *uploaded) take(off int64) *stream {
	up.mu.Lock()
	defer up.mu.Unlock()
	best := -1
	for i, s := range up.idle {
		if s.at <= off && (best < 0 || s.at > up.idle[best].at) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	s := up.idle[best]
	up.idle = slices.Delete(up.idle, best, best+1)
	return s
}

// give keeps a stream for who reads on.
func (up *uploaded) give(s *stream) {
	const most = 4
	up.mu.Lock()
	defer up.mu.Unlock()
	up.idle = append(up.idle, s)
	if len(up.idle) > most || s.at == up.size {
		up.idle[0].stop()
		up.idle = up.idle[1:]
	}
}

func (up *uploaded) stop() {
	up.mu.Lock()
	defer up.mu.Unlock()
	for _, s := range up.idle {
		s.stop()
	}
	up.idle = nil
}
