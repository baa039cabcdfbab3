package peers

// A peer is a program that copies, too: cp, rsync or tar, as the machine has it.
// It runs in a chroot, so that absolute symlinks of the destination lead where
// they lead for us. What it needs is in one directory, which is moved into the
// root for the time that it runs: no mounts, and nothing of it in the listing.

// kitName is the directory with the programs, their libraries and the source, in
// the root.
const kitName = ".inlay-peer"

// peer is a program, and how it is told to copy.
type peer struct {
	name string
	// commands gives what is to be run, one after the other, for a copy; nil
	// if the program has no way to say it.
	commands func(j job) [][]string
	// asked is the options that it is run with, for people.
	asked string
	// own is what the program does differently and says so.
	own []ownDifference
}
