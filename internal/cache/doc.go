// Package cache keeps results, and what they need, at any place for images: a
// registry, or an OCI layout. It knows neither trees nor stores: an object is some
// bytes with a digest, and what a result says is its caller's.
//
// # Words
//
// A result says what came of an action key. An object is a [Node], an encoded
// directory of a tree, or a [Body], the content of a file or what a process said.
// A pack is a blob of objects. A chunk is a part of a pack that is read at once. The
// index says which object is in which chunk.
//
// # Format
//
// A cache is an OCI image manifest of the artifact type [ArtifactType]:
//
//	config     [MediaTypeResults]: JSON, {"version":1,"results":[...]}, the results by ascending key
//	layers[0]  [MediaTypeIndex]
//	layers[n]  [MediaTypePack]
//
// A registry takes manifests of up to 4 MiB. Where there are more packs than one
// manifest can name, the cache is an OCI image index of the same artifact type,
// whose first manifest is as above; the others name only packs, and their config is
// the empty one of OCI. A reader needs the first alone: all of them are there so
// that the registry keeps the packs.
//
//	pack   := chunk*
//	chunk  := one zstd stream of the bytes of its objects, one after the other
//
//	index  := "inlay cache index 1\n" count pack*
//	pack   := digest size count chunk*            count >= 1
//	chunk  := kind length count object*           kind is 'N' or 'B', count >= 1
//	object := digest size
//
// Numbers are uvarints, digests are 32 bytes. The chunks of a pack lie one after the
// other, so that their lengths say where they are, and together are as long as the
// pack. A chunk of several objects has at most [maxChunk] bytes of them; an object
// that is larger has a chunk to itself.
//
// A node is in a cache only together with all that it refers to.
//
// # Where packs are cut
//
// Objects come in the order of the trees. Chunks and packs are cut behind objects
// whose digests say so, the larger ones more often ([cutter]): about every 64 KiB
// and every 4 MiB. An object of 1 MiB or more has a pack to itself. So a look at a directory loads what is near it, in one
// request; equal runs of objects give equal packs, whatever comes before and after
// them; and a cache under another name in the same registry finds its packs there.
//
// # Trust
//
// Objects are verified by their digests, whoever wrote them. What a result says can
// not be verified: that is for the caller to decide.
package cache

import (
	"encoding/json"
	"errors"

	"github.com/inlaybuild/inlay/digest"
)

// The types of what a cache consists of.
const (
	ArtifactType     = "application/vnd.inlay.cache.v1"
	MediaTypeResults = "application/vnd.inlay.cache.results.v1+json"
	MediaTypeIndex   = "application/vnd.inlay.cache.index.v1"
	MediaTypePack    = "application/vnd.inlay.cache.pack.v1"

	mediaTypeEmpty = "application/vnd.oci.empty.v1+json"
)

// ErrDamaged is the error of a cache whose bytes are not what they should be.
var ErrDamaged = errors.New("damaged cache")

// Kind is a kind of objects.
type Kind byte

// The kinds of objects. The same bytes may be both.
const (
	Node Kind = 'N' // an encoded directory of a tree
	Body Kind = 'B' // the content of a file, or what a process said
)

// Object is some bytes.
type Object struct {
	Kind   Kind
	Digest digest.Digest
	Size   int64
}

// Result is what came of an action key.
type Result struct {
	Key  digest.Digest   `json:"key"`
	Tree digest.Digest   `json:"tree"`
	Data json.RawMessage `json:"data"` // a JSON object; its meaning is the caller's
}

// The limits that readers keep. Writers begin anew before they meet them.
const (
	maxResults  = 20_000
	maxConfig   = 32 << 20
	maxIndex    = 128 << 20
	maxChunk    = 1 << 20  // bytes of objects
	maxNode     = 16 << 20 // bytes of one node
	maxBody     = 1 << 42
	mostPacks   = 1000   // beyond which a writer begins anew
	partPacks   = 15_000 // that one manifest names
	chunkTarget = 64 << 10
	packTarget  = 4 << 20
)
