//go:build !linux

package mount

import (
	"errors"
	"os"
)

// ErrBusy is the error of a mount that somebody uses.
var ErrBusy = errors.New("the mount is in use")

// Mount is a mounted file system by descriptor.
type Mount struct{}

// Fd is not there on this system.
func (m *Mount) Fd() int { return -1 }

// Close does nothing.
func (m *Mount) Close() error { return nil }

// Attach fails.
func (m *Mount) Attach(string) error { return errors.ErrUnsupported }

// Layer is a lower directory of an overlay.
type Layer struct {
	Fd  int
	Dir string
}

// Layer gives the mount as a lower directory.
func (m *Mount) Layer() Layer { return Layer{} }

// Overlay is an overlay to be mounted.
type Overlay struct {
	Lower, Data []Layer
	Upper, Work string
	Options     []string
}

// Mount fails.
func (o Overlay) Mount() (*Mount, error) { return nil, errors.ErrUnsupported }

// Image fails.
func Image(*os.File) (*Mount, error) { return nil, errors.ErrUnsupported }

// ImageByLoop fails.
func ImageByLoop(*os.File) (*Mount, error) { return nil, errors.ErrUnsupported }

// Clone fails.
func Clone(string) (*Mount, error) { return nil, errors.ErrUnsupported }

// Unmount fails.
func Unmount(string) error { return errors.ErrUnsupported }

// Detach fails.
func Detach(string) error { return errors.ErrUnsupported }

// IsMounted tells that nothing is.
func IsMounted(string) (bool, error) { return false, nil }

// Namespace is a mount namespace.
type Namespace struct{}

// NewNamespace fails.
func NewNamespace() (*Namespace, error) { return nil, errors.ErrUnsupported }

// Do calls f.
func (n *Namespace) Do(f func() error) error { return f() }

// Enter fails.
func (n *Namespace) Enter() error { return errors.ErrUnsupported }

// Close does nothing.
func (n *Namespace) Close() error { return nil }
