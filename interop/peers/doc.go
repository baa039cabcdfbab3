// Package peers has no code of its own: its tests hold copies against other
// programs that copy, cp, rsync and tar, and write down what those make of the
// numbered cases of docs/cases.txt.
package peers
