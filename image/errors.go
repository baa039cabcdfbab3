package image

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrInvalid is the error of a manifest, config or index that is malformed
	// or contradicts itself.
	ErrInvalid = errors.New("invalid image")
	// ErrMediaType is the error of a body of another type than was due. A
	// [*MediaTypeError] says which.
	ErrMediaType = errors.New("wrong media type")
	// ErrTooLarge is the error of a manifest, config or index beyond its limit.
	ErrTooLarge = errors.New("too large")
	// ErrNoPlatform is the error of an index without the platform that was
	// asked for. A [*PlatformError] lists those it has.
	ErrNoPlatform = errors.New("no image for the platform")
	// ErrUnknownRef is the error of a name that a source does not have. A
	// [*RefError] lists those it has.
	ErrUnknownRef = errors.New("no such image")
)

// MediaTypeError is an [ErrMediaType] with the types in question.
type MediaTypeError struct {
	Got  string // what was found
	Want string // what was due, in words
}

// Error says what was found, what was due, and for old manifests what to do.
func (e *MediaTypeError) Error() string {
	if strings.HasPrefix(e.Got, mediaTypeDockerSchema1Prefix) {
		return fmt.Sprintf("%v: this is a Docker schema 1 manifest, which ended in 2019: push the image again with a current builder", ErrMediaType)
	}
	got := fmt.Sprintf("%q", clip(e.Got))
	if e.Got == "" {
		got = "none"
	}
	return fmt.Sprintf("%v: %s where %s was due", ErrMediaType, got, e.Want)
}

// Is makes errors.Is(err, ErrMediaType) hold.
func (e *MediaTypeError) Is(target error) bool { return target == ErrMediaType }

// PlatformError is an [ErrNoPlatform] with the platforms that there are.
type PlatformError struct {
	Want      string
	Available []string
}

// Error names the platform and lists those that there are.
func (e *PlatformError) Error() string {
	if len(e.Available) == 0 {
		return fmt.Sprintf("%v %s: the index names no image of any platform", ErrNoPlatform, e.Want)
	}
	return fmt.Sprintf("%v %s: choose one of %s", ErrNoPlatform, e.Want, list(e.Available))
}

// Is makes errors.Is(err, ErrNoPlatform) hold.
func (e *PlatformError) Is(target error) bool { return target == ErrNoPlatform }

// RefError is an [ErrUnknownRef] with the names that there are.
type RefError struct {
	Want      string // "" where a name was needed and none was given
	Available []string
}

// Error names what was asked for and lists what there is.
func (e *RefError) Error() string {
	switch {
	case e.Want == "" && len(e.Available) == 0:
		return fmt.Sprintf("%v: there is none in it", ErrUnknownRef)
	case e.Want == "":
		return fmt.Sprintf("more than one image: choose one of %s", list(e.Available))
	case len(e.Available) == 0:
		return fmt.Sprintf("%v: %q: no image in it has a name", ErrUnknownRef, clip(e.Want))
	}
	return fmt.Sprintf("%v: %q: choose one of %s", ErrUnknownRef, clip(e.Want), list(e.Available))
}

// Is makes errors.Is(err, ErrUnknownRef) hold.
func (e *RefError) Is(target error) bool { return target == ErrUnknownRef }

func list(names []string) string {
	const most = 20
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", list(names[:most]), n-most)
	}
	clipped := make([]string, len(names))
	for i, n := range names {
		clipped[i] = clip(n)
	}
	return strings.Join(clipped, ", ")
}

func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
