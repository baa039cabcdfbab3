package image

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Config is an image's config: for which platform it is, how a process in it
// starts, which layers it has and how they came to be. OCI image specification,
// "image configuration". Members that this package does not know, Docker's own
// among them, survive every edit. A Config is immutable.
type Config struct {
	body    []byte // as parsed, or as encoded after an edit
	raw     object
	p       Platform
	run     RunConfig
	diffIDs []DiffID
	history []History
	created time.Time
}

// History tells how one layer came to be, or, with Empty, a step that made
// none.
type History struct {
	Created    *time.Time `json:"created,omitempty"`
	CreatedBy  string     `json:"created_by,omitempty"`
	Author     string     `json:"author,omitempty"`
	Comment    string     `json:"comment,omitempty"`
	EmptyLayer bool       `json:"empty_layer,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []DiffID `json:"diff_ids"`
}

// NewConfig gives the config of an image for p without a layer, made at the
// Unix epoch.
func NewConfig(p Platform) Config {
	c := Config{}
	var err error
	if c, err = c.edit(map[string]any{
		"architecture": p.Architecture, "os": p.OS, "variant": p.Variant,
		"os.version": p.OSVersion, "os.features": p.OSFeatures,
		"created": time.Unix(0, 0).UTC(),
		"rootfs":  rootFS{Type: "layers", DiffIDs: []DiffID{}},
	}); err != nil {
		panic(err) // strings and times always encode
	}
	return c
}

// ParseConfig reads a config. It refuses with [ErrInvalid] one that is no
// config, and with [ErrTooLarge] one above [MaxConfigSize].
func ParseConfig(body []byte) (Config, error) {
	if len(body) > MaxConfigSize {
		return Config{}, fmt.Errorf("%w: %d bytes where at most %d are read", ErrTooLarge, len(body), MaxConfigSize)
	}
	c := Config{body: slices.Clone(body)}
	o, err := parseObject(body, "architecture", "os", "variant", "rootfs", "history", "config", "created")
	if err != nil {
		return Config{}, err
	}
	c.raw = o
	var fs rootFS
	var created *time.Time
	for key, v := range map[string]any{
		"architecture": &c.p.Architecture, "os": &c.p.OS, "variant": &c.p.Variant,
		"os.version": &c.p.OSVersion, "os.features": &c.p.OSFeatures,
		"rootfs": &fs, "history": &c.history, "created": &created,
	} {
		if err := o.get(key, v); err != nil {
			return Config{}, err
		}
	}
	if created != nil {
		c.created = *created
	}
	if fs.Type != "layers" && (fs.Type != "" || len(fs.DiffIDs) > 0) {
		return Config{}, fmt.Errorf("%w: rootfs of type %q where \"layers\" was due", ErrInvalid, clip(fs.Type))
	}
	if c.diffIDs = fs.DiffIDs; slices.ContainsFunc(fs.DiffIDs, DiffID.IsZero) {
		return Config{}, fmt.Errorf("%w: an empty diff id", ErrInvalid)
	}
	c.run, err = parseRun(o["config"])
	return c, err
}

// Bytes gives the config's bytes: those that it was parsed from as long as
// nothing was edited, else the canonical encoding.
func (c Config) Bytes() []byte { return slices.Clone(c.body) }

// Platform gives the platform that the image says it is for; empty members
// where it does not say.
func (c Config) Platform() Platform { return c.p }

// DiffIDs gives the digests of the uncompressed layers, lowest first.
func (c Config) DiffIDs() []DiffID { return slices.Clone(c.diffIDs) }

// History tells how the layers came to be, oldest first. Other tools' images
// may say less, or nothing.
func (c Config) History() []History { return slices.Clone(c.history) }

// Created is the time the image says it was made; zero where it does not say.
func (c Config) Created() time.Time { return c.created }

// Run gives how a process in the image starts.
func (c Config) Run() RunConfig { return c.run.clone() }

// WithRun gives c with r for how a process starts.
func (c Config) WithRun(r RunConfig) (Config, error) {
	raw, err := r.onto(c.raw["config"])
	if err != nil {
		return Config{}, err
	}
	return c.edit(map[string]any{"config": raw})
}

// WithCreated gives c with the time it was made, in UTC and whole seconds. For
// reproducible images this is SOURCE_DATE_EPOCH or the Unix epoch, never now.
func (c Config) WithCreated(t time.Time) (Config, error) {
	return c.edit(map[string]any{"created": t.UTC().Truncate(time.Second)})
}

// Append gives c with one layer more on top. When the history of the base says
// less than it has layers, empty lines make up for it, so that h is the line of
// this layer.
func (c Config) Append(id DiffID, h History) (Config, error) {
	h.EmptyLayer = false
	history := slices.Clone(c.history)
	told := 0
	for _, l := range history {
		if !l.EmptyLayer {
			told++
		}
	}
	for ; told < len(c.diffIDs); told++ {
		history = append(history, History{})
	}
	ids := append(slices.Clone(c.diffIDs), id)
	return c.edit(map[string]any{"rootfs": rootFS{"layers", ids}, "history": append(history, h)})
}

// WithoutLayers gives c of an image that has no layers, nor a history.
func (c Config) WithoutLayers() (Config, error) {
	return c.edit(map[string]any{"rootfs": rootFS{"layers", []DiffID{}}, "history": json.RawMessage(nil)})
}

// Note gives c with one line of history more, for a step that made no layer.
func (c Config) Note(h History) (Config, error) {
	h.EmptyLayer = true
	return c.edit(map[string]any{"history": append(slices.Clone(c.history), h)})
}

// edit gives c with members set, or gone where the value is empty.
func (c Config) edit(members map[string]any) (Config, error) {
	o := c.raw
	for _, k := range slices.Sorted(maps.Keys(members)) {
		var err error
		v := members[k]
		if o, err = o.with(k, v, isEmpty(v)); err != nil {
			return Config{}, err
		}
	}
	body, err := o.bytes()
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(body)
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case json.RawMessage:
		return len(v) == 0
	case map[string]string:
		return len(v) == 0
	case map[string]struct{}:
		return len(v) == 0
	}
	return false
}
