package store

import "github.com/inlaybuild/inlay/digest"

// Lacking gives those of ds, each once, that were not written to this ingest as
// blobs.
func (in *Ingest) Lacking(ds []digest.Digest) []digest.Digest {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []digest.Digest
	seen := map[digest.Digest]bool{}
	for _, d := range ds {
		if _, ok := in.files[d]; !ok && !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	return out
}
