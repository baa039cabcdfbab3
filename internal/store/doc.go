// Package store is what Inlay remembers between commands: one directory that
// any number of processes share without a daemon.
//
// # What it holds
//
// A blob is the bytes of a file, named by digest. A node is an encoded directory
// of a tree, small, named by digest; it refers to other nodes and to blobs, and
// only the function in [Options] knows how. A [Record] names roots, nodes or
// blobs, with a body that is its caller's. A result is the record of an action
// key, a ref is a record under a name. A run has steps, which name the trees
// before and after them, and logs.
//
//	format          version; written last, so a store that has it is whole
//	blobs/ab/cdef…  bytes of blobs: regular files, mode 0444, no xattrs
//	records.db      SQLite in WAL mode: nodes, results, refs
//	runs/<run>      record of a run, with nodes of its own; locked while it goes on
//	logs/<run>/     output of its steps, if there is any
//	ingest/<owner>/ being written; locked by its owner
//	leases/<owner>  digests that an open store was shown; locked by its owner
//	leases/.turn .sweep .gc   locks
//	roots/<name>/   a cache of mountable roots; locked by who uses one
//	corrupt/        what Fsck set aside
//	reserve         space that GC frees to be able to work on a full disk
//
// All locks are flock(2) locks of the kernel on open files: they end with their
// process, however it ends. Who locks something that others may remove looks
// afterwards whether it is still there. The directory is 0700.
//
// # Durability
//
// [Ingest.Commit] writes in this order:
//
//  1. new bodies, into ingest/<owner>/; then all are flushed, a few one by one,
//     many with one syncfs;
//  2. a mark in ingest/<owner>/, and renames to blobs/;
//  3. flush of the directories below blobs/; the mark is removed;
//  4. one SQLite transaction, flushed, with nodes, results and refs.
//
// So whatever the database names is on the disk, and whatever has a name below
// blobs/ has its bytes. A blob that another process renamed may be seen before
// that process flushed the directory: the mark tells, and then the one who
// relies on the blob flushes too, as does the one who clears up after a process
// that died in between. After a power cut what can be seen is on the disk.
//
// Records of runs, the nodes that only they name, and times of last use are written
// without flushing. They survive the death of the process; a power cut may take the
// last of them. A step may then name a tree that is gone, or of which a part is.
//
// # Whole nodes
//
// A node is in the store only together with all that it refers to. Commit checks
// what new nodes refer to before it adds them. GC removes parents before their
// children, and nodes before blobs, so it keeps this when it is cut off. That is
// why a look at the roots tells whether a record is complete, and why MissingNodes
// saying nothing about a node is enough to leave out everything below it. Damage
// breaks the rule; Fsck finds it and marks the nodes above, which can be read but
// count as missing until somebody writes what lacks. Who meets an [ErrMissing]
// below a root runs Fsck, or forgets the result by DeleteResults and makes it
// again.
//
// Nodes that a run has by itself, in its record, are not in the store in this sense: what
// they refer to was there when they were written, and stays as long as the run does, but
// they go with it. So they count as missing wherever something else is
// to name them, and are written again then. [Store.RunNode] reads them.
//
// # Leases
//
// What an open [Store] was shown or has made is not collected until it is
// closed. The argument, for an object that a process P relies on:
//
//  1. P looks whether it exists and lists it in leases/P while it is inside the
//     gate, which is a shared lock. The collector removes a batch while it holds
//     the lock exclusively, after reading what was added to all leases, and then
//     all rows that were added to results and refs, and all records of runs that
//     have grown. So either P was first,
//     and the collector sees the lease; or the collector was, and P sees that the
//     object is gone.
//  2. If P ended before the collector read the leases, everything P committed is
//     in rows and records that the collector reads after them. What it did not
//     commit is garbage. The own nodes of a run are in its record before what names
//     them.
//  3. What P commits is listed before it appears, and so is what it refers to:
//     so the collector needs to know nothing of nodes that are not in the
//     database yet.
//  4. The collector keeps all that can be reached from what is listed or named, or
//     from the own nodes of runs. By the rule of whole nodes that is there.
//  5. A run is removed without asking for leases: who reads its own nodes has them in
//     memory from then on, and lists what they refer to.
//
// Where a lease cannot be written, as on a full disk, P stays inside the gate
// instead until it is closed. The locks of the kernel are not fair; the file .turn
// makes them so. A process waits for a batch, some milliseconds. The collector
// waits for who is inside, which is for microseconds, and gives up with
// [ErrBusy] when that takes longer than [Options].Wait. A process that runs for
// days only keeps things from being collected.
package store
