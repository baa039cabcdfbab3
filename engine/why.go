package engine

// Why says in parts why a program did not start, or why a script that did found
// nothing to run. All of it is a fact about the tree, and none a guess.
type Why struct {
	// Cause is what kind of reason it is: "missing", "not-in-path",
	// "relative-path", "not-a-directory", "symlink-loop", "too-long",
	// "not-searchable", "not-executable", "is-a-directory", "not-a-file",
	// "bad-first-line", "dos-line", "too-many-interpreters", "not-a-program",
	// "damaged", "other-machine" or "hidden" (by a mount).
	Cause string
	// Role tells what Path is: "program", "interpreter" (of a script),
	// "elf-interpreter" or "working-directory".
	Role string
	// Path is what could not be used, as it was asked for.
	Path string
	// At is the place in the tree that is missing or in the way, free of
	// symlinks; "" if it is no single one.
	At string
	// Step is the call of the earlier step that made it so; "" if no step of this
	// run did, or if that is not known.
	Step string
	// Text is all of it, in one line.
	Text string
}
