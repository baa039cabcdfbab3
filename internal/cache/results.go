package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// config is the config of a cache's manifest.
type config struct {
	Version int      `json:"version"`
	Results []Result `json:"results"`
}

func encodeResults(rs []Result) ([]byte, error) {
	rs = slices.Clone(rs)
	slices.SortFunc(rs, func(a, b Result) int { return a.Key.Compare(b.Key) })
	return json.Marshal(config{Version: 1, Results: rs})
}

// decodeResults is strict: a key comes once, and everything is there.
func decodeResults(b []byte) ([]Result, error) {
	var c config
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("%w: its results: %w", ErrDamaged, err)
	}
	if c.Version != 1 {
		return nil, fmt.Errorf("%w: results of version %d, where 1 is known: use a newer inlay", ErrDamaged, c.Version)
	}
	if len(c.Results) > maxResults {
		return nil, fmt.Errorf("%w: %d results where at most %d are read", ErrDamaged, len(c.Results), maxResults)
	}
	for i, r := range c.Results {
		switch {
		case r.Key.IsZero() || r.Tree.IsZero() || len(r.Data) == 0 || r.Data[0] != '{':
			return nil, fmt.Errorf("%w: result %d lacks its key, its tree or what it says", ErrDamaged, i)
		case i > 0 && c.Results[i-1].Key.Compare(r.Key) >= 0:
			return nil, fmt.Errorf("%w: results are not in order", ErrDamaged)
		}
	}
	return c.Results, nil
}
