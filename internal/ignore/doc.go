// Package ignore tells which paths of a directory are wanted: by patterns of
// the .dockerignore language ([Patterns]), and by .gitignore files ([Git]).
//
// Both are asked from the top down, a directory before what it holds. Paths are
// relative to the directory, with slashes, without one at the front.
package ignore
