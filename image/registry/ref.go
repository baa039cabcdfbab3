package registry

import (
	"fmt"

	"github.com/distribution/reference"

	"github.com/inlaybuild/inlay/digest"
)

// Ref names an image in a registry: "debian:12" or
// "host:5000/team/app@sha256:...". A Ref is a comparable value that [ParseRef]
// makes; the zero Ref names nothing.
type Ref struct {
	domain string
	path   string
	tag    string
	digest digest.Digest
}

// ParseRef reads a reference as docker does: the host, the prefix of official
// images and the tag "latest" are filled in where they are missing.
func ParseRef(s string) (Ref, error) {
	n, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Ref{}, fmt.Errorf("%w: %.300q: want one like debian:12 or host:5000/team/app:1.0", err, s)
	}
	n = reference.TagNameOnly(n)
	r := Ref{domain: reference.Domain(n), path: reference.Path(n)}
	if t, ok := n.(reference.Tagged); ok {
		r.tag = t.Tag()
	}
	if d, ok := n.(reference.Digested); ok {
		if r.digest, err = digest.Parse(d.Digest().String()); err != nil {
			return Ref{}, fmt.Errorf("reference %.300q: %w", s, err)
		}
	}
	return r, nil
}

// String gives the full form, which [ParseRef] reads as the same Ref.
func (r Ref) String() string {
	s := r.Name()
	if r.tag != "" {
		s += ":" + r.tag
	}
	if !r.digest.IsZero() {
		s += "@" + r.digest.String()
	}
	return s
}

// Familiar gives the form that users write: String without what [ParseRef]
// fills in, but for the tag.
func (r Ref) Familiar() string {
	n, err := reference.ParseNormalizedNamed(r.String())
	if err != nil {
		return r.String()
	}
	return reference.FamiliarString(n)
}

// Domain is the registry, with its port if it has one.
func (r Ref) Domain() string { return r.domain }

// Path is the repository within its registry.
func (r Ref) Path() string { return r.path }

// Name is the repository with its registry.
func (r Ref) Name() string { return r.domain + "/" + r.path }

// Tag is the tag; empty where a digest alone is given.
func (r Ref) Tag() string { return r.tag }

// Digest is the digest; zero where none is given. Where there is one it
// decides, and the tag is for people.
func (r Ref) Digest() digest.Digest { return r.digest }

// IsZero tells whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// In gives what name, a tag or a digest, names in r's repository; r for "".
func (r Ref) In(name string) (Ref, error) {
	if name == "" {
		return r, nil
	}
	if d, err := digest.Parse(name); err == nil {
		return Ref{domain: r.domain, path: r.path, digest: d}, nil
	}
	n, err := ParseRef(r.Name() + ":" + name)
	if err != nil || n.Name() != r.Name() || n.tag != name {
		return Ref{}, fmt.Errorf("tag %.200q of %s: %w", name, r.Name(), reference.ErrTagInvalidFormat)
	}
	return n, nil
}
