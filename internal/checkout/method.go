package checkout

import "fmt"

// Method is a way to make a mountable root.
//
// Hardlinks of the blobs as a lower directory are not among them: an inode has
// one owner, mode and time for all its names, so two files of equal content and
// different attributes cannot both be shown.
type Method uint8

// The methods, the best first.
const (
	// Auto is the first of the others that works here.
	Auto Method = iota
	// EROFS mounts an image from its file: Linux 6.15, on file systems that
	// allow it. A changed tree takes a fraction of a millisecond.
	EROFS
	// Loop mounts the same image through a loop device.
	Loop
	// Metadata is a directory of files without content, which overlayfs finds
	// in the blobs: Linux 6.7. It costs an inode for every entry.
	Metadata
	// Copy is a directory of whole copies under the overlay.
	Copy
	// Plain is a directory of whole copies without an overlay: there is no upper
	// directory, and what a process changed is found by reading all of it.
	Plain
)

var methodNames = [...]string{"auto", "erofs", "loop", "metadata", "copy", "plain"}

// String gives the method's name.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return "unknown method"
}

// ParseMethod reads the name of a method.
func ParseMethod(s string) (Method, error) {
	for i, name := range methodNames {
		if s == name {
			return Method(i), nil
		}
	}
	return Auto, fmt.Errorf("unknown method %q: want auto, erofs, loop, metadata, copy or plain", s)
}
