package image_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/internal/compress"
)

func ExampleAppendLayer() {
	ctx := context.Background()
	base, err := image.Assemble(image.NewConfig(image.Platform{OS: "linux", Architecture: "amd64"}), nil, image.AssembleOptions{})
	if err != nil {
		panic(err)
	}
	img, err := image.Read(ctx, image.Stage(nil, base.Blobs), base.Descriptor)
	if err != nil {
		panic(err)
	}
	layer := image.Layer{
		Descriptor: image.Describe(image.MediaTypeLayer, []byte("a tar")),
		DiffID:     digest.Of([]byte("a tar")),
	}
	made, err := image.AppendLayer(img, img.Config(), layer, "inlay", time.Unix(0, 0))
	if err != nil {
		panic(err)
	}
	fmt.Println(made.Descriptor.Digest)
	// Output: sha256:ac80b45b06495752c8c75ffb81d1fbe5d147180ec1028491e1457d936f7e9822
}

func manifest(t testing.TB, edit func(m map[string]any)) []byte {
	t.Helper()
	d := digest.Of(nil).String()
	m := map[string]any{
		"schemaVersion": 2, "mediaType": image.MediaTypeManifest,
		"config": map[string]any{"mediaType": image.MediaTypeConfig, "digest": d, "size": 2},
		"layers": []any{map[string]any{"mediaType": image.MediaTypeLayer, "digest": d, "size": 0}},
	}
	edit(m)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestManifestOfTheWrongTypeIsRefused(t *testing.T) {
	good := manifest(t, func(map[string]any) {})
	if _, err := image.ParseManifest(image.MediaTypeManifest, good); err != nil {
		t.Fatal(err)
	}
	set := func(key string, v any) []byte {
		return manifest(t, func(m map[string]any) { m[key] = v })
	}
	layer := func(key string, v any) []byte {
		return manifest(t, func(m map[string]any) { m["layers"].([]any)[0].(map[string]any)[key] = v })
	}
	for name, c := range map[string]struct {
		mediaType string
		body      []byte
		want      error
	}{
		"served as an index":    {image.MediaTypeIndex, good, image.ErrMediaType},
		"served as docker's":    {image.MediaTypeDockerManifest, good, image.ErrMediaType},
		"served as nothing":     {"", good, image.ErrMediaType},
		"served as a page":      {"text/html", good, image.ErrMediaType},
		"schema 1 by type":      {"application/vnd.docker.distribution.manifest.v1+prettyjws", good, image.ErrMediaType},
		"schema 1 by version":   {image.MediaTypeManifest, set("schemaVersion", 1), image.ErrMediaType},
		"schema 1 by layers":    {image.MediaTypeManifest, set("fsLayers", []any{}), image.ErrMediaType},
		"schema 3":              {image.MediaTypeManifest, set("schemaVersion", 3), image.ErrInvalid},
		"index inside":          {image.MediaTypeManifest, set("mediaType", image.MediaTypeIndex), image.ErrMediaType},
		"index too":             {image.MediaTypeManifest, set("manifests", []any{}), image.ErrInvalid},
		"negative size":         {image.MediaTypeManifest, layer("size", -1), image.ErrInvalid},
		"huge size":             {image.MediaTypeManifest, layer("size", 1e30), image.ErrInvalid},
		"no digest":             {image.MediaTypeManifest, layer("digest", ""), image.ErrInvalid},
		"digest of other kind":  {image.MediaTypeManifest, layer("digest", "md5:00"), image.ErrInvalid},
		"layer without a type":  {image.MediaTypeManifest, layer("mediaType", ""), image.ErrInvalid},
		"layers no list":        {image.MediaTypeManifest, set("layers", "x"), image.ErrInvalid},
		"other case":            {image.MediaTypeManifest, set("Layers", []any{}), image.ErrInvalid},
		"member twice":          {image.MediaTypeManifest, append([]byte(`{"layers":[],`), good[1:]...), image.ErrInvalid},
		"something behind":      {image.MediaTypeManifest, append(bytes.Clone(good), "{}"...), image.ErrInvalid},
		"cut":                   {image.MediaTypeManifest, good[:len(good)-1], image.ErrInvalid},
		"empty":                 {image.MediaTypeManifest, nil, image.ErrInvalid},
		"list":                  {image.MediaTypeManifest, []byte("[]"), image.ErrInvalid},
		"null":                  {image.MediaTypeManifest, []byte("null"), image.ErrInvalid},
		"deep":                  {image.MediaTypeManifest, []byte(strings.Repeat(`{"a":`, 20000)), image.ErrInvalid},
		"beyond the size limit": {image.MediaTypeManifest, bytes.Repeat([]byte(" "), image.MaxManifestSize+1), image.ErrTooLarge},
	} {
		_, err := image.ParseManifest(c.mediaType, c.body)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %v", name, err)
		}
	}
	if _, err := image.ParseIndex(image.MediaTypeIndex, good); err == nil {
		t.Error("a manifest is read as an index")
	}
}

func TestLayersMustHaveTheirDiffIDs(t *testing.T) {
	var m imagetest.Memory
	one := imagetest.Layer(t, &m, imagetest.Tar(t, "a", 10), compress.Gzip)
	c, err := image.NewConfig(image.HostPlatform()).Append(one.DiffID, image.History{})
	if err != nil {
		t.Fatal(err)
	}
	for _, layers := range [][]image.Layer{nil, {one, one}, {{Descriptor: one.Descriptor, DiffID: one.Digest}}} {
		if _, err := image.Assemble(c, layers, image.AssembleOptions{}); !errors.Is(err, image.ErrInvalid) {
			t.Errorf("%d layers: %v", len(layers), err)
		}
	}
	body, err := image.Manifest{
		MediaType: image.MediaTypeManifest, Config: m.Add(image.MediaTypeConfig, c.Bytes()),
		Layers: []image.Descriptor{one.Descriptor, one.Descriptor},
	}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := image.Read(t.Context(), &m, m.Add(image.MediaTypeManifest, body)); !errors.Is(err, image.ErrInvalid) {
		t.Error(err)
	}
}

const dockerConfig = `{
  "architecture": "amd64", "os": "linux", "docker_version": "20.10", "container": "abc",
  "config": {"Env": ["A=<&>"], "Cmd": ["sh"], "ArgsEscaped": true, "Healthcheck": {"Test": ["NONE"]}, "Image": "sha256:x", "Volumes": {"/v": {}}},
  "container_config": {"Hostname": "h"},
  "created": "2024-01-02T03:04:05.678Z",
  "history": [{"created": "2024-01-02T03:04:05Z", "created_by": "ADD", "unknown": 1}],
  "rootfs": {"type": "layers", "diff_ids": []},
  "x-future": {"b": 1, "a": [1.50, 1e400]}
}`

func TestUnknownMembersOfAConfigSurvive(t *testing.T) {
	c, err := image.ParseConfig([]byte(dockerConfig))
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Bytes()) != dockerConfig {
		t.Error("an unedited config has other bytes")
	}
	r := c.Run()
	r.Cmd, r.Env, r.Labels = nil, append(r.Env, "B=2"), map[string]string{"k": "v"}
	if c, err = c.WithRun(r); err != nil {
		t.Fatal(err)
	}
	if c, err = c.Append(digest.Of(nil), image.History{CreatedBy: "me"}); err != nil {
		t.Fatal(err)
	}
	if c, err = c.WithCreated(time.Unix(86400, 999)); err != nil {
		t.Fatal(err)
	}
	got := string(c.Bytes())
	for _, want := range []string{
		`"docker_version":"20.10"`, `"container":"abc"`, `"ArgsEscaped":true`, `"Healthcheck":{"Test":["NONE"]}`,
		`"Image":"sha256:x"`, `"container_config":{"Hostname":"h"}`, `"x-future":{"b":1,"a":[1.50,1e400]}`,
		`"Env":["A=<&>","B=2"]`, `"Volumes":{"/v":{}}`, `"created":"1970-01-02T00:00:00Z"`, `"Labels":{"k":"v"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, `"Cmd"`) {
		t.Errorf("Cmd was taken away, and is in %s", got)
	}
	if again, err := image.ParseConfig(c.Bytes()); err != nil || !bytes.Equal(again.Bytes(), c.Bytes()) {
		t.Error(err)
	}
}

func TestConfigsThatAreNoneAreRefused(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `{"os":1}`, `{"rootfs":{"type":"other"}}`, `{"rootfs":{"type":"layers","diff_ids":[""]}}`,
		`{"rootfs":{"type":"layers","diff_ids":["md5:x"]}}`, `{"created":"yesterday"}`, `{"config":{"Env":"x"}}`,
		`{"config":{"env":["x"]}}`, `{"os":"a","os":"b"}`, `{"OS":"a"}`,
	} {
		if _, err := image.ParseConfig([]byte(body)); !errors.Is(err, image.ErrInvalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestHistoryHasALineForEachLayerAfterAppend(t *testing.T) {
	id := digest.Of(nil)
	c, err := image.ParseConfig([]byte(`{"rootfs":{"type":"layers","diff_ids":["` + id.String() + `","` + id.String() + `"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Note(image.History{CreatedBy: "ENV"}); err != nil {
		t.Fatal(err)
	}
	if none, err := c.WithoutLayers(); err != nil || len(none.DiffIDs())+len(none.History()) > 0 || none.Platform().OS != c.Platform().OS {
		t.Errorf("without its layers it has %v %v, %v", none.DiffIDs(), none.History(), err)
	}
	if c, err = c.Append(id, image.History{CreatedBy: "top"}); err != nil {
		t.Fatal(err)
	}
	h := c.History()
	if len(h) != 4 || h[3].CreatedBy != "top" || !h[0].EmptyLayer || h[1].EmptyLayer {
		t.Errorf("%+v", h)
	}
}

func TestADockerBaseKeepsItsBlobs(t *testing.T) {
	var m imagetest.Memory
	base := imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{Docker: true},
		imagetest.Layer(t, &m, imagetest.Tar(t, "a", 10), compress.Gzip), imagetest.Layer(t, &m, imagetest.Tar(t, "b", 10), compress.None))
	img, err := image.Read(t.Context(), &m, base)
	if err != nil {
		t.Fatal(err)
	}
	top := imagetest.Layer(t, &m, imagetest.Tar(t, "c", 10), compress.Zstd)
	made, err := image.AppendLayer(img, img.Config(), top, "inlay", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	again, err := image.AppendLayer(img, img.Config(), top, "inlay", time.Unix(0, 0).In(time.FixedZone("x", 3600)))
	if err != nil || again.Descriptor.Digest != made.Descriptor.Digest {
		t.Errorf("%s, %v; before %s", again.Descriptor.Digest, err, made.Descriptor.Digest)
	}
	got, err := image.Read(t.Context(), image.Stage(&m, made.Blobs), made.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{image.MediaTypeLayerGzip, image.MediaTypeLayer, image.MediaTypeLayerZstd}
	for i, l := range got.Layers() {
		if l.MediaType != want[i] || i < 2 && l.Digest != img.Layers()[i].Digest {
			t.Errorf("layer %d: %+v", i, l)
		}
	}
	if _, err := image.Assemble(made.Config, got.Layers(), image.AssembleOptions{Docker: true}); !errors.Is(err, image.ErrMediaType) {
		t.Errorf("zstd in Docker's schema 2: %v", err)
	}
}

func TestPlatformIsChosenAsContainerdDoes(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Multi(t, &m)
	for want, got := range map[string]string{
		"linux/amd64": "linux/amd64", "linux/arm/v7": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6",
		"linux/arm": "linux/arm/v7", "linux/arm64": "linux/arm/v7", "linux/amd64/v3": "linux/amd64",
	} {
		p, err := image.ParsePlatform(want)
		if err != nil {
			t.Fatal(err)
		}
		i, err := image.Find(t.Context(), &m, d, &p)
		if err != nil {
			t.Errorf("%s: %v", want, err)
		} else if f := image.FormatPlatform(i.Config().Platform()); f != got {
			t.Errorf("%s gives %s, want %s", want, f, got)
		}
	}
	p, _ := image.ParsePlatform("linux/riscv64")
	_, err := image.Find(t.Context(), &m, d, &p)
	if !errors.Is(err, image.ErrNoPlatform) || !strings.Contains(err.Error(), "choose one of linux/amd64, linux/arm/v6, linux/arm/v7") {
		t.Error(err)
	}
	single := imagetest.Image(t, &m, image.Platform{OS: "linux", Architecture: "arm64"}, image.AssembleOptions{})
	if _, err := image.Find(t.Context(), &m, single, &p); !errors.Is(err, image.ErrNoPlatform) {
		t.Error(err)
	}
	if _, err := image.Find(t.Context(), &m, single, nil); err != nil {
		t.Error(err)
	}
	all, err := image.FindAll(t.Context(), &m, d)
	if err != nil || len(all) != 3 {
		t.Errorf("%d images, %v", len(all), err)
	}
	if _, err := image.ParsePlatform("no platform/x/y/z"); err == nil {
		t.Error("no platform is one")
	}
}

func TestIndexesInsideEachOtherEnd(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{})
	for range 3 {
		var blobs map[digest.Digest][]byte
		var err error
		if d, blobs, err = image.AssembleIndex([]image.Descriptor{d}); err != nil {
			t.Fatal(err)
		}
		m.Add(d.MediaType, blobs[d.Digest])
	}
	if _, err := image.Find(t.Context(), &m, d, nil); err != nil {
		t.Error(err)
	}
	for range 3 {
		var blobs map[digest.Digest][]byte
		var err error
		if d, blobs, err = image.AssembleIndex([]image.Descriptor{d}); err != nil {
			t.Fatal(err)
		}
		m.Add(d.MediaType, blobs[d.Digest])
	}
	_, err := image.Find(t.Context(), &m, d, nil)
	_, errAll := image.FindAll(t.Context(), &m, d)
	_, errWalk := image.Walk(t.Context(), &m, d)
	for _, err := range []error{err, errAll, errWalk} {
		if !errors.Is(err, image.ErrInvalid) {
			t.Error(err)
		}
	}
}

func TestIndexDoesNotDependOnTheOrder(t *testing.T) {
	var m imagetest.Memory
	a := imagetest.Image(t, &m, image.Platform{OS: "linux", Architecture: "amd64"}, image.AssembleOptions{})
	b := imagetest.Image(t, &m, image.Platform{OS: "linux", Architecture: "arm64"}, image.AssembleOptions{})
	one, _, err := image.AssembleIndex([]image.Descriptor{a, b})
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := image.AssembleIndex([]image.Descriptor{b, a, b})
	if err != nil || one.Digest != two.Digest {
		t.Errorf("%s and %s, %v", one.Digest, two.Digest, err)
	}
}

func TestVerifiedHoldsTheEndBackUntilItIsProven(t *testing.T) {
	right := []byte("right")
	d := image.Describe("x", right)
	for _, body := range []string{"wrong", "right!", "righ", ""} {
		rc := image.Verified(io.NopCloser(strings.NewReader(body)), d)
		if _, err := io.ReadFull(rc, make([]byte, len(right))); !errors.Is(err, digest.ErrMismatch) {
			t.Errorf("%q: %v", body, err)
		}
	}
	rc := image.Verified(io.NopCloser(bytes.NewReader(right)), d)
	if b, err := io.ReadAll(rc); err != nil || string(b) != "right" {
		t.Error(err)
	}
}

func TestLargeManifestIsNotRead(t *testing.T) {
	d := image.Descriptor{MediaType: image.MediaTypeManifest, Digest: digest.Of(nil), Size: 1 << 40}
	src := image.OpenFunc(func(context.Context, image.Descriptor) (io.ReadCloser, error) {
		t.Error("it was opened")
		return nil, io.EOF
	})
	if _, err := image.Read(t.Context(), src, d); !errors.Is(err, image.ErrTooLarge) {
		t.Error(err)
	}
}
