package engine

import (
	"fmt"
	"strings"
)

// Scheme says what kind of place a [Place] is.
type Scheme string

// The schemes of places. Those before [Name] are written before a colon.
const (
	SchemeOCI           Scheme = "oci"            // an OCI image layout, a directory
	SchemeOCIArchive    Scheme = "oci-archive"    // a tar of one
	SchemeDockerArchive Scheme = "docker-archive" // what docker save writes
	SchemeTar           Scheme = "tar"            // a plain tar
	SchemeDir           Scheme = "dir"            // a directory of this machine
	SchemeScratch       Scheme = "scratch"        // the empty tree
	SchemeDigest        Scheme = "sha256"         // a tree in the store
	SchemeName          Scheme = "name"           // a name in the store, or a registry's reference
)

// Place is where a tree comes from or goes to.
type Place struct {
	Scheme Scheme
	Path   string // of a file or directory ("-" is standard input or output); the name or digest otherwise
	Tag    string // of SchemeOCI and the archives: which image; "" is the only one
}

// ParsePlace reads a place as users write it: "oci:DIR[:TAG]",
// "oci-archive:FILE[:TAG]", "docker-archive:FILE[:TAG]", "tar:FILE",
// "dir:PATH", "scratch", "sha256:DIGEST", or a name.
func ParsePlace(s string) (Place, error) {
	if s == "" {
		return Place{}, fmt.Errorf("a place is missing: want a name, or one of oci:, oci-archive:, docker-archive:, tar:, dir:, scratch")
	}
	if s == "scratch" {
		return Place{Scheme: SchemeScratch}, nil
	}
	scheme, rest, ok := strings.Cut(s, ":")
	p := Place{Scheme: Scheme(scheme), Path: rest}
	switch {
	case !ok:
		return Place{Scheme: SchemeName, Path: s}, nil
	case p.Scheme == SchemeDigest:
		p.Path = s
	case p.Scheme == SchemeOCI || p.Scheme == SchemeOCIArchive || p.Scheme == SchemeDockerArchive:
		p.Path, p.Tag, _ = strings.Cut(rest, ":")
	case p.Scheme == SchemeTar || p.Scheme == SchemeDir:
	default:
		return Place{Scheme: SchemeName, Path: s}, nil
	}
	if p.Path == "" {
		return Place{}, fmt.Errorf("%q: the path after %s: is missing", s, scheme)
	}
	return p, nil
}

// String gives the form that [ParsePlace] reads.
func (p Place) String() string {
	switch p.Scheme {
	case SchemeScratch:
		return string(SchemeScratch)
	case SchemeName, SchemeDigest:
		return p.Path
	}
	s := string(p.Scheme) + ":" + p.Path
	if p.Tag != "" {
		s += ":" + p.Tag
	}
	return s
}
