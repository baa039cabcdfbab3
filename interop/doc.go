// Package interop has no code of its own: its tests hold what the whole of
// Inlay makes against other programs, and theirs against it.
package interop
