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
	SchemeStep          Scheme = "step"           // what a step of a run came to: "last", RUN or RUN@STEP
	SchemeName          Scheme = "name"           // a name in the store, or a registry's reference
)

// Place is where a tree comes from or goes to.
type Place struct {
	Scheme Scheme
	Path   string // of a file or directory ("-" is standard input or output); the name, step or digest otherwise
	Tag    string // of SchemeOCI and the archives: which image; "" is the only one
}

// ParsePlace reads a place as users write it: "oci:DIR[:TAG]",
// "oci-archive:FILE[:TAG]", "docker-archive:FILE[:TAG]", "tar:FILE",
// "dir:PATH", "scratch", "sha256:DIGEST", a step ("last", RUN or RUN@STEP), or a
// name.
func ParsePlace(s string) (Place, error) {
	if s == "" {
		return Place{}, fmt.Errorf("a place is missing: want a name, a step such as last@3, or one of oci:, oci-archive:, docker-archive:, tar:, dir:, scratch")
	}
	if s == "scratch" {
		return Place{Scheme: SchemeScratch}, nil
	}
	if isStep(s) {
		return Place{Scheme: SchemeStep, Path: s}, nil
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
	case SchemeName, SchemeDigest, SchemeStep:
		return p.Path
	}
	s := string(p.Scheme) + ":" + p.Path
	if p.Tag != "" {
		s += ":" + p.Tag
	}
	return s
}

// isStep tells whether s names a run or a step of one. No reference of a registry
// looks so: there an @ is followed by a digest, which has a colon, and the name of
// a run, such as 20260301-101502.123456-K3QF, has capitals at its end.
func isStep(s string) bool {
	run, step, ok := strings.Cut(s, "@")
	if ok {
		return run != "" && !strings.ContainsAny(run, ":/") && !strings.ContainsAny(step, ":/")
	}
	return s == "last" || isRun(s)
}

// isRun tells whether s looks like the whole name of a run.
func isRun(s string) bool {
	const shape = "00000000-000000.000000-AAAA"
	if len(s) != len(shape) {
		return false
	}
	for i, c := range []byte(s) {
		digit := '0' <= c && c <= '9'
		switch want := shape[i]; {
		case want == '0' && !digit, want == 'A' && !digit && (c < 'A' || c > 'Z'), want != '0' && want != 'A' && c != want:
			return false
		}
	}
	return true
}
